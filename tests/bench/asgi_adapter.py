"""The ASGI side: one Starlette app, what is wrapped around it, and a server that only counts bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any

from tests.bench import others, pages
from tests.bench.ours import track_in

__all__ = ["WRAPPERS", "AsgiDoor", "bare", "scope_of"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
OnBytes = Callable[[bytes], None]


def bare() -> App:
    """The app that everything is measured on."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    async def whole(request: Request) -> Response:
        kind, body = pages.BODIES[request.url.path]
        return Response(body, media_type=kind)

    async def tracked(request: Request) -> Response:
        track_in(request.scope)
        return await whole(request)

    varied = pages.varying()

    async def varying(request: Request) -> Response:
        return Response(next(varied), media_type=pages.HTML)

    def streamed(make: Callable[[], AsyncIterator[bytes]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return StreamingResponse(make(), media_type="text/html")

        return answer

    routes = [Route(path, tracked if path == "/tracked" else whole) for path in pages.BODIES]
    routes.append(Route("/varying", varying))
    routes += [Route(path, streamed(partial(_pieces, pieces))) for path, pieces in pages.STREAMS.items()]
    routes += [
        Route(f"/{name}", streamed(partial(_slow, pages.halves(head_in_second=name == "later"))))
        for name in ("early", "later")
    ]
    routes.append(Route("/big", streamed(lambda: _pieces(pages.big_stream(50)))))
    return Starlette(routes=routes)


async def _pieces(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _slow(halves: tuple[bytes, bytes]) -> AsyncIterator[bytes]:
    yield halves[0]
    await asyncio.sleep(pages.PAUSE_S)
    yield halves[1]


def noop(app: App) -> App:
    """A wrapper that takes part in the sending and does nothing there."""

    async def wrapped(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        async def passing(message: Message) -> None:
            await send(message)

        await app(scope, receive, passing)

    return wrapped


def splice(app: App) -> App:
    """The least that a correct injector with one cookie can do for the pages measured here."""
    snippet = others.SNIPPET

    async def wrapped(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        start: Message | None = None
        is_done = False
        is_known = False
        for name, value in scope["headers"]:
            if name == b"cookie":
                is_known = b"_ttp=" in value

        async def splicing(message: Message) -> None:
            nonlocal start, is_done
            if is_done:
                await send(message)
            elif message["type"] == "http.response.start":
                for name, value in message["headers"]:
                    if name == b"content-type" and value.startswith(b"text/html"):
                        start = message
                        return
                is_done = True
                await send(message)
            else:
                body = message["body"]
                at = body.find(b"</head>")
                if at >= 0:
                    is_done = True
                    whole = memoryview(body)
                    message = {**message, "body": b"".join((whole[:at], snippet, whole[at:]))}
                if start is not None:
                    grown = others.grown_by if at >= 0 else others.unsized
                    headers = [pair for pair in map(grown, start["headers"]) if pair is not None]
                    if not is_known:
                        headers.append((b"set-cookie", others.COOKIE))
                    await send({**start, "headers": headers})
                    start = None
                await send(message)

        await app(scope, receive, splicing)

    return wrapped


def new_relic(app: App) -> App:
    """New Relic's own insertion into pages, without the rest of its agent."""
    middleware = others.new_relic_asgi()
    transaction = others.Transaction()

    async def wrapped(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await middleware(app, transaction=transaction)(scope, receive, send)

    return wrapped


def sentry(app: App) -> App:
    """Sentry's error reporting, sending nothing."""
    others.start_sentry()
    wrapped: App = others.sentry_middleware("asgi")(app)
    return wrapped


WRAPPERS: dict[str, Callable[[App], App]] = {"noop": noop, "splice": splice, "newrelic": new_relic, "sentry": sentry}


class AsgiDoor:
    """Sends scenes through an app, as a server would.

    Args:
        app: the app, wrapped or bare.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._scopes = {name: scope_of(scene) for name, scene in pages.SCENES.items()}

    def many(self, scene: str, count: int) -> None:
        """That many requests, one after the other."""
        self._loop.run_until_complete(self._many(scene, count))

    def once(self, scene: str, on_bytes: OnBytes) -> tuple[int, dict[str, str]]:
        """Status and headers of one response, its body handed over as it comes."""
        heads: list[Message] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                heads.append(message)
            elif message.get("body"):
                on_bytes(message["body"])

        self._loop.run_until_complete(self._one(scene, send))
        headers = {name.decode().lower(): value.decode() for name, value in heads[0]["headers"]}
        return heads[0]["status"], headers

    def timed(self, scene: str) -> float:
        """How long one request took, in seconds."""
        return self._loop.run_until_complete(self._timed(scene))

    def timed_elsewhere(self, scene: str) -> float:
        """The same, where another thread has to be woken meanwhile and does nothing."""
        return self._loop.run_until_complete(self._timed_elsewhere(scene))

    def wait(self, seconds: float) -> None:
        """Let the loop idle, as a server's does between requests."""
        self._loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        """Let the loop go."""
        self._loop.close()

    async def _many(self, scene: str, count: int) -> None:
        for _ in range(count):
            await self._one(scene, _count_bytes)

    async def _timed(self, scene: str) -> float:
        begin = time.perf_counter()
        await self._one(scene, _count_bytes)
        return time.perf_counter() - begin

    async def _timed_elsewhere(self, scene: str) -> float:
        begin = time.perf_counter()
        await self._one(scene, _count_bytes)
        await self._loop.run_in_executor(None, int)
        return time.perf_counter() - begin

    async def _one(self, scene: str, send: Send) -> None:
        scope = dict(self._scopes[scene])
        scope["headers"] = list(scope["headers"])
        is_read = False
        gone: asyncio.Future[None] | None = None

        async def receive() -> Message:
            nonlocal is_read, gone
            if not is_read:
                is_read = True
                return {"type": "http.request", "body": b"", "more_body": False}
            gone = gone or self._loop.create_future()
            await gone
            return {"type": "http.disconnect"}

        async def sending(message: Message) -> None:
            nonlocal gone
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                gone = gone or self._loop.create_future()
                if not gone.done():
                    gone.set_result(None)

        await self._app(scope, receive, sending)


async def _count_bytes(message: Message) -> None:
    if message["type"] == "http.response.body":
        len(message.get("body", b""))


def scope_of(scene: pages.Scene) -> dict[str, Any]:
    """As uvicorn makes it behind a proxy that ends TLS."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("203.0.113.7", 50_000),
        "scheme": "https",
        "method": "GET",
        "root_path": "",
        "path": scene.path,
        "raw_path": scene.path.encode(),
        "query_string": scene.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in scene.headers.items()],
        "state": {},
    }
