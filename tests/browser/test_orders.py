"""One order is one conversion: by way of a bank, of a webhook, over history, reloads and days, in several browsers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

HOST = "www.tidewheel.example"
CLICK = "E.C.P.test-click"


@pytest.fixture(scope="package")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the seconds by which the shop's clock is ahead."""
    return tmp_path_factory.mktemp("clock") / "ahead"


@pytest.fixture(scope="package")
def orders(start: Callable[..., Server], clock: Path) -> Server:
    """The application of `orders_app`, under a name that cookies can have a domain of."""
    server = start(
        "orders",
        lambda port: uvicorn_command("tests.browser.orders_app:app", port),
        SHOP_CLOCK=str(clock),
        TIKTOK_EXCLUDE="/bank",
    )
    return Server(server.name, server.port, server.folder, server.process, server.pixel, HOST)


def assert_one_conversion(visitor: Visitor) -> dict[str, Any]:
    purchase = visitor.sandbox.the("Purchase")
    assert (purchase["browser_copies"], purchase["server_copies"], purchase["counted"]) == (1, 1, 1)
    assert purchase["differences"] == []
    return purchase


@pytest.mark.parametrize("track_again", ["yes", "no"])
def test_a_bank_sends_the_browser_back_by_a_post_of_its_own_site(
    orders: Server, visit: MakeVisitor, track_again: str
) -> None:
    """No Lax cookie comes with it; the event is for the visitor who comes with the page that follows."""
    visitor = visit(orders)
    visitor.open(f"/?ttclid={CLICK}")
    visitor.open("/")
    back = f"{orders.url}/return/bank-{track_again}"
    visitor.page.goto(f"http://127.0.0.1:{orders.port}/bank?to={back}", wait_until="commit")
    visitor.page.wait_for_url("**/thank-you/**")
    visitor.settle()
    user = assert_one_conversion(visitor)["server"]["user"]
    assert user["ttclid"] == CLICK
    assert user["ttp"] == visitor.cookie("_ttp")["value"]
    (post,) = [answer for answer in visitor.answers if answer.status == 303]
    assert post.headers, "the browser came by the bank"


@pytest.mark.parametrize("first", ["webhook", "thank-you"])
def test_the_webhook_and_the_thank_you_page_are_one_conversion_whoever_comes_first(
    orders: Server, visit: MakeVisitor, first: str
) -> None:
    visitor = visit(orders)
    visitor.open(f"/?ttclid={CLICK}")
    order = f"hook-after-{first}"
    deeds: list[Callable[[], object]] = [
        lambda: httpx.post(f"http://127.0.0.1:{orders.port}/webhook/{order}", timeout=10).raise_for_status(),
        lambda: visitor.open(f"/thank-you/{order}"),
    ]
    for deed in deeds if first == "webhook" else reversed(deeds):
        deed()
        visitor.sandbox.await_events("Purchase")
    assert_one_conversion(visitor)
    visitor.open("/")
    assert_one_conversion(visitor)


def test_an_order_is_counted_once_over_history_reloads_browsers_and_days(
    orders: Server, visit: MakeVisitor, clock: Path
) -> None:
    visitor = visit(orders)
    visitor.open("/")
    visitor.open("/thank-you/old-1")
    first = assert_one_conversion(visitor)
    for move in (visitor.page.reload, visitor.page.go_back, visitor.page.go_forward):
        move()
        visitor.settle()
    other = visit(orders)
    other.loads = visitor.loads
    other.open("/thank-you/old-1")
    clock.write_text(str(49 * 3600))
    try:
        other.page.reload()
        other.settle()
        late = visit(orders)
        late.loads = other.loads
        late.open("/thank-you/old-1")
    finally:
        clock.unlink()
    assert visitor.sandbox.the("Purchase") == first
