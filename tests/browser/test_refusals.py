"""After a refusal no request reaches TikTok, whatever fails beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Error

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.browser.test_leave import requests_to_tiktok
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


@pytest.fixture(scope="package")
def implied(start: Callable[..., Server]) -> Server:
    """The application of `leave_app`, where a visitor who says nothing has agreed."""
    return start(
        "implied",
        lambda port: uvicorn_command("tests.browser.leave_app:app", port),
        TIKTOK_CONSENT="implied",
        TIKTOK_BROWSER_EVENTS="Search",
    )


def settled(visitor: Visitor) -> None:
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.wait_for_timeout(100)


def assert_next_pages_are_silent(visitor: Visitor) -> None:
    before = len(visitor.sandbox.events())
    seen = requests_to_tiktok(visitor)
    for path in ("/", "/?ttclid=E.C.P.later"):
        visitor.open(path, patient=False)
        visitor.page.evaluate("window.tiktok && tiktok.track('Search')")
        visitor.page.evaluate("fetch('/add', {method: 'POST'})")
        settled(visitor)
    assert seen == []
    assert len(visitor.sandbox.events()) == before
    assert not {"_ttp", "ttclid"} & visitor.cookie_names


@pytest.mark.parametrize("blocked", ["**/_tiktok/**", "**/_tiktok/helper-*", "**/_tiktok/collect"])
def test_refusal_is_stored_where_our_path_is_not_forwarded(implied: Server, visit: MakeVisitor, blocked: str) -> None:
    visitor = visit(implied)
    visitor.forgiven = (implied.url + "/_tiktok",)
    visitor.context.route(blocked, lambda route: route.abort())
    visitor.open("/")
    visitor.page.evaluate("tiktok.revokeConsent()")
    assert_next_pages_are_silent(visitor)
    assert visitor.cookie("_tt_consent")["value"] == "d"


def test_refusal_counts_beside_cookies_with_odd_names(implied: Server, visit: MakeVisitor) -> None:
    visitor = visit(implied)
    visitor.open("/")
    visitor.page.evaluate("document.cookie = '_tt_carry@x=1; path=/'; document.cookie = '_tt_carry[1]=a b; path=/'")
    visitor.page.evaluate("tiktok.revokeConsent()")
    settled(visitor)
    assert_next_pages_are_silent(visitor)


def test_conflicting_copies_of_our_cookie_are_a_refusal(implied: Server, visit: MakeVisitor) -> None:
    visitor = visit(implied)
    copies: list[Any] = [
        {"name": "_tt_consent", "value": "g", "domain": "127.0.0.1", "path": "/"},
        {"name": "_tt_consent", "value": "d", "domain": "127.0.0.1", "path": "/products"},
    ]
    visitor.context.add_cookies(copies)
    seen = requests_to_tiktok(visitor)
    visitor.page.route("**/products/1", lambda route: route.continue_())
    visitor.page.goto(implied.url + "/products/1", wait_until="domcontentloaded")
    settled(visitor)
    assert seen == []
    visitor.errors.clear()  # the app has no such page


def test_refusal_in_another_tab_stops_an_open_page(implied: Server, visit: MakeVisitor) -> None:
    visitor = visit(implied)
    visitor.open("/")
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    other = visitor.tab()
    other.goto(implied.url + "/")
    visitor.sandbox.await_events("Pageview", 2)
    settled(visitor)
    before = len(visitor.sandbox.events())
    other.evaluate("tiktok.revokeConsent()")
    seen = requests_to_tiktok(visitor)
    visitor.page.evaluate("tiktok.track('Search')")
    visitor.page.evaluate("history.pushState(null, '', '/other')")
    visitor.page.evaluate("fetch('/add', {method: 'POST'})")
    settled(visitor)
    assert seen == []
    assert len(visitor.sandbox.events()) == before


#: Waits until the helper has come, and returns what the page can show.
STATUS = "() => window.tiktok && tiktok.privacyStatus && tiktok.privacyStatus()"


def status(visitor: Visitor, **expected: Any) -> None:
    """Wait until the page shows exactly this."""
    script = f"wanted => {{ let shown = ({STATUS})(); return shown && Object.keys(shown).every(k => shown[k] === wanted[k]) }}"
    with contextlib.suppress(Error):  # the assertion shows what the page has instead
        visitor.page.wait_for_function(script, arg=expected, timeout=20_000)
    assert visitor.page.evaluate(STATUS) == expected


def test_page_shows_the_visitors_choice_and_where_it_comes_from(implied: Server, visit: MakeVisitor) -> None:
    visitor = visit(implied)
    visitor.open("/")
    signal = {"gpcSeen": False, "gpcHonoured": False}
    status(visitor, consent="granted", source="default", **signal)
    visitor.page.evaluate("tiktok.revokeConsent()")
    status(visitor, consent="denied", source="site", **signal)
    visitor.open("/", patient=False)
    status(visitor, consent="denied", source="site", **signal)
    visitor.page.evaluate("tiktok.grantConsent()")
    status(visitor, consent="granted", source="site", **signal)


def test_page_shows_that_global_privacy_control_is_honoured(implied: Server, visit: MakeVisitor) -> None:
    visitor = visit(implied, extra_http_headers={"Sec-GPC": "1"})
    visitor.context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    visitor.open("/", patient=False)
    status(visitor, consent="denied", source="gpc", gpcSeen=True, gpcHonoured=True)
