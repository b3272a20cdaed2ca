"""What routers, webhooks, caches and other requests around ours must not spoil."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import flask
import httpx
import pytest
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.websockets import WebSocket
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client as Browser

import tiktok_middleware
from tests.contrib import test_django  # noqa: F401  # configures Django
from tests.contrib.shared import (
    NAVIGATION,
    PAGE,
    PIXEL,
    assert_page_of_a_refusal,
    inline_events,
    make_client,
    sent,
)
from tests.contrib.test_starlette import visit
from tiktok_middleware import Client, Config, ConfigError, EventError
from tiktok_middleware import client as client_module
from tiktok_middleware.asgi import TikTokMiddleware as AsgiDoor
from tiktok_middleware.contrib.starlette import tiktok_from
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiDoor


def helper_address(html: str) -> str:
    return html.split('"j":"')[1].split('"', maxsplit=1)[0]


def test_a_router_behind_us_moves_no_helper() -> None:
    client = make_client()

    async def page(_: Request) -> Response:
        return HTMLResponse(PAGE)

    app = AsgiDoor(Starlette(routes=[Mount("/shop", Starlette(routes=[Route("/", page)]))]), client)

    async def use(http: httpx.AsyncClient) -> None:
        address = helper_address((await http.get("/shop/")).text)
        assert "PerformanceObserver" in (await http.get(address)).text

    visit(app, use)


def test_a_wsgi_dispatcher_behind_us_moves_no_helper() -> None:
    inner = flask.Flask(__name__)
    inner.add_url_rule("/", view_func=lambda: PAGE)
    dispatcher: Any = DispatcherMiddleware(flask.Flask("outer"), {"/shop": inner})
    browser = Browser(WsgiDoor(dispatcher, make_client()))
    address = helper_address(browser.get("/shop/", headers=NAVIGATION, buffered=True).text)
    assert "PerformanceObserver" in browser.get(address).text


def answers(headers: dict[str, str], speak: Callable[[Any], None], *, page: bool = False) -> Any:
    async def view(request: Request) -> Response:
        speak(tiktok_from(request))
        return HTMLResponse(PAGE, headers=headers) if page else JSONResponse({}, headers=headers)

    return Starlette(routes=[Route("/", view)])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cache-Control": "max-age=60"},
        {"Cache-Control": "public, s-maxage=60"},
        {"Cache-Control": "no-store, no-transform"},
    ],
)
@pytest.mark.parametrize("options", [{}, {"exclude": "/*"}])
def test_a_refusal_is_remembered_whatever_the_response(headers: dict[str, str], options: dict[str, str]) -> None:
    client = make_client(**options)
    app = AsgiDoor(answers(headers, lambda tiktok: tiktok.revoke_consent(), page=True), client)
    may_change = not options and "no-transform" not in headers.get("Cache-Control", "")

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.get("/", headers={"cookie": "ttclid=E.C.P.x"})
        lines = answer.headers.get_list("set-cookie")
        assert any(line.startswith("_tt_consent=d;") for line in lines)
        assert any(line.startswith("ttclid=; Max-Age=0") for line in lines)
        if may_change:
            assert_page_of_a_refusal(client, answer.text)
        else:
            assert answer.text == PAGE
        said = answer.headers["cache-control"]
        assert "private" in said or "no-store" in said
        assert "public" not in said
        assert "s-maxage" not in said

    visit(app, use)


@pytest.mark.parametrize(
    "name",
    ["X-Accel-Expires", "Surrogate-Control", "CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Edge-Control"],
)
def test_nothing_of_a_visitor_enters_what_one_cache_was_told_to_keep(name: str) -> None:
    value = "600" if name == "X-Accel-Expires" else "max-age=600"
    client = make_client()
    app = AsgiDoor(answers({name: value}, lambda tiktok: tiktok.track("Contact"), page=True), client)

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.get("/?ttclid=E.C.P.x")
        assert '"s":[["Contact",{},"","' in answer.text  # each browser makes an id of its own
        assert "set-cookie" not in answer.headers
        assert "private" not in answer.headers.get("cache-control", "")
        assert sent(client) == []

    visit(app, use)


def test_a_webhook_does_not_take_the_browsers_copy_of_an_order() -> None:
    client = make_client()
    buy = {"value": 1, "currency": "EUR", "order_id": "A-1"}
    hook = AsgiDoor(answers({}, lambda tiktok: tiktok.track("Purchase", buy)), client)
    thanks = AsgiDoor(answers({}, lambda tiktok: tiktok.track("Purchase", buy), page=True), client)

    async def call(http: httpx.AsyncClient) -> None:
        answer = await http.get(
            "/", headers={"user-agent": "Payments/1.0", "accept": "*/*", "sec-fetch-mode": "", "sec-fetch-dest": ""}
        )
        assert "tiktok-events" not in answer.headers

    async def look(http: httpx.AsyncClient) -> None:
        assert [event[0] for event in inline_events((await http.get("/")).text)] == ["Purchase"]

    visit(hook, call)
    visit(thanks, look)
    assert len(sent(client)) == 1


def test_a_page_of_another_origin_is_told_nothing() -> None:
    client = make_client()
    app = AsgiDoor(answers({}, lambda tiktok: tiktok.track("Contact")), client)

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.get(
            "/", headers={"sec-fetch-mode": "cors", "sec-fetch-site": "same-site", "sec-fetch-dest": "empty"}
        )
        assert "tiktok-events" not in answer.headers
        assert len(sent(client)) == 1

    visit(app, use)


def test_a_prefetch_does_not_take_an_orders_copies() -> None:
    client = make_client()
    buy = {"value": 1, "currency": "EUR", "order_id": "A-1"}
    app = AsgiDoor(answers({}, lambda tiktok: tiktok.track("Purchase", buy), page=True), client)

    async def use(http: httpx.AsyncClient) -> None:
        assert inline_events((await http.get("/", headers={"sec-purpose": "prefetch"})).text) == []
        assert sent(client) == []
        assert [event[0] for event in inline_events((await http.get("/")).text)] == ["Purchase"]
        assert len(sent(client)) == 1

    visit(app, use)


def test_a_sockets_event_has_the_address_of_a_page() -> None:
    client = make_client()

    async def socket(websocket: WebSocket) -> None:
        tiktok_from(websocket).track("Contact")
        await websocket.accept()
        await websocket.close()

    async def run() -> None:
        messages = iter([{"type": "websocket.connect"}])

        async def receive() -> Any:
            return next(messages)

        async def send(_: Any) -> None:
            pass

        headers = [(b"host", b"shop.example")]
        scope = {
            "type": "websocket",
            "scheme": "wss",
            "path": "/chat",
            "query_string": b"",
            "headers": headers,
            "root_path": "",
        }
        await AsgiDoor(
            Starlette(routes=[__import__("starlette.routing", fromlist=["x"]).WebSocketRoute("/chat", socket)]), client
        )(scope, receive, send)

    asyncio.run(run())
    [copy] = sent(client)
    assert copy["page"] == {"url": "https://shop.example/chat"}


def test_two_doors_of_one_client_are_one_door() -> None:
    client = make_client()
    app = AsgiDoor(AsgiDoor(answers({}, lambda tiktok: tiktok.track("Contact"), page=True), client), client)

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.get("/?ttclid=E.C.P.x")
        assert answer.text.count("/helper-") == 1
        assert len(answer.headers.get_list("set-cookie")) == 2
        assert len(sent(client)) == 1

    visit(app, use)


def test_after_a_django_request_nobody_is_the_current_visitor() -> None:
    client = make_client()
    with override_settings(TIKTOK=client):
        answer = Browser(get_wsgi_application()).get("/", headers=NAVIGATION)
    answer.close()
    with pytest.raises(LookupError):
        tiktok_middleware.current()


@pytest.mark.swallows
@pytest.mark.parametrize("name", ["RequestTracker", "submit", "wait"])
def test_a_mistake_of_ours_passes_a_django_response_untouched(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    client = make_client()

    def fail(*_: object) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr(Client if hasattr(Client, name) else client_module, name, fail)
    with override_settings(TIKTOK=client):
        browser = Browser(get_wsgi_application())
    answer = browser.get("/thanks" if hasattr(Client, name) else "/file.html", headers=NAVIGATION)
    assert (answer.status_code, answer.text) == (200, PAGE)


def test_under_django_both_copies_of_a_cookie_are_deleted() -> None:
    client = make_client()
    headers = {**NAVIGATION, "sec-gpc": "1", "cookie": "ttclid=E.C.P.x"}
    with override_settings(TIKTOK=client):
        browser = Browser(get_wsgi_application(), use_cookies=False)
    answer = browser.get("/thanks", headers=headers, base_url="https://shop.example")
    lines = [line.strip() for line in answer.headers.getlist("Set-Cookie")]
    assert len([line for line in lines if line.startswith("ttclid=") and "Domain=" in line]) == 1
    assert len([line for line in lines if line.startswith("ttclid=") and "Domain=" not in line]) == 1


@pytest.mark.parametrize("error", [ConfigError("TIKTOK_X", 1, "2"), EventError("value", "a str", "a number")])
def test_errors_travel_between_processes(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_a_misspelt_variable_is_named_with_the_nearest_option() -> None:
    assert Config.strangers({"TIKTOK_CONCENT": "required", "TIKTOK_PIXEL_ID": "x", "PATH": "/"}) == {
        "TIKTOK_CONCENT": "TIKTOK_CONSENT"
    }


@pytest.mark.parametrize("setting", ["onetrus", "klaro"])
def test_a_consent_platform_that_cannot_be_read_stops_the_start(setting: str) -> None:
    with pytest.raises(ConfigError, match=f"TIKTOK_CONSENT is '{setting}'; allowed: implied, required, "):
        make_client(consent=setting)


def test_a_platforms_cookie_decides() -> None:
    client = make_client(consent="tarteaucitron")
    app = AsgiDoor(answers({}, lambda tiktok: tiktok.track("Contact"), page=True), client)

    async def use(http: httpx.AsyncClient) -> None:
        for cookie, has_pixel, waits in (
            ("", True, True),
            ("tarteaucitron=!tiktok=false", False, False),
            ("tarteaucitron=!tiktok=true", True, False),
        ):
            answer = await http.get("/", headers={"cookie": cookie})
            assert answer.text.count("/helper-") == 1
            assert (PIXEL in answer.text) is has_pixel
            assert ('"w":1' in answer.text) is waits
            if not has_pixel:
                assert_page_of_a_refusal(client, answer.text)
            assert answer.headers["cache-control"] == "private", "whether the pixel is there is this visitor's choice"
        assert len(sent(client)) == 1

    visit(app, use)
