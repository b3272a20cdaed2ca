"""Adapter for ASGI: translates messages into calls of the exchange, which decides."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from tiktok_middleware._asgi_response import PASSING, AsgiResponse, Message, Receive, Send, hide_unseen_bodies
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.http.response_headers import encoded
from tiktok_middleware.core.tracking.current import tracker_var
from tiktok_middleware.delivery.process.event_loop import is_in_event_loop, mark_as_coroutine_function
from tiktok_middleware.delivery.process.stopping import STOP
from tiktok_middleware.errors import ConfigError

if TYPE_CHECKING:
    from tiktok_middleware.client import Client

__all__ = ["TikTokMiddleware"]

#: Scope, receive and send, each as its framework types it.
ASGIApp = Callable[..., Awaitable[Any]]


class TikTokMiddleware:
    """Wrap any ASGI app.

    Args:
        app: the app.
        client: the client; made from the environment if not given.

    Raises:
        ConfigError: a variable is malformed.
        WrapError: the app is no ASGI app, a single route, or wrapped already with other settings.
    """

    def __init__(self, app: ASGIApp, client: Client | None = None) -> None:
        self.app = app
        mark_as_coroutine_function(AsgiResponse.send)
        self._error: ConfigError | None = None
        try:
            self.client: Client = client if client is not None else _client()
            _check_app(app, self.client)
        except ConfigError as error:
            # Starlette makes its middleware when the server already runs. Servers take an exception at that time as
            # an app without lifespan, and start. So report the error with ``lifespan.startup.failed``.
            if not is_in_event_loop():
                raise
            self._error = error

    async def __call__(  # noqa: C901 - each step is short, and a call costs more than a branch
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Handle one connection."""
        kind = scope["type"]
        if kind != "http" or self._error is not None:
            await self._other(kind, scope, receive, send)
            return
        client = self.client
        if client.runtime.endpoint in scope["path"]:
            own = client.own_response(scope)
            if own is not None:
                await self._answer(own, receive, send)
                return
        tracker = client.begin(scope)
        if tracker is None:
            await self.app(scope, receive, send)
            return
        if not client.is_prepared:
            await client.prepare()
        if scope.get("extensions"):
            hide_unseen_bodies(scope, tracker)
        attach_to_requests()
        token = tracker_var.set(tracker)
        response = AsgiResponse(tracker, client, send)
        try:
            await self.app(scope, receive, response.send)
            if response.state != PASSING and response.holds:  # the app has returned without its last piece
                await response.give_up()
        except Exception:
            with contextlib.suppress(Exception):  # the client may be gone
                await response.give_up()
            raise
        except BaseException:
            response.cancel()
            raise
        finally:
            tracker_var.reset(token)
            response.state = PASSING
            late = client.end(tracker, response.exchange)
        if late is not None:
            await client.wait_async(late)

    async def _other(self, kind: str, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle a connection that is no HTTP request, or any after a configuration error."""
        if self._error is not None:
            await self._refuse(self._error, kind, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _refuse(self, error: ConfigError, kind: str, receive: Receive, send: Send) -> None:
        """Fail the server's start with the configuration error; without lifespan, fail each request."""
        if kind != "lifespan":
            raise error
        await receive()
        await send({"type": "lifespan.startup.failed", "message": f"tiktok_middleware: {error}"})

    async def _answer(self, own: Answer | Wanted, receive: Receive, send: Send) -> None:
        """Send our own response."""
        if isinstance(own, Wanted):
            body = await _body(receive, own.limit_bytes)
            if body is None:
                return
            own = await self.client.collect_async(own.request, body)
        await send({"type": "http.response.start", "status": own.status, "headers": encoded(own.headers)})
        await send({"type": "http.response.body", "body": own.body})

    async def _websocket(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle a WebSocket: it has no page, so its events only get a server copy, at once."""
        tracker = self.client.begin(scope)
        if tracker is None:
            await self.app(scope, receive, send)
            return
        if not self.client.is_prepared:
            await self.client.prepare()
        self.client.end(tracker)
        attach_to_requests()
        token = tracker_var.set(tracker)
        try:
            await self.app(scope, receive, send)
        finally:
            tracker_var.reset(token)

    async def _lifespan(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.client.start()

        async def flush_first(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._flush()  # after this message the server exits and cancels what still runs
            await send(message)

        await self.app(scope, receive, flush_first)

    async def _flush(self) -> None:
        try:
            await _in_thread(lambda: flush_at_stop(self.client))
        except Exception as error:  # noqa: BLE001  # our failures never stop the shutdown
            self.client.runtime.notices.failure("flush", error)


def flush_at_stop(client: Client) -> bool:
    """Send what waits, within the seconds that all steps of a server's stop share; return whether all is sent."""
    return STOP.spend(client.flush)


def _client() -> Client:
    from tiktok_middleware.client import Client  # noqa: PLC0415  # keeps the import of an adapter fast

    return Client.from_env()


def _check_app(app: Any, client: Client) -> None:
    from tiktok_middleware._app_check import check_app  # noqa: PLC0415  # imports `inspect`: keeps the import fast

    check_app(app, "asgi", client)


async def _body(receive: Receive, limit_bytes: int) -> bytes | None:
    """Read the request's body until it is complete or above the limit; return None if the client has disconnected."""
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
    import anyio.to_thread  # noqa: PLC0415  # only needed at shutdown

    await anyio.to_thread.run_sync(call)
