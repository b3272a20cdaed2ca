"""Our own path prefix answers for the helper script and for nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.core.core_world import DOORS, MakeRequest, runtime_of
from tiktok_middleware.core.endpoint.routes import Answer, Wanted, answer

SETUP = runtime_of()
HELPER = SETUP.snippet.helper_path
both = pytest.mark.parametrize("make", DOORS)


@both
@pytest.mark.parametrize("mount", ["", "/shop", "/ü"])
def test_the_current_helper_may_be_kept_for_good(make: MakeRequest, mount: str) -> None:
    found = answer(make(HELPER, mount=mount), SETUP)
    assert isinstance(found, Answer)
    assert (found.status, found.body) == (200, SETUP.snippet.helper)
    assert dict(found.headers) == {
        "Content-Type": "text/javascript; charset=utf-8",
        "Content-Length": str(len(SETUP.snippet.helper)),
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }


@both
def test_a_page_from_before_a_deployment_gets_todays_helper_unkept(make: MakeRequest) -> None:
    found = answer(make("/_tiktok/helper-0123456789abcdef.js"), SETUP)
    assert isinstance(found, Answer)
    assert found.body == SETUP.snippet.helper
    assert dict(found.headers)["Cache-Control"] == "no-cache"


@both
@pytest.mark.parametrize("mount", ["", "/shop"])
def test_file_for_restored_pages_is_served_beside_the_helper(make: MakeRequest, mount: str) -> None:
    path = HELPER.replace("helper-", "restored-")
    found, old = answer(make(path, mount=mount), SETUP), answer(make("/_tiktok/restored-0123.js"), SETUP)
    assert isinstance(found, Answer)
    assert isinstance(old, Answer)
    assert found.body == old.body == SETUP.snippet.files["restored"]
    assert b"immutable" in dict(found.headers)["Cache-Control"].encode()
    assert dict(old.headers)["Cache-Control"] == "no-cache"


@both
@pytest.mark.parametrize(
    "name", ["restored.js", "restored-", "restored-1.css", "bridge-1.js", "-1.js", "restored-1.js/x"]
)
def test_other_names_below_the_endpoint_are_the_apps(make: MakeRequest, name: str) -> None:
    assert answer(make(f"/_tiktok/{name}"), SETUP) is None


@both
def test_a_head_request_gets_the_same_head(make: MakeRequest) -> None:
    got, head = answer(make(HELPER), SETUP), answer(make(HELPER, method="HEAD"), SETUP)
    assert isinstance(got, Answer)
    assert isinstance(head, Answer)
    assert (head.headers, head.body) == (got.headers, b"")


@both
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/", "GET"),
        ("/_tiktok", "GET"),
        ("/_tiktok/", "GET"),
        ("/_tiktok/other.js", "GET"),
        ("/_tiktok/helper-x.css", "GET"),
        ("/shop" + HELPER, "GET"),
        ("/page?next=" + HELPER, "GET"),
        (HELPER, "POST"),
        (HELPER, "OPTIONS"),
        ("/_tiktok/collect/", "POST"),
        ("/_tiktok/collected", "POST"),
    ],
)
def test_every_other_request_is_the_apps(make: MakeRequest, path: str, method: str) -> None:
    assert answer(make(path, method=method), SETUP) is None


@both
def test_another_prefix_is_another_path(make: MakeRequest) -> None:
    runtime = runtime_of(endpoint="/assets/t/")
    assert re.fullmatch(r"/assets/t/helper-[0-9a-f]{16}\.js", runtime.snippet.helper_path)
    assert answer(make(runtime.snippet.helper_path), runtime) is not None
    assert answer(make(HELPER), runtime) is None


@both
@pytest.mark.parametrize("options", [{"enabled": False}, {"pixel_id": "", "access_token": ""}])
def test_switched_off_we_answer_nothing(make: MakeRequest, options: dict[str, Any]) -> None:
    assert answer(make(HELPER), runtime_of(**options)) is None


@both
@pytest.mark.parametrize("mount", ["", "/shop", "/ü"])
def test_a_report_is_answered_once_its_body_is_read(make: MakeRequest, mount: str) -> None:
    report = make("/_tiktok/collect", {"sec-fetch-site": "same-origin"}, method="POST", mount=mount)
    assert answer(report, SETUP) == Wanted(16_384, report)


@both
def test_what_is_no_report_is_refused_without_its_body(make: MakeRequest) -> None:
    got = answer(make("/_tiktok/collect"), SETUP)
    assert isinstance(got, Answer)
    assert (got.status, dict(got.headers)["Allow"]) == (405, "POST")
    other = answer(make("/_tiktok/collect", {"sec-fetch-site": "cross-site"}, method="POST"), SETUP)
    assert isinstance(other, Answer)
    assert other.status_line == "403 Forbidden"
