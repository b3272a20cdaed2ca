"""Starlette and FastAPI: ``request.tiktok``, ``tiktok_from`` and the three ways to the browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import fastapi
import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route

import tiktok_middleware
from tests.contrib.shared import NAVIGATION, PAGE, inline_events, is_pair, make_client, sent
from tiktok_middleware import Client
from tiktok_middleware.asgi import TikTokMiddleware as Door
from tiktok_middleware.contrib.fastapi import TikTok
from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from


async def page(request: Request) -> Response:
    request.tiktok.track("ViewContent", value=24.5, currency="EUR")  # type: ignore[attr-defined]
    return HTMLResponse(PAGE)


async def typed(request: Request) -> Response:
    tiktok_from(request).track("ViewContent", value=1, currency="EUR")
    return HTMLResponse(PAGE)


def in_a_thread(_request: Request) -> Response:
    tiktok_middleware.current().track("ViewContent", value=2, currency="EUR")
    return HTMLResponse(PAGE)


async def add(request: Request) -> Response:
    tiktok_from(request).track("AddToCart", value=3, currency="EUR")
    return JSONResponse({"count": 1})


async def pay(request: Request) -> Response:
    tiktok_from(request).identify(email=" ALICE_abc@gmail.com ")
    tiktok_from(request).track("Purchase", value=59.9, currency="EUR", order_id="A-1001")
    return RedirectResponse("/thanks", 303)


async def thanks(request: Request) -> Response:
    tiktok_from(request).track("Purchase", value=59.9, currency="EUR", order_id="A-1001")
    return HTMLResponse(PAGE)


async def fails(request: Request) -> Response:
    tiktok_from(request).track("Purchase", value=1, currency="EUR", order_id="A-1002")
    tiktok_from(request).track("Contact", keep=True)
    raise RuntimeError("the view failed")


async def refuses(request: Request) -> Response:
    tiktok_from(request).track("Lead")
    return PlainTextResponse("no", 503)


async def afterwards(request: Request) -> Response:
    return HTMLResponse(PAGE, background=BackgroundTask(lambda: tiktok_from(request).track("Subscribe")))


async def streamed(request: Request) -> Response:
    async def pieces() -> AsyncIterator[str]:
        yield PAGE[:20]
        await asyncio.sleep(0)
        tiktok_from(request).track("ViewContent", value=4, currency="EUR")
        yield PAGE[20:70]
        tiktok_from(request).track("Search", query="mug")
        yield PAGE[70:]

    return StreamingResponse(pieces(), media_type="text/html")


ROUTES = [
    Route("/", page),
    Route("/typed", typed),
    Route("/thread", in_a_thread),
    Route("/add", add, methods=["POST"]),
    Route("/pay", pay, methods=["POST"]),
    Route("/thanks", thanks),
    Route("/fails", fails),
    Route("/refuses", refuses),
    Route("/afterwards", afterwards),
    Route("/streamed", streamed),
]

Wrap = Callable[[Client], Any]


def added(client: Client) -> Any:
    app = Starlette(routes=ROUTES)
    app.add_middleware(TikTokMiddleware, client=client)
    return app


def plain(client: Client) -> Any:
    return Door(Starlette(routes=ROUTES), client)


def mounted(client: Client) -> Any:
    return Starlette(routes=[Mount("/shop", added(client))])


@pytest.fixture(params=[added, plain], ids=["added", "plain door"])
def wrap(request: pytest.FixtureRequest) -> Wrap:
    found: Wrap = request.param
    return found


def visit(app: Any, use: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example", headers=NAVIGATION) as http:
            await use(http)

    asyncio.run(run())


@pytest.mark.parametrize(("path", "value"), [("/", 24.5), ("/typed", 1), ("/thread", 2)])
def test_an_event_of_a_page_is_one_pair_however_the_tracker_is_reached(wrap: Wrap, path: str, value: float) -> None:
    client = make_client()

    async def use(http: httpx.AsyncClient) -> None:
        html = (await http.get(path)).text
        [browser], [server] = inline_events(html), sent(client)
        assert is_pair(browser, server)
        assert browser[0] == "ViewContent"
        assert browser[1]["value"] == value
        assert server["page"]["url"] == f"https://shop.example{path}"

    visit(wrap(client), use)


def test_an_answer_brings_its_event_in_headers(wrap: Wrap) -> None:
    client = make_client()

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.post("/add", headers={"sec-fetch-mode": "cors", "accept": "*/*"})
        assert answer.json() == {"count": 1}
        [browser], [server] = json.loads(answer.headers["tiktok-events"]), sent(client)
        assert is_pair(browser, server)
        assert answer.headers["server-timing"].startswith('tiktok;desc="')
        assert answer.headers["cache-control"] == "private"

    visit(wrap(client), use)


def test_a_purchase_tracked_twice_over_a_redirect_is_one_pair(wrap: Wrap) -> None:
    client = make_client()

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.post("/pay")
        assert answer.status_code == 303
        [carrying] = [name for name in answer.cookies if name.startswith("_tt_carry.")]
        first, again = (await http.get("/thanks")).text, (await http.get("/thanks")).text
        [browser], [server] = inline_events(first), sent(client)
        assert is_pair(browser, server)
        assert server["user"]["email"] == "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
        assert inline_events(again) == inline_events(first), "the same id, which fires once in a tab"
        http.cookies.delete(carrying)
        assert inline_events((await http.get("/thanks")).text) == []

    visit(wrap(client), use)


@pytest.mark.parametrize("path", ["/fails", "/refuses"])
def test_a_view_that_fails_tells_no_lies(wrap: Wrap, path: str) -> None:
    client = make_client()

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.get(path)
        assert answer.status_code >= 500
        assert "set-cookie" not in answer.headers or path == "/fails"
        assert [copy["event"] for copy in sent(client)] == (["Contact"] if path == "/fails" else [])
        assert client.stats()["counts"]["request_failed"] == 1

    visit(wrap(client), use)


def test_what_a_background_task_tracks_goes_by_the_server(wrap: Wrap) -> None:
    client = make_client()

    async def use(http: httpx.AsyncClient) -> None:
        html = (await http.get("/afterwards")).text
        assert inline_events(html) == []
        assert [copy["event"] for copy in sent(client)] == ["Subscribe"]

    visit(wrap(client), use)


def test_a_streamed_page_carries_what_is_tracked_while_it_is_made(wrap: Wrap) -> None:
    client = make_client()

    async def use(http: httpx.AsyncClient) -> None:
        html = (await http.get("/streamed")).text
        [first] = inline_events(html)
        assert first[0] == "ViewContent"
        assert html.count("tiktok.emit(") == 1, "a second script at the end"
        assert html.index("</html>") < html.index("tiktok.emit(")
        assert [copy["event"] for copy in sent(client)] == ["ViewContent", "Search"]

    visit(wrap(client), use)


def test_under_a_mount_point_the_helper_is_found() -> None:
    client = make_client()

    async def use(http: httpx.AsyncClient) -> None:
        html = (await http.get("/shop/")).text
        address = html.split('"j":"')[1].split('"')[0]
        assert address.startswith("/shop/_tiktok/helper-")
        helper = await http.get(address)
        assert helper.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "PerformanceObserver" in helper.text

    visit(mounted(client), use)


def test_without_a_pixel_views_work_and_pages_are_untouched(wrap: Wrap) -> None:
    client = make_client(pixel_id="", access_token="", sink="direct")

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.get("/")
        assert answer.text == PAGE
        assert "set-cookie" not in answer.headers

    visit(wrap(client), use)


def test_without_the_middleware_the_error_says_what_to_do() -> None:
    async def use(http: httpx.AsyncClient) -> None:
        assert (await http.get("/typed")).status_code == 500

    visit(Starlette(routes=ROUTES), use)
    request = Request({"type": "http", "headers": [], "method": "GET", "path": "/"})
    with pytest.raises(LookupError, match="put TikTokMiddleware around the app"):
        tiktok_from(request)
    with pytest.raises(AttributeError, match="needs TikTokMiddleware around the app"):
        _ = request.tiktok  # type: ignore[attr-defined]


def test_fastapi_takes_the_tracker_as_a_parameter() -> None:
    client = make_client()
    app = fastapi.FastAPI()
    app.add_middleware(TikTokMiddleware, client=client)

    @app.get("/")
    def view(tiktok: TikTok) -> dict[str, str]:
        return {"event_id": tiktok.track("Contact").event_id}

    async def use(http: httpx.AsyncClient) -> None:
        answer = await http.get("/", headers={"sec-fetch-mode": "cors", "accept": "*/*"})
        [server] = sent(client)
        assert answer.json() == {"event_id": server["event_id"]}

    visit(app, use)
