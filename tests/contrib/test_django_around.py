"""Django's own middleware around and inside ours, and streams that break: the answer is the one that Django gives bare."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

import tiktok_middleware
from tests.contract.adapters import Request, Seen, WsgiServer, asgi_scope, seen_of_messages, without_ours
from tests.contrib import test_django  # noqa: F401  # configures Django
from tests.contrib.shared import make_client, sent
from tiktok_middleware import Client
from tiktok_middleware.contrib import django as contrib

OURS = "tiktok_middleware.contrib.django.TikTokMiddleware"
CACHE = ["django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"]
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
NEIGHBOURS = {"cache": CACHE, "conditional": [CONDITIONAL], "gzip": [GZIP], "all": [*CACHE, GZIP, CONDITIONAL]}

PAGE = b"<!doctype html><html><head><title>x</title></head><body>" + b"hello " * 500 + b"</body></html>"
calls: list[str] = []


class BrokenError(Exception):
    """The app's own."""


def page(_request: HttpRequest) -> HttpResponse:
    calls.append("page")
    return HttpResponse(PAGE)


def tagged(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE, headers={"ETag": '"v1"'})


def breaking(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        yield PAGE[:17]
        request.tiktok.track("Lead")  # type: ignore[attr-defined]
        raise BrokenError

    return StreamingHttpResponse(pieces())


def breaking_at_once(_request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        raise BrokenError
        yield b""

    return StreamingHttpResponse(pieces())


async def breaking_async(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield PAGE[:17]
        request.tiktok.track("Lead")  # type: ignore[attr-defined]
        raise BrokenError

    return StreamingHttpResponse(pieces())


urlpatterns = [
    path("page", page),
    path("tagged", tagged),
    path("breaking", breaking),
    path("breaking-at-once", breaking_at_once),
]


@pytest.fixture
def client() -> Iterator[Client]:
    made = make_client()
    cache.clear()
    calls.clear()
    with override_settings(ROOT_URLCONF=__name__, TIKTOK=made):
        yield made


def by_wsgi(middleware: list[str], request: Request) -> Seen:
    with override_settings(MIDDLEWARE=middleware):
        handler = WSGIHandler()
    return WsgiServer().serve(handler, request)


def by_asgi(middleware: list[str], request: Request) -> Seen:
    messages: list[dict[str, Any]] = []
    with override_settings(MIDDLEWARE=middleware):
        handler = ASGIHandler()
    asyncio.run(serve(handler, request, messages))
    status, headers, body = seen_of_messages(messages)
    return Seen(status, [(name.lower(), value) for name, value in headers], body)


async def serve(handler: Any, request: Request, messages: list[dict[str, Any]]) -> None:
    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not asked:
            await asyncio.Event().wait()
        return asked.pop()

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await handler(asgi_scope(request), receive, send)


def plain(seen: Seen) -> bytes:
    return gzip.decompress(seen.body) if seen.header("content-encoding") == "gzip" else seen.body


@pytest.mark.parametrize("through", [by_wsgi, by_asgi])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("around", [True, False])
@pytest.mark.parametrize("neighbours", NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_a_page_is_djangos_with_one_script(
    *, client: Client, through: Any, coding: str, around: bool, neighbours: list[str]
) -> None:
    bare = visits(through, neighbours, coding)
    seen = visits(through, [*neighbours, OURS] if around else [OURS, *neighbours], coding)
    assert [answer.status for answer in seen] == [answer.status for answer in bare]
    for ours, app in zip(seen, bare, strict=True):
        if ours.status == 200:
            assert without_ours(client, plain(ours)) == (plain(app), 1)
            assert ours.header("content-length") in {None, str(len(ours.body))}


def visits(through: Any, middleware: list[str], coding: str) -> list[Seen]:
    """A page, the same once more, maybe from a cache, and asked for on condition that it has changed."""
    cache.clear()
    request = Request(path="/page", headers={"accept-encoding": coding})
    first, second = through(middleware, request), through(middleware, request)
    tag = first.header("etag") or '"none"'
    return [first, second, through(middleware, replace(request, headers={**request.headers, "if-none-match": tag}))]


def test_a_cache_around_us_keeps_the_page(client: Client) -> None:
    for _ in range(3):
        by_wsgi([*CACHE, OURS], Request(path="/page"))
    assert calls == ["page"]


@pytest.mark.parametrize("through", [by_wsgi, by_asgi])
@pytest.mark.parametrize("middleware", [[CONDITIONAL, OURS], [OURS, CONDITIONAL]])
def test_a_tag_of_the_apps_own_gives_304_as_bare(client: Client, through: Any, middleware: list[str]) -> None:
    tag = through(middleware, Request(path="/tagged")).header("etag")
    assert tag == f'W/"v1-s{client.runtime.snippet.mark}"'
    assert through(middleware, Request(path="/tagged", headers={"if-none-match": tag})).status == 304
    other = 'W/"v1-s00000000"'
    assert through(middleware, Request(path="/tagged", headers={"if-none-match": other})).status == 200


@pytest.mark.parametrize("where", ["/breaking", "/breaking-at-once"])
@pytest.mark.parametrize("middleware", [[OURS], [GZIP, OURS]])
def test_a_stream_that_breaks_gives_what_it_had_and_tells_no_lies(
    client: Client, where: str, middleware: list[str]
) -> None:
    server = WsgiServer()
    with override_settings(MIDDLEWARE=middleware):
        handler = WSGIHandler()
    with pytest.raises(BrokenError):  # and not in Django's handler, which would give a page of its own
        server.serve(handler, Request(path=where))
    assert b"".join(server.chunks) == (PAGE[:17] if where == "/breaking" else b"")
    assert sent(client) == []


def test_an_async_stream_that_breaks_gives_what_it_had(client: Client) -> None:
    got: list[bytes] = []

    async def read() -> None:
        door: Any = contrib.TikTokMiddleware(breaking_async, client)
        response = await door(ASGIRequest(asgi_scope(Request()), BytesIO()))
        try:
            async for piece in response:
                got.append(piece)  # noqa: PERF401  # what came before it broke
        finally:
            response.close()

    with pytest.raises(BrokenError):
        asyncio.run(read())
    assert b"".join(got) == PAGE[:17]
    assert sent(client) == []


def test_an_answer_that_middleware_puts_in_place_of_ours_leaves_no_visitor_behind(client: Client) -> None:
    """What it replaces is never closed."""
    with override_settings(MIDDLEWARE=[f"{__name__}.replacing", OURS]):
        handler = WSGIHandler()
    assert WsgiServer().serve(handler, Request(path="/page")).body == b"replaced"
    with pytest.raises(LookupError):
        tiktok_middleware.current()


def replacing(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        get_response(request)
        return HttpResponse(b"replaced")

    return middleware
