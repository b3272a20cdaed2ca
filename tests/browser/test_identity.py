"""No address with identity reaches TikTok: not the page's, not its referrer's, not a later one; honest pages keep their pixel."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.browser.test_leave import requests_to_tiktok
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

NEEDLES = ("bob.secret", "Ym9iLnNlY3JldE", "15123456789")
PERSONAL = [
    "/reset?email=bob.secret@example.com",
    "/reset?e=Ym9iLnNlY3JldEBleGFtcGxlLmNvbQ%3D%3D",
    "/u/%2B49%2015123456789",
    "/welcome#/confirm?email=bob.secret%40example.com",
]
HONEST = [
    "/?utm_source=tiktok&utm_campaign=TK+-+2026-11-30&ttclid=E.C.P.abcdefghijklmnopqrst",
    "/stats?daterange=2024-01-01+-+2025-03-30",
    "/?utm_content=Spark+@jane.doe+v1&product_name=Mug",
]


@pytest.fixture(scope="package")
def site(start: Callable[..., Server]) -> Server:
    """The application of `identity_app`."""
    return start("identity", lambda port: uvicorn_command("tests.browser.identity_app:app", port))


def ready(visitor: Visitor) -> None:
    """Wait until the page has done all that it does by itself."""
    visitor.page.wait_for_function("window.tiktok && tiktok.listens || !window.tiktok")
    visitor.page.wait_for_load_state("networkidle")


def addresses(visitor: Visitor) -> list[str]:
    """Addresses and referrers that the pixel has reported."""
    found = [one.get("browser") or {} for one in visitor.sandbox.events()]
    return [unquote(str(one)) for one in found]


def assert_nothing_told(visitor: Visitor) -> None:
    told = " ".join(addresses(visitor))
    assert [needle for needle in NEEDLES if needle in told] == []


@pytest.mark.parametrize("path", PERSONAL)
def test_page_after_an_address_with_identity_does_not_report_it(site: Server, visit: MakeVisitor, path: str) -> None:
    visitor = visit(site)
    seen = requests_to_tiktok(visitor)
    visitor.open(path, patient=False)
    ready(visitor)
    visitor.page.click("#next")
    visitor.page.wait_for_url("**/b")
    ready(visitor)
    if "#" not in path:  # a fragment is no part of a referrer
        assert seen == []
    visitor.page.click("#next")
    visitor.page.wait_for_url("**/b")
    ready(visitor)
    visitor.sandbox.await_events("Pageview", 1)
    assert_nothing_told(visitor)


@pytest.mark.parametrize("path", HONEST)
def test_honest_address_keeps_its_pixel_and_so_does_the_next_page(site: Server, visit: MakeVisitor, path: str) -> None:
    visitor = visit(site)
    visitor.open(path)
    visitor.page.click("#next")
    visitor.page.wait_for_url("**/b")
    visitor.settle()
    visitor.sandbox.await_events("ViewContent", 2, state="matched")


@pytest.mark.parametrize("path", PERSONAL)
def test_later_address_with_identity_is_not_reported(site: Server, visit: MakeVisitor, path: str) -> None:
    visitor = visit(site)
    visitor.open("/")
    ready(visitor)
    visitor.page.evaluate(f"history.pushState(null, '', {path!r})")
    visitor.page.evaluate("tiktok.track('Search', {query: 'mug'})")
    visitor.page.wait_for_timeout(300)
    assert len(visitor.sandbox.events()) == 2, visitor.sandbox.summary()
    visitor.page.evaluate("history.pushState(null, '', '/products/2')")
    visitor.sandbox.await_events("Pageview", 2)
    visitor.page.evaluate("history.replaceState(null, '', '/products/3')")
    visitor.sandbox.await_events("Pageview", 3)
    visitor.page.evaluate("history.go(-2)")
    visitor.sandbox.await_events("Pageview", 4)
    assert_nothing_told(visitor)
