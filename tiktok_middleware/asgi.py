"""The door for ASGI: messages in and out, every decision left to the exchange."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.http.response_headers import encoded
from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.tracking.current import tracker_var
from tiktok_middleware.delivery.process.event_loop import is_in_event_loop, mark_as_coroutine_function
from tiktok_middleware.errors import ConfigError

if TYPE_CHECKING:
    from tiktok_middleware.client import Client
    from tiktok_middleware.core.response.exchange import Exchange

__all__ = ["TikTokMiddleware"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_SEARCHING, _PASSING, _DONE = Phase.SEARCHING, Phase.PASSING, Phase.DONE

#: Scope, receive and send, each as its framework types it.
ASGIApp = Callable[..., Awaitable[Any]]


#: What a server's end may take of ours, in seconds; half of what Docker grants before it kills.
_SHUTDOWN_S = 5.0


class TikTokMiddleware:
    """Wraps any ASGI app.

    Args:
        app: the app.
        client: made by hand; configured by the environment where it is not given.

    Raises:
        ConfigError: a variable is malformed.
        WrapError: the app is no ASGI app, a single route, or wrapped already with other settings.
    """

    def __init__(self, app: ASGIApp, client: Client | None = None) -> None:
        self.app = app
        mark_as_coroutine_function(_Response.send)
        self._error: ConfigError | None = None
        try:
            self.client = client if client is not None else _client()
            _check_app(app, self.client)
        except ConfigError as error:
            # Starlette makes its middleware when the server is already running, and servers take what is raised
            # then for an app without lifespan: they would start. The lifespan protocol has a word for it.
            if not is_in_event_loop():
                raise
            self._error = error

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One connection."""
        kind = scope["type"]
        if kind != "http" or self._error is not None:
            await self._other(kind, scope, receive, send)
            return
        client = self.client
        exchange = client.begin(scope)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        if isinstance(exchange, (Answer, Wanted)):
            await self._answer(exchange, receive, send)
            return
        attach_to_requests()
        token = tracker_var.set(exchange.tracker)
        response = _Response(exchange, client, send)
        try:
            await self.app(scope, receive, response.send)
            if exchange.phase is _SEARCHING:  # it has returned without its last piece
                await response.give_up()
        except Exception:
            with contextlib.suppress(Exception):  # who is gone takes nothing more
                await response.give_up()
            raise
        except BaseException:
            exchange.give_up()  # cancelled: nothing more can be sent
            raise
        finally:
            tracker_var.reset(token)
            late = client.end(exchange)
        if late is not None:
            await client.wait_async(late)

    async def _other(self, kind: str, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """What is no HTTP request, or comes although the configuration is in error."""
        if self._error is not None:
            await self._refuse(self._error, kind, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _refuse(self, error: ConfigError, kind: str, receive: Receive, send: Send) -> None:
        """Stop the start with the configuration's error; where the server does not ask, each request."""
        if kind != "lifespan":
            raise error
        await receive()
        await send({"type": "lifespan.startup.failed", "message": f"tiktok_middleware: {error}"})

    async def _answer(self, own: Answer | Wanted, receive: Receive, send: Send) -> None:
        """Our own response."""
        if isinstance(own, Wanted):
            body = await _body(receive, own.limit_bytes)
            if body is None:
                return
            own = await self.client.collect_async(own.request, body)
        await send({"type": "http.response.start", "status": own.status, "headers": encoded(own.headers)})
        await send({"type": "http.response.body", "body": own.body})

    async def _websocket(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """A socket has no page to write into: what is tracked goes by the server channel at once."""
        exchange = self.client.begin(scope)
        if exchange is None or isinstance(exchange, (Answer, Wanted)):  # a socket gets no answer
            await self.app(scope, receive, send)
            return
        self.client.end(exchange)
        attach_to_requests()
        token = tracker_var.set(exchange.tracker)
        try:
            await self.app(scope, receive, send)
        finally:
            tracker_var.reset(token)

    async def _lifespan(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.client.start()

        async def flush_first(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._flush()  # a server that has its answer goes, and cancels whoever stays
            await send(message)

        await self.app(scope, receive, flush_first)

    async def _flush(self) -> None:
        try:
            await _in_thread(lambda: self.client.flush(_SHUTDOWN_S))
        except Exception as error:  # noqa: BLE001  # ours must not fail the server's end
            self.client.runtime.notices.failure("flush", error)


def _client() -> Client:
    from tiktok_middleware.client import Client  # noqa: PLC0415  # a door costs its import, a client the parts

    return Client.from_env()


def _check_app(app: Any, client: Client) -> None:
    from tiktok_middleware._app_check import check_app  # noqa: PLC0415  # imports `inspect`, which an import need not pay

    check_app(app, "asgi", client)


class _Response:
    """One response on its way out."""

    __slots__ = ("_client", "_exchange", "_send", "_start")

    def __init__(self, exchange: Exchange, client: Client, send: Send) -> None:
        self._exchange = exchange
        self._client = client
        self._send = send
        self._start: Message | None = None  # the app's head, while it is held

    def send(self, message: Message) -> Awaitable[None]:
        """What the app sends, on to the server; no coroutine of ours where the server's own will do."""
        exchange, kind = self._exchange, message["type"]
        step: Step = PASS
        if kind == "http.response.body":
            phase, is_last = exchange.phase, not message.get("more_body", False)
            if phase is not _DONE and (is_last or phase is not _PASSING):
                step = exchange.body_received(message.get("body", b""), last=is_last)
        elif kind == "http.response.start":
            headers = message.get("headers")
            if not isinstance(headers, list):  # any iterable will do, and none at all
                headers = list(headers or ())
                message = {**message, "headers": headers}
            step = exchange.response_started(message["status"], headers)
            if step is not PASS:
                self._start = dict(message)  # it may be held, and the app may go on to use its own
                return self._do(step, None)
        elif self._start is not None and kind in _BODIES_UNSEEN:
            return self._send_unseen(message)
        return self._send(message) if step is PASS else self._do(step, message)

    async def give_up(self) -> None:
        """The app has raised: what was held goes out as it would have without us."""
        step = self._exchange.give_up()
        if step is not None:
            await self._do(step, {"type": "http.response.body", "more_body": True})

    async def _send_unseen(self, message: Message) -> None:
        await self._do(self._exchange.body_unseen(), None)
        await self._send(message)

    async def _do(self, step: Step, message: Message | None) -> None:
        """Carry out a step of the exchange.

        Args:
            step: what the exchange answered.
            message: the body message that led to it, whose other keys are kept; None where there is none.
        """
        if isinstance(step, Commit):
            step = await self._client.carry_out_async(self._exchange, step)
        if not isinstance(step, Forward):
            if message is not None and self._exchange.phase is _DONE:
                await self._send(message)  # we have failed with nothing held
            return
        start, headers = self._start, step.headers
        if headers is not None and start is not None:
            self._start = None
            # An app may send the same dict again: what it sent is never written to.
            await self._send(start if headers is start["headers"] else {**start, "headers": encoded(headers)})
        if message is not None:
            await self._send(message if step.body is message.get("body") else {**message, "body": step.body})


# Extensions that send a body which never passes here.
_BODIES_UNSEEN = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


async def _body(receive: Receive, limit_bytes: int) -> bytes | None:
    """The request's body as soon as it is whole or above the limit; None where its sender has gone."""
    body = b""
    while len(body) <= limit_bytes:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")[: limit_bytes + 1]
        if not message.get("more_body", False):
            break
    return body


async def _in_thread(call: Callable[[], object]) -> None:
    import anyio.to_thread  # noqa: PLC0415  # starlette brings it; only needed at the very end

    await anyio.to_thread.run_sync(call)
