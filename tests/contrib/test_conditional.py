"""Conditional requests: a page with our script is answered with 304 as often as it would be without us."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.middleware.http import ConditionalGetMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from werkzeug.test import Client as Browser

from tests.contrib import test_django  # noqa: F401  # configures Django
from tests.contrib.shared import NAVIGATION, PAGE, assert_page_of_a_refusal, make_client
from tests.contrib.test_starlette import visit
from tiktok_middleware import Client
from tiktok_middleware.asgi import TikTokMiddleware as AsgiDoor
from tiktok_middleware.contrib.django import TikTokMiddleware as DjangoDoor
from tiktok_middleware.contrib.starlette import tiktok_from
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiDoor


def hand_made(tag: str) -> Any:
    async def page(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        if request.query_params.get("track"):
            tiktok_from(request).track("Contact")
        return HTMLResponse(PAGE, headers={"etag": tag})

    return Starlette(routes=[Route("/", page)])


@pytest.mark.parametrize("tag", ['"abc"', 'W/"abc"'])
def test_a_hand_made_tag_gives_304_as_bare(tag: str) -> None:
    app = AsgiDoor(hand_made(tag), make_client())

    async def use(http: httpx.AsyncClient) -> None:
        first = await http.get("/")
        assert "helper-" in first.text
        assert first.headers["etag"] not in {tag, ""}
        again = await http.get("/", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]

    visit(app, use)


def test_a_page_of_one_visitor_has_no_tag() -> None:
    async def use(http: httpx.AsyncClient) -> None:
        assert "etag" not in (await http.get("/?track=1")).headers

    visit(AsgiDoor(hand_made('"abc"'), make_client()), use)


def test_another_script_or_a_refusal_asks_for_the_page_anew() -> None:
    tags = []

    async def first(http: httpx.AsyncClient) -> None:
        tags.append((await http.get("/")).headers["etag"])

    async def later(http: httpx.AsyncClient) -> None:
        assert (await http.get("/", headers={"if-none-match": tags[0]})).status_code == 200

    async def refusing(http: httpx.AsyncClient) -> None:
        answer = await http.get("/", headers={"if-none-match": tags[0], "sec-gpc": "1"})
        assert answer.status_code == 200
        assert "etag" not in answer.headers
        assert_page_of_a_refusal(client, answer.text)

    client = make_client()
    visit(AsgiDoor(hand_made('"abc"'), client), first)
    visit(AsgiDoor(hand_made('"abc"'), make_client(history_observer=False)), later)
    visit(AsgiDoor(hand_made('"abc"'), client), refusing)


def test_starlettes_static_pages_give_304_as_bare(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(PAGE)
    app = AsgiDoor(Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path, html=True))]), make_client())

    async def use(http: httpx.AsyncClient) -> None:
        first = await http.get("/")
        assert "helper-" in first.text
        for header, value in (
            ("if-none-match", first.headers["etag"]),
            ("if-modified-since", first.headers["last-modified"]),
        ):
            assert (await http.get("/", headers={header: value})).status_code == 304

    visit(app, use)


def of_a_server_that_sends_paths(app: Any, *headers: tuple[bytes, bytes]) -> list[dict[str, Any]]:
    """The messages of an app to a server that offers to send files by their path, and whose client stays."""
    sent: list[dict[str, Any]] = []
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for request in requests:
            return request
        return await asyncio.Future()  # until the app has stopped waiting: the client does not leave

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "scheme": "http", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [(b"host", b"shop.example"), *headers], "client": None, "server": None,
        "extensions": {"http.response.pathsend": {}},
    }  # fmt: skip
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 10))
    return sent


def test_static_pages_that_a_server_could_send_by_their_path_give_304_as_bare(tmp_path: Path) -> None:
    """A page is not sent by its path: it leaves with the script, and with our form of its tag."""
    (tmp_path / "index.html").write_text(PAGE)
    static = Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path, html=True))])
    client = make_client()
    door, page = AsgiDoor(static, client), (b"accept", b"text/html")
    assert of_a_server_that_sends_paths(static, page)[1]["type"] == "http.response.pathsend"
    start, *bodies = of_a_server_that_sends_paths(door, page)
    assert {message["type"] for message in bodies} == {"http.response.body"}
    html = b"".join(message["body"] for message in bodies).decode()
    script = client.runtime.snippet.constant("", page=True, gate=1, limited=False, nonce="").decode("ascii")
    before, found, after = html.partition(script)
    assert (before + after, found) == (PAGE, script)
    assert "page_body_unseen" not in client.stats()["counts"]
    for name, value in ((b"if-none-match", b"etag"), (b"if-modified-since", b"last-modified")):
        again = of_a_server_that_sends_paths(door, page, (name, dict(start["headers"])[value]))
        assert again[0]["status"] == 304
        assert b"".join(message.get("body", b"") for message in again[1:]) == b""
        if value == b"etag":
            assert dict(again[0]["headers"])[value] == dict(start["headers"])[value]


def test_static_pages_that_a_server_sends_by_their_path_give_304_as_bare(tmp_path: Path) -> None:
    """To a request that does not ask for a page they leave without a script, and with the tag that they had."""
    (tmp_path / "index.html").write_text(PAGE)
    static = Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path, html=True))])
    client = make_client()
    door, anything = AsgiDoor(static, client), (b"accept", b"*/*")
    start, body = of_a_server_that_sends_paths(door, anything)
    assert [start, body] == of_a_server_that_sends_paths(static, anything)
    assert body["type"] == "http.response.pathsend"
    assert client.stats()["counts"]["page_body_unseen"] == 1
    for name, value in ((b"if-none-match", b"etag"), (b"if-modified-since", b"last-modified")):
        header = (name, dict(start["headers"])[value])
        again = of_a_server_that_sends_paths(door, anything, header)
        assert again[0]["status"] == 304
        assert again == of_a_server_that_sends_paths(static, anything, header)


def test_flasks_pages_give_304_as_bare() -> None:
    app = flask.Flask(__name__)

    @app.get("/")
    def page() -> flask.Response:
        response = flask.make_response(PAGE)
        response.add_etag()
        return response.make_conditional(flask.request)  # type: ignore[return-value]

    browser = Browser(WsgiDoor(app, make_client()))
    first = browser.get("/", headers=NAVIGATION)
    assert "helper-" in first.text
    again = browser.get("/", headers={**NAVIGATION, "if-none-match": first.headers["etag"]})
    assert again.status_code == 304


def test_djangos_conditional_middleware_gives_304_as_bare() -> None:
    client: Client = make_client()

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(PAGE)

    door = DjangoDoor(ConditionalGetMiddleware(view), client)

    def get(**headers: str) -> Any:
        request = WSGIHandler.request_class(
            {"REQUEST_METHOD": "GET", "wsgi.input": BytesIO(), "HTTP_HOST": "x", **headers}
        )
        return door(request)

    first = get()
    assert b"helper-" in first.content
    assert get(HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
