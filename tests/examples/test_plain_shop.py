"""Without a pixel id each example is a plain shop: it sells, and nothing in it speaks of TikTok."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.servers import MORE_SHOPS, SHOPS, Server, command_of, free_port, plain_environment, running

pytestmark = pytest.mark.servers

FORM = {
    "email": "mira@example.com",
    "phone": "",
    "first_name": "Mira",
    "last_name": "Hansen",
    "street": "Quay 4",
    "zip_code": "10119",
    "city": "Berlin",
    "country": "DE",
}


@pytest.fixture(params=[*SHOPS, *MORE_SHOPS])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    port, state = free_port(), tmp_path / "state"
    environment = {**plain_environment(tmp_path), "XDG_STATE_HOME": str(state)}
    with running(request.param, command_of(request.param, port), port, tmp_path, environment) as server:
        yield server
    assert not state.exists(), "no outbox is made"


def _assert_plain(answer: httpx.Response) -> None:
    assert b"tiktok" not in answer.content.lower()
    assert b"ttq" not in answer.content
    assert answer.content.count(b"<script") == answer.content.count(b'<script src="/static/shop.js" defer></script>')
    cookies = {line.partition("=")[0] for line in answer.headers.get_list("set-cookie")}
    assert cookies <= {"tidewheel_cart"}
    assert not {"tiktok-events", "server-timing"} & set(answer.headers)


def test_a_shop_without_a_pixel_sells_and_says_nothing(shop: Server) -> None:
    with httpx.Client(base_url=shop.url, headers={"Accept": "text/html"}, timeout=10, verify=False) as visitor:
        _assert_plain(visitor.get("/", params={"ttclid": "E.C.P.test-click"}))
        _assert_plain(visitor.get("/products/morning-mug"))
        form = {"product": "morning-mug", "quantity": "2"}
        added = visitor.post("/cart", data=form, headers={"Accept": "application/json"})
        assert added.json()["count"] == 2
        _assert_plain(added)
        _assert_plain(visitor.get("/checkout"))
        ordered = visitor.post("/checkout", data=FORM)
        assert ordered.status_code == 303
        _assert_plain(ordered)
        paid = visitor.post(ordered.headers["location"])
        _assert_plain(paid)
        thanks = visitor.get(paid.headers["location"])
        assert "Thank you" in thanks.text
        _assert_plain(thanks)
        nothing = visitor.get("/_tiktok/helper-0000000000000000.js")
        assert nothing.status_code == 404
        _assert_plain(nothing)
        failed = visitor.post("/cart", data=form)
        assert failed.status_code == 303
        failing = visitor.post("/checkout", data={**FORM, "email": "mira@fail.example"})
        assert failing.status_code == 500
        assert "slipped out of our hands" in failing.text
        assert "tidewheel_cart" in visitor.cookies, "the cart is as it was left"


@pytest.mark.parametrize("name", ["starlette", "flask", "django_wsgi"])
def test_a_malformed_variable_is_named_at_the_start(name: str, tmp_path: Path) -> None:
    port = free_port()
    environment = {**plain_environment(tmp_path), "TIKTOK_PIXEL_ID": "C0000000000000000001", "TIKTOK_GPC": "perhaps"}
    with contextlib.ExitStack() as stack:
        try:
            shop = stack.enter_context(running(name, command_of(name, port), port, tmp_path, environment))
        except AssertionError as error:
            said = str(error)
        else:
            pytest.fail(f"it started and serves: {httpx.get(shop.url).status_code}")
    for word in ("TIKTOK_GPC", "perhaps", "deny", "limit", "ignore"):
        assert word in said
