"""Two processes of one shop behind one name: what one hands to the browser the other understands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, command_of
from tests.browser.visitor import Visitor
from tests.customer import CUSTOMER

pytestmark = pytest.mark.browser

Pair = tuple[Server, Server]
Form = dict[str, str | float | bool]
FORM: Form = {**{name: value.strip() for name, value in CUSTOMER.items()}, "country": "DE"}


@pytest.fixture(params=["one outbox", "an outbox each"])
def pair(request: pytest.FixtureRequest, start: Callable[..., Server], tmp_path: Path) -> Pair:
    """Two processes with one token, one table of orders, and one outbox or two."""
    shared, orders = tmp_path / "outbox.sqlite3", tmp_path / "orders.sqlite3"
    outbox = shared if request.param == "one outbox" else None
    pixel = "CTWOPROCESSES0000001" if outbox else "CTWOPROCESSES0000002"
    first, second = (
        start("twin", lambda port: command_of("starlette", port), outbox=outbox, orders=orders, pixel=pixel)
        for _ in range(2)
    )
    return first, second


def _post(visitor: Visitor, path: str, form: Form) -> str:
    """The address that a form's answer leads to; its cookies are the browser's, and cookies know no ports."""
    answer = visitor.context.request.post(
        visitor.shop.url + path, form=form, max_redirects=0, headers={"Accept": "text/html"}
    )
    assert answer.status == 303
    return answer.headers["location"]


def test_an_event_crosses_from_one_process_to_the_other(pair: Pair, visit: MakeVisitor) -> None:
    first, second = pair
    visitor = visit(first)
    visitor.open("/products/morning-mug?ttclid=E.C.P.test-click")
    visitor.add_to_cart()
    bank = _post(visitor, "/checkout", FORM)
    carried = visitor.carried()
    assert carried["expires"] > 0
    assert (carried["sameSite"], carried["path"]) == ("Lax", "/")

    visitor.shop = second
    visitor.open(bank)
    info = visitor.sandbox.the("AddPaymentInfo")
    assert info["browser"]["page"]["url"] == second.url + bank, "the other process handed it out"
    assert not any(name.startswith("_tt_carry") for name in visitor.cookie_names), "cleared once it has fired"

    visitor.shop = first
    thanks = _post(visitor, bank, {})
    visitor.shop = second
    visitor.open(thanks)
    visitor.page.reload()
    visitor.settle()
    visitor.shop = first
    visitor.open(thanks)
    purchase = visitor.sandbox.the("Purchase")
    assert (purchase["browser_copies"], purchase["counted"]) == (1, 1)
    assert purchase["browser"]["page"]["url"] == second.url + thanks
    if pair[0].outbox_files:
        assert purchase["server_copies"] <= 2, "two outboxes know nothing of each other; TikTok merges by id"
    else:
        assert purchase["server_copies"] == 1


def test_an_altered_cookie_is_ignored(pair: Pair, visit: MakeVisitor) -> None:
    """The page works, nothing is fired from it, and later events still match."""
    visitor = visit(pair[0])
    visitor.open("/products/morning-mug")
    visitor.add_to_cart()
    _post(visitor, "/checkout", FORM)
    carried = visitor.carried()
    visitor.context.clear_cookies(name=carried["name"])
    visitor.context.add_cookies([{"name": carried["name"], "value": _forged(carried["value"]), "url": pair[0].url}])
    visitor.open("/")
    visitor.page.evaluate("fetch('/cart', {method: 'POST', headers: {Accept: 'application/json'},"
                          " body: new URLSearchParams({product: 'breakfast-bowl'})})")  # fmt: skip
    visitor.sandbox.await_events("AddToCart", 2, "matched")
    (info,) = visitor.sandbox.await_events("AddPaymentInfo")
    assert info["state"] == "server_only"
    assert pair[0].log.count(b"Traceback") == 0


def _forged(token: str) -> str:
    first = "A" if token[0] != "A" else "B"
    return first + token[1:]
