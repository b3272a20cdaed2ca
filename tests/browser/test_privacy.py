"""E-mail, phone and names stay with the shop: searched byte by byte in all that leaves it and all that we write."""

from __future__ import annotations

import base64
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import SHOPS, Server, command_of, free_port, running, shop_environment
from tests.browser.test_funnel import EMAIL, PHONE
from tests.browser.visitor import Answer
from tests.needles import found_in, typed

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("value", typed())
@pytest.mark.parametrize(
    "spell",
    [
        lambda value: f"<p>{value}</p>".encode(),
        lambda value: value.upper().encode(),
        lambda value: quote(quote(value, safe=""), safe="").encode(),
        lambda value: base64.b64encode(f'x{{"a":"{value}"}}'.encode()),
        lambda value: base64.urlsafe_b64encode(f'xy{{"a":"{value.lower()}"}}'.encode()).rstrip(b"="),
        lambda value: base64.urlsafe_b64encode(zlib.compress(f'"{value}"'.encode())).rstrip(b"=") + b".sig",
    ],
    ids=["raw", "upper", "percent", "base64", "urlsafe", "compressed"],
)
def test_the_search_finds(value: str, spell: object) -> None:
    assert callable(spell)
    assert value in found_in(b"before " + spell(value) + b" after")


@pytest.mark.parametrize("name", list(SHOPS))
def test_what_a_customer_types_stays_with_the_shop(
    name: str, tmp_path: Path, sandbox_server: Server, visit: MakeVisitor
) -> None:
    """TikTok's API is down meanwhile, so that the outbox keeps all that it would have sent."""
    port, pixel = free_port(), "CPRIVACY000000000000"
    environment = shop_environment(tmp_path, sandbox_server.url, pixel)
    with running(name, command_of(name, port), port, tmp_path, environment, pixel=pixel) as shop:
        visitor = visit(shop)
        visitor.forgiven = (f"{shop.url}/checkout",)
        visitor.sandbox.switch(api_mode="503")
        visitor.open("/products/morning-mug?ttclid=E.C.P.test-click")
        visitor.add_to_cart()
        visitor.open("/checkout")
        visitor.fill_checkout(phone="(+1)2133734253 x")
        visitor.submit()
        refusal = visitor.answers.pop()
        assert refusal.status == 422
        assert refusal.body is not None
        assert set(found_in(refusal.body)) >= {"ALICE_abc@gmail.com", "Zaphodia"}, "the shop shows what was typed"
        visitor.fill_checkout(email="alice_abc@fail.example")
        visitor.submit(patient=False)
        visitor.settle_error()
        visitor.open("/checkout")
        visitor.fill_checkout()
        visitor.submit()
        visitor.submit()
        visitor.page.reload()
        visitor.settle()
        cookies = repr(visitor.context.cookies()).encode()
        files = {path.name: path.read_bytes() for path in shop.outbox_files}
    _search(visitor.answers, cookies, files, shop, refusal.headers)
    with closing(sqlite3.connect(tmp_path / "orders.sqlite3")) as orders, orders:
        assert "Zaphodia" in repr(orders.execute("select customer from orders").fetchall())
    orders.close()


def _search(answers: list[Answer], cookies: bytes, files: dict[str, bytes], shop: Server, refused: object) -> None:
    documents = [answer for answer in answers if answer.status == 200]
    assert len(documents) >= 6, "product, cart's answer, checkout twice, bank, thank-you twice"
    for answer in answers:
        assert answer.body is not None, answer.url
        assert found_in(answer.body) == [], answer.url
        assert found_in(repr(answer.headers).encode()) == [], answer.url
    assert found_in(repr(refused).encode()) == []
    assert found_in(cookies) == []
    assert any(EMAIL.encode() in data and PHONE.encode() in data for data in files.values()), "what is sent was kept"
    for name, data in {**files, "log": shop.log}.items():
        assert found_in(data) == [], name
    assert b"POST /checkout" in shop.log
