"""Pages that Python does not serve include ``pixel.js``; events of the API reach them."""

from __future__ import annotations

import time

import pytest

from tiktok_middleware.testing import Live

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("consent", ["implied", "required"])
def test_static_page_has_the_pixel_and_its_apis_events_match(tiktok_live: Live, consent: str) -> None:
    site = tiktok_live.serve(
        "tests.browser.static_app:app", TIKTOK_BROWSER_EVENTS="Search", TIKTOK_CONSENT=consent
    )  # fmt: skip
    page = tiktok_live.page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{site}/?ttclid=E.C.P.1")
    page.wait_for_function("window.tiktok && tiktok.listens")
    if consent == "required":
        tiktok_live.assert_nothing("Pageview")
        page.evaluate("tiktok.grantConsent()")
    deadline = time.monotonic() + 15
    while not tiktok_live.events("Pageview") and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    page.click("button")
    tiktok_live.assert_matched("AddToCart", value=24, currency="EUR")
    page.click("a")
    search = tiktok_live.assert_matched("Search", search_string="mug")
    assert search["server"]["user"]["ttclid"] == "E.C.P.1"
    assert len(tiktok_live.events("Pageview")) == 1
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    assert cookies["ttclid"] == "E.C.P.1"
    assert [text for text in problems if "favicon" not in text and "404" not in text] == []
