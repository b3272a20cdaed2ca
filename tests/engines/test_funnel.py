"""From the advertisement to the thank-you page in Firefox and WebKit: each event is one matched pair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from tests.browser.visitor import Sandbox
from tests.customer import CUSTOMER
from tests.engines.engines import engine
from tests.engines.front import front
from tests.engines.lab import PIXEL, TIKTOK, sandbox_process, site_process
from tests.engines.webdriver import Browser

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("engines")]

SHOP = "https://www.tidewheel.example"
FUNNEL = ["AddPaymentInfo", "AddToCart", "InitiateCheckout", "Purchase", "ViewContent"]
_SCOPE: Literal["module"] = "module"
_FILL = "for (const id in arguments[0]) document.getElementById(id).value = arguments[0][id]; return 1"
_AT = "return document.readyState === 'complete' && location.pathname.startsWith(arguments[0])"
_WAIT_S = 60.0


@pytest.fixture(scope=_SCOPE)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Sandbox]]:
    """The proxy before shop and sandbox, and the sandbox."""
    folder = tmp_path_factory.mktemp("engines")
    with ExitStack() as stack:
        sandbox = stack.enter_context(sandbox_process(folder))
        shop = stack.enter_context(site_process("tests.engines.shop:app", folder / "shop", sandbox, {}))
        ports = {"tidewheel.example": shop.port, TIKTOK.partition(".")[2]: sandbox.port}
        proxy = stack.enter_context(front(folder, ports))
        watching = Sandbox(sandbox.url, PIXEL)
        stack.callback(watching.close)
        yield proxy, watching


@pytest.mark.parametrize("name", ["firefox", "webkit"])
def test_each_event_of_a_purchase_is_one_matched_pair(name: str, world: tuple[str, Sandbox], tmp_path: Path) -> None:
    proxy, sandbox = world
    sandbox.reset()
    with engine(name, tmp_path) as start:
        browser = start(proxy, "usual")
        print(browser.version)
        buy(browser, sandbox)
        browser.reload()
        sandbox.await_events("Pageview", 6, timeout_s=_WAIT_S)
        events = [one for one in sandbox.events() if one["event"] != "Pageview"]
    assert sorted(one["event"] for one in events) == FUNNEL
    for one in events:
        assert (one["matched"], one["differences"], one["browser_copies"], one["server_copies"]) == (True, [], 1, 1)
        assert one["server"]["user"]["ttclid"] == "E.C.P.test-click"
        assert one["server"]["user"]["ttp"] == one["browser"]["user"]["ttp"]


def buy(browser: Browser, sandbox: Sandbox) -> None:
    """Buy a mug, and wait on each page until its event is matched."""

    def matched(name: str) -> None:
        sandbox.await_events(name, state="matched", timeout_s=_WAIT_S)

    browser.open(f"{SHOP}/?ttclid=E.C.P.test-click")
    sandbox.await_events("Pageview", timeout_s=_WAIT_S)
    browser.click("a[href='/products/morning-mug']")
    browser.wait_for(_AT, "/products/")
    matched("ViewContent")
    browser.click("form.buy button")
    matched("AddToCart")
    browser.open(f"{SHOP}/checkout")
    matched("InitiateCheckout")
    browser.run(_FILL, CUSTOMER)
    browser.click("form[data-form] button")
    browser.wait_for(_AT, "/pay/")
    matched("AddPaymentInfo")
    browser.click("form[data-form] button")
    browser.wait_for(_AT, "/thank-you/")
    matched("Purchase")
