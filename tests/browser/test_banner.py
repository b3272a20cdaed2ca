"""The banner of the demo shop: nothing before the choice, both channels after a yes, none after a no."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, command_of

pytestmark = pytest.mark.browser

LANDING = "/products/morning-mug?ttclid=E.C.P.test-click"


@pytest.fixture(scope="module")
def asking_shop(start: Callable[..., Server]) -> Server:
    """The shop that asks each visitor, with a link to an inspector."""
    return start(
        "asking",
        lambda port: command_of("starlette", port),
        TIKTOK_CONSENT="required",
        SHOP_INSPECTOR_URL="http://127.0.0.1:9/",
    )


def test_events_wait_for_a_yes_and_end_with_a_no(asking_shop: Server, visit: MakeVisitor) -> None:
    visitor = visit(asking_shop)
    page = visitor.page
    visitor.open(LANDING, patient=False)
    banner = page.get_by_role("region", name="May we measure this visit?")
    expect(banner).to_contain_text("is shared with TikTok to measure")
    assert visitor.sandbox.events() == []

    banner.get_by_role("button", name="Agree").click()
    expect(banner).to_be_hidden()
    assert visitor.sandbox.the("ViewContent")["server"]["user"]["ttclid"] == "E.C.P.test-click"
    visitor.add_to_cart()
    visitor.sandbox.the("AddToCart")

    visitor.open("/cart")
    expect(banner).to_be_hidden()
    page.get_by_role("button", name="Privacy choices").click()
    banner.get_by_role("button", name="Refuse").click()
    visitor.settle()
    before = visitor.sandbox.summary()
    visitor.open("/products/harbour-teapot", patient=False)
    visitor.add_to_cart()
    expect(banner).to_be_hidden()
    assert visitor.sandbox.summary() == before


def test_the_shop_links_to_its_inspector(asking_shop: Server, plain_shop: Server, visit: MakeVisitor) -> None:
    visitor = visit(asking_shop)
    visitor.open("/", patient=False)
    link = visitor.page.get_by_role("link", name="Inspector: the events of this shop")
    expect(link).to_have_attribute("href", "http://127.0.0.1:9/")
    visitor.page.goto(plain_shop.url)
    expect(link).to_have_count(0)
