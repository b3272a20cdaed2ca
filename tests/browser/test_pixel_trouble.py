"""TikTok's script late, failing, blocked or without its surroundings: the shop sells, and the server copies arrive."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server
from tests.browser.visitor import Visitor
from tests.customer import CUSTOMER

pytestmark = pytest.mark.browser

FUNNEL = ("ViewContent", "AddToCart", "InitiateCheckout", "AddPaymentInfo", "Purchase")


def assert_every_server_copy_came(visitor: Visitor) -> None:
    for name in FUNNEL:
        (event,) = visitor.sandbox.await_events(name)
        assert event["server_copies"] == 1
        assert event["server"]["user"]["ttclid"] == "E.C.P.test-click"


@pytest.mark.parametrize(
    ("name", "switches", "late_s"),
    [
        ("flask", {"pixel_delay_ms": 1200}, 1.2),
        ("starlette", {"pixel_mode": "slow"}, 3.0),
    ],
)
def test_a_late_script_holds_nothing_up_and_gets_what_waited(
    shops: Callable[[str], Server], visit: MakeVisitor, name: str, switches: dict[str, object], late_s: float
) -> None:
    """The visitor does not wait for it anywhere but at the end."""
    visitor = visit(shops(name))
    visitor.sandbox.switch(**switches)
    visitor.buy(patient=False)
    ready_ms = visitor.page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert 0 < ready_ms < late_s * 1000, "the page is ready before the script has come"
    assert visitor.page.evaluate("Array.isArray(ttq)"), "the stub holds the place"
    purchase = visitor.sandbox.the("Purchase")
    assert purchase["browser"]["at"] - purchase["server"]["at"] > late_s / 2
    assert_every_server_copy_came(visitor)


@pytest.mark.parametrize("name", ["starlette", "flask"])
@pytest.mark.parametrize("mode", ["failing", "blocked"])
def test_a_script_that_does_not_come_costs_only_the_browser_copies(
    shops: Callable[[str], Server], visit: MakeVisitor, name: str, mode: str
) -> None:
    visitor = visit(shops(name))
    visitor.forgiven = (visitor.sandbox.url,)
    visitor.sandbox.switch(pixel_mode=mode)
    visitor.buy(patient=False)
    visitor.page.wait_for_load_state("load")
    assert visitor.page.evaluate("ttq.track('Contact') === undefined && ttq.length > 0"), "the stub still takes calls"
    assert_every_server_copy_came(visitor)
    assert {one["state"] for one in visitor.sandbox.events()} == {"server_only"}


def test_a_blocker_that_also_takes_our_helper_breaks_nothing(
    shops: Callable[[str], Server], visit: MakeVisitor
) -> None:
    shop = shops("starlette")
    visitor = visit(shop)
    visitor.forgiven = (visitor.sandbox.url, f"{shop.url}/_tiktok/")
    visitor.context.route("**/events.js*", lambda route: route.abort("blockedbyclient"))
    visitor.context.route("**/_tiktok/**", lambda route: route.abort("blockedbyclient"))
    visitor.buy(patient=False)
    assert visitor.page.evaluate("typeof tiktok.emit") == "function"
    assert_every_server_copy_came(visitor)


def test_a_browser_without_scripts_buys_by_plain_forms(shops: Callable[[str], Server], visit: MakeVisitor) -> None:
    visitor = visit(shops("starlette"), java_script_enabled=False)
    visitor.open("/?ttclid=E.C.P.test-click", patient=False)
    visitor.open("/products/morning-mug", patient=False)
    visitor.page.click("form.buy button")
    visitor.page.wait_for_url("**/cart")
    visitor.open("/checkout", patient=False)
    visitor.fill_checkout()
    visitor.submit(patient=False)
    visitor.submit(patient=False)
    assert "Thank you" in visitor.page.inner_text("h1")
    assert_every_server_copy_came(visitor)


@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException('no', 'SecurityError'); }})",
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }",
        "delete window.PerformanceObserver",
    ],
    ids=["no storage", "full storage", "no observer"],
)
def test_a_browser_that_lacks_something_still_reports_what_pages_bring(
    shops: Callable[[str], Server], visit: MakeVisitor, script: str
) -> None:
    visitor = visit(shops("starlette"))
    visitor.context.add_init_script(script)
    visitor.buy()
    assert visitor.sandbox.the("ViewContent")["browser_copies"] == 1
    assert visitor.sandbox.the("Purchase")["browser_copies"] == 1
    assert_every_server_copy_came(visitor)


def test_a_failing_checkout_is_no_event_anywhere(shop: Server, visit: MakeVisitor) -> None:
    """A view that fails tells no lies; what went before stands, and the next try counts."""
    visitor = visit(shop)
    visitor.forgiven = (f"{shop.url}/checkout",)
    visitor.open("/products/morning-mug?ttclid=E.C.P.test-click")
    visitor.add_to_cart()
    visitor.open("/checkout")
    before = {name: visitor.sandbox.the(name) for name in FUNNEL[:3]}
    visitor.fill_checkout(email="zaphodia@fail.example")
    visitor.submit(patient=False)
    visitor.settle_error()
    assert "slipped out of our hands" in visitor.page.inner_text("h1")
    answer = visitor.answers[-1]
    assert (answer.status, answer.kind) == (500, "document")
    assert answer.body is not None
    assert b"AddPaymentInfo" not in answer.body
    assert not answer.all("tiktok-events")
    assert not [line for line in answer.all("set-cookie") if line.startswith("_tt_carry")]

    visitor.open("/cart")
    assert "AddPaymentInfo" not in {one["event"] for one in visitor.sandbox.events()}
    assert {name: visitor.sandbox.the(name) for name in before} == before

    visitor.open("/checkout")
    visitor.fill_checkout(**CUSTOMER)
    visitor.submit()
    second_try = visitor.sandbox.the("AddPaymentInfo")
    assert (second_try["browser_copies"], second_try["server_copies"]) == (1, 1)
