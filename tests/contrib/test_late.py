"""What is tracked once the response has left goes by the server alone, and says so, whatever the framework."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import flask
import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.contrib.shared import NAVIGATION, PAGE, inline_events, make_client, sent
from tiktok_middleware import Client, Event
from tiktok_middleware.contrib.flask import TikTok
from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

seen: list[Event] = []


def expect_late(client: Client) -> None:
    [server] = sent(client)
    [event] = seen
    assert (event.channels.browser.sends, event.channels.browser.reason) == (False, "late")
    assert event.channels.server.sends
    assert server["event_id"] == event.event_id
    assert client.stats()["counts"]["late"] == 1


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()


async def get(app: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as http:
        return await http.get("/", headers=NAVIGATION)


@pytest.mark.parametrize("kind", ["page", "answer"])
def test_a_background_task_of_starlette(kind: str) -> None:
    client = make_client()

    async def view(request: Request) -> Response:
        task = BackgroundTask(lambda: seen.append(tiktok_from(request).track("Subscribe")))
        return HTMLResponse(PAGE, background=task) if kind == "page" else JSONResponse({}, background=task)

    app = Starlette(routes=[Route("/", view)])
    app.add_middleware(TikTokMiddleware, client=client)
    answer = asyncio.run(get(app))
    if kind == "page":
        assert inline_events(answer.text) == []
    expect_late(client)


def test_a_teardown_of_flask() -> None:
    client = make_client()
    app = flask.Flask(__name__)
    TikTok(app, client)

    @app.get("/")
    def view() -> Any:
        return {"count": 1}

    @app.teardown_request
    def afterwards(_: object) -> None:
        seen.append(flask.request.tiktok.track("Subscribe"))  # type: ignore[attr-defined]

    app.test_client().get("/", headers=NAVIGATION).close()
    expect_late(client)


def in_a_thread(call: Callable[[], None]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_a_thread_that_outlives_its_response_under_django() -> None:
    from django.http import HttpRequest, HttpResponse
    from django.test import override_settings
    from django.urls import path

    from tests.contrib import test_django
    from tiktok_middleware.contrib import django as contrib

    client = make_client()
    kept: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        kept.append(request)
        return HttpResponse(PAGE)

    urls = type("urls", (), {"urlpatterns": [path("", view)]})
    with override_settings(ROOT_URLCONF=urls, TIKTOK=client):
        answer: httpx.Response = test_django.Browser("wsgi").get("/")
    assert inline_events(answer.text) == []
    in_a_thread(lambda: seen.append(contrib.tiktok_from(kept[0]).track("Subscribe")))
    expect_late(client)
