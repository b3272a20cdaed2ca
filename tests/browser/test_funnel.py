"""From the advertisement to the thank-you page, in every framework: each event is one pair."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

EMAIL = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
PHONE = "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
FUNNEL = ("ViewContent", "AddToCart", "InitiateCheckout", "AddPaymentInfo", "Purchase")
MUGS = [{"content_id": "TW-101", "content_name": "Morning mug", "price": 24, "quantity": 2}]
MUG = [{**MUGS[0], "quantity": 1}]


def test_every_event_of_a_purchase_is_one_matched_pair(shop: Server, visit: MakeVisitor) -> None:
    visitor = visit(shop)
    visitor.buy()
    sandbox = visitor.sandbox
    pairs = {name: sandbox.the(name) for name in FUNNEL}
    for name, pair in pairs.items():
        _assert_equal(pair)
        _assert_recognised(pair["server"]["user"], visitor)
        assert pair["server"]["properties"]["contents"] == (MUG if name == "ViewContent" else MUGS)
        assert pair["server"]["properties"]["currency"] == "EUR"
    values = {name: pair["server"]["properties"]["value"] for name, pair in pairs.items()}
    assert values == {
        "ViewContent": 24,
        "AddToCart": 48,
        "InitiateCheckout": 52.9,
        "AddPaymentInfo": 52.9,
        "Purchase": 52.9,
    }
    for name in ("AddPaymentInfo", "Purchase"):
        assert pairs[name]["server"]["user"]["email"] == EMAIL
        assert pairs[name]["server"]["user"]["phone"] == PHONE
    for channel in ("browser", "server"):
        assert pairs["Purchase"][channel]["user"]["email"] == EMAIL
        assert pairs["Purchase"][channel]["user"]["phone"] == PHONE
    assert len({pair["event_id"] for pair in pairs.values()}) == len(FUNNEL)

    _come_back(visitor, orders_page=visitor.page.url)
    assert sorted(one["event"] for one in sandbox.events()) == sorted([*FUNNEL, *["Pageview"] * visitor.loads])
    purchase = sandbox.the("Purchase")
    assert (purchase["counted"], purchase["browser_copies"], purchase["server_copies"]) == (1, 1, 1)
    assert purchase == pairs["Purchase"], "nothing came after the first time"
    assert b"Traceback" not in shop.log, shop.log.decode()[-3000:]
    assert b"failed, the response passes untouched" not in shop.log


def _assert_equal(pair: dict[str, Any]) -> None:
    browser, server = pair["browser"], pair["server"]
    assert pair["matched"], pair["differences"]
    for key in ("event", "event_id", "pixel", "properties"):
        assert browser[key] == server[key]
    assert browser["event_id"]
    assert (pair["browser_copies"], pair["server_copies"]) == (1, 1)
    assert pair["notes"] == [], pair["event"]


def _assert_recognised(user: dict[str, Any], visitor: Visitor) -> None:
    """The server copy says who it was, in every way that TikTok recommends and this visitor allows."""
    assert user["ttclid"] == "E.C.P.test-click"
    assert user["ttp"] == visitor.cookie("_ttp")["value"]
    assert user["ip"] == "127.0.0.1"
    assert user["user_agent"] == visitor.page.evaluate("navigator.userAgent")


def _come_back(visitor: Visitor, orders_page: str) -> None:
    """Reload, visit again, in this tab and in another one, go back and forward."""
    visitor.page.reload()
    visitor.settle()
    visitor.page.goto(orders_page)
    visitor.settle()
    visitor.page.go_back()
    visitor.settle()
    visitor.page.go_forward()
    visitor.settle()
    assert visitor.page.url == orders_page
    other = visitor.tab()
    other.goto(orders_page)
    visitor.settle()


def test_the_server_keeps_the_visitor_in_first_party_cookies(shop: Server, visit: MakeVisitor) -> None:
    visitor = visit(shop)
    visitor.open("/?ttclid=E.C.P.test-click")
    visitor.open("/products/morning-mug")
    landing, product = (answer for answer in visitor.answers if answer.kind == "document")
    set_by_landing = {line.partition("=")[0]: line for line in landing.all("set-cookie")}
    assert set_by_landing["ttclid"] == "ttclid=E.C.P.test-click; Max-Age=2592000; Path=/; SameSite=Lax"
    assert "_ttp" not in set_by_landing, "only the pixel makes one"
    set_by_product = {line.partition("=")[0]: line for line in product.all("set-cookie")}
    ttp = visitor.cookie("_ttp")
    assert set_by_product["_ttp"] == f"_ttp={ttp['value']}; Max-Age=34190000; Path=/; SameSite=Lax"
    assert "ttclid" not in set_by_product, "the click id was set a moment ago"
    now = time.time()
    for cookie, seconds in ((visitor.cookie("ttclid"), 2_592_000), (ttp, 34_190_000)):
        assert cookie["expires"] - now == pytest.approx(seconds, abs=60)
        assert (cookie["sameSite"], cookie["httpOnly"], cookie["path"]) == ("Lax", False, "/")
    visitor.open("/?ttclid=E.C.P.newer")
    assert visitor.cookie("ttclid")["value"] == "E.C.P.newer", "the newest click wins"


def test_a_domain_has_one_cookie_of_each_name_for_server_and_pixel(shop: Server, visit: MakeVisitor) -> None:
    """Two `_ttp` cookies, one host-only and one of the domain, would be two visitors."""
    visitor = visit(Server(shop.name, shop.port, shop.folder, shop.process, shop.pixel, "www.tidewheel.example"))
    visitor.open("/?ttclid=E.C.P.test-click")
    visitor.open("/products/morning-mug")
    for name in ("ttclid", "_ttp"):
        assert visitor.cookie(name)["domain"] == ".tidewheel.example"
    view = visitor.sandbox.the("ViewContent")
    assert view["server"]["user"]["ttp"] == view["browser"]["user"]["ttp"] == visitor.cookie("_ttp")["value"]
    assert view["server"]["page"]["url"] == visitor.page.url
