"""Pages behind a cache that many visitors share, as a CDN is one: it keeps by path alone, and hands out the very bytes it kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

_PAGE = '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'


def product(request: Request) -> Response:
    tiktok_from(request).track("ViewContent", value=24, currency="EUR")
    headers = {"Cache-Control": "public, max-age=600"}
    return HTMLResponse(f"{_PAGE}</head><body><h1>{request.path_params['name']}</h1></body></html>", headers=headers)


def ask(request: Request) -> Response:
    tiktok_from(request).track("Contact")
    return JSONResponse({})


class SharedCache:
    """Keeps what may be kept for everybody; says in a header what came out of it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._kept: dict[str, list[Message]] = {}

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        kept = self._kept.get(scope["path"])
        if kept is not None:
            for message in kept:
                await send(message)
            return
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)
            await send(message)

        await self._app(scope, receive, keep)
        headers = {name.lower(): value for name, value in sent[0]["headers"]}
        if b"public" in headers.get(b"cache-control", b""):
            assert b"set-cookie" not in headers, "a cache would hand it to everybody"
            head = {**sent[0], "headers": [*sent[0]["headers"], (b"x-cache", b"hit")]}
            self._kept[scope["path"]] = [head, *sent[1:]]


app = SharedCache(
    Starlette(
        routes=[Route("/products/{name}", product), Route("/ask", ask, methods=["POST"])],
        middleware=[Middleware(TikTokMiddleware)],
    )
)
