"""A page that cannot be read leaves as it came, through either door, and the operator hears why."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.contract.adapters import PAGE, Request, Response, Seen, make_client, through_asgi, through_wsgi
from tests.core.page.encoded_bodies import BODIES
from tiktok_middleware import Client
from tiktok_middleware.core.page import codings
from tiktok_middleware.core.response import policy

DOORS = [through_asgi, through_wsgi]
Through = Callable[[Client, Request, Response], Seen]
HTML = "text/html; charset=utf-8"


@pytest.fixture
def _without_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As installed without the extras."""
    caches = (codings._brotli.cache_clear, codings._zstd.cache_clear, policy._made.clear)
    for name in ("brotli", "brotlicffi", "compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)  # makes its import fail
    for clear in caches:
        clear()
    yield
    for clear in caches:
        clear()


def coded(coding: str, kind: str = HTML) -> Response:
    body = b"".join(BODIES[coding].encode([PAGE], 5))
    return Response(
        headers=(("Content-Type", kind), ("Content-Encoding", coding), ("ETag", '"a"')), pieces=(body,), has_length=True
    )


@pytest.mark.usefixtures("_without_packages")
@pytest.mark.parametrize("through", DOORS)
@pytest.mark.parametrize(("coding", "package"), [("br", "brotli"), ("zstd", "backports.zstd")])
def test_a_coding_whose_package_is_absent_is_said_once_and_counted(
    through: Through, coding: str, package: str, caplog: pytest.LogCaptureFixture
) -> None:
    client, response = make_client(), coded(coding)
    caplog.clear()
    for _ in range(3):
        seen = through(client, Request(), response)
        assert seen.body == response.body
        assert seen.header("etag") == '"a"'
        assert seen.header("content-length") == str(len(response.body))
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in said] == [
        f"pages leave without the pixel, for reading their coding needs a package: pip install {package}"
    ]
    assert client.stats()["counts"]["page_package_missing"] == 3


@pytest.mark.usefixtures("_without_packages")
@pytest.mark.parametrize("through", DOORS)
def test_other_answers_in_that_coding_are_nobodys_business(through: Through, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client()
    caplog.clear()
    assert through(client, Request(), coded("br", "application/json")).body == coded("br").body
    assert through(client, Request(), coded("gzip")).body != coded("gzip").body
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert "page_package_missing" not in client.stats()["counts"]


@pytest.mark.parametrize("through", DOORS)
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((("Content-Type", HTML), ("Content-Encoding", "compress")), "page_encoded"),
        ((("Content-Type", "text/html; charset=utf-16"),), "page_charset"),
        ((("Content-Type", "application/json"), ("Content-Encoding", "compress")), ""),
    ],
)
def test_a_page_that_nobody_here_can_read_is_counted(
    through: Through, headers: tuple[tuple[str, str], ...], reason: str
) -> None:
    client, response = make_client(), Response(headers=headers)
    assert through(client, Request(), response).body == PAGE
    counts = client.stats()["counts"]
    assert [name for name in counts if name.startswith("page_")] == ([reason] if reason else [])


@pytest.mark.parametrize("through", DOORS)
@pytest.mark.parametrize(
    ("body", "reason"), [(b"<!doctype html><title>never closed", "page_no_head_end"), (b"<li>One more", "")]
)
def test_a_page_without_a_place_is_counted_and_a_fragment_is_not(through: Through, body: bytes, reason: str) -> None:
    client = make_client()
    assert through(client, Request(), Response(pieces=(body,))).body == body
    counts = client.stats()["counts"]
    assert [name for name in counts if name.startswith("page_")] == ([reason] if reason else [])
