"""A page of a tracked shop is the plain shop's page, byte for byte, but for our script elements."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.browser.servers import Server
from tests.browser.visitor import Sandbox

pytestmark = pytest.mark.browser

_OURS = re.compile(
    rb"<script>\(function\(w,d,c\).*?\"/_tiktok/helper-[0-9a-f]+\.js\".*?</script>",
    re.DOTALL,
)


@pytest.fixture
def sandbox(shop: Server, sandbox_server: Server) -> Iterator[Sandbox]:
    watching = Sandbox(sandbox_server.url, shop.pixel)
    watching.reset()
    yield watching
    watching.close()


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("/", ""),
        ("/products/morning-mug", "ViewContent"),
        ("/search?q=mug", "Search"),
        ("/cart", ""),
        ("/no-such-page", ""),
    ],
)
def test_only_our_scripts_are_added(shop: Server, plain_shop: Server, sandbox: Sandbox, path: str, event: str) -> None:
    plain, tracked = (httpx.get(one.url + path, verify=False) for one in (plain_shop, shop))
    if event:
        sandbox.await_events(event)
    assert tracked.status_code == plain.status_code
    without, times = _OURS.subn(b"", tracked.content)
    assert times == 1
    assert without == plain.content


def test_files_pass_untouched(shop: Server, plain_shop: Server) -> None:
    for path in ("/static/shop.css", "/static/shop.js", "/static/art/hero.svg"):
        plain, tracked = (httpx.get(one.url + path, verify=False) for one in (plain_shop, shop))
        assert tracked.status_code == 200
        assert tracked.content == plain.content
        assert "set-cookie" not in tracked.headers
