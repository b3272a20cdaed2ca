"""One response of an ASGI app: send its messages on, unchanged or as a recorded decision or an exchange tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from tiktok_middleware._slices import SLICE_BYTES, received_in_slices
from tiktok_middleware.core.http.response_headers import encoded
from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.response.decision_cache import HeldPage, look_up, replay
from tiktok_middleware.core.response.decision_cache_key import ASGI
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.response.policy import may_get_page

if TYPE_CHECKING:
    from tiktok_middleware.client import Client
    from tiktok_middleware.core.tracking.request_tracker import RequestTracker

__all__ = ["PASSING", "AsgiResponse", "Message", "Receive", "Send", "hide_unseen_bodies"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_SEARCHING, _DONE = Phase.SEARCHING, Phase.DONE

# State of a response. Without a recorded decision an exchange decides.
_WAITING, PASSING, _HELD, _SPLICED, _EXCHANGE = range(5)


class AsgiResponse:
    """One response.

    Attributes:
        state: waiting for the head; passing all messages; holding the head of a page with a recorded decision; passing
            the pieces of such a page after its script; or following an exchange.
        exchange: the exchange; None while recorded decisions are enough.
    """

    __slots__ = ("_client", "_held", "_send", "_start", "_tracker", "exchange", "state")
    _held: HeldPage

    def __init__(self, tracker: RequestTracker, client: Client, send: Send) -> None:
        self._tracker = tracker
        self._client = client
        self._send = send
        self.state = _WAITING
        self.exchange: Exchange | None = None
        self._start: Message | None = None  # head of the app, while it is held

    def send(self, message: Message) -> Awaitable[None]:
        """Take a message of the app, and send it to the server now or later."""
        state = self.state
        if (state == _SPLICED and (self._tracker.said is None or message.get("more_body"))) or state == PASSING:
            return self._send(message)
        if state == _WAITING:
            return self._head(message)
        if state == _HELD:
            return self._first_piece(message)
        if state == _SPLICED:
            return self._last_piece(message)
        return self._through_exchange(message)

    @property
    def holds(self) -> bool:
        """Whether the head, or bytes of the body, are held."""
        exchange = self.exchange
        return self.state == _HELD or (exchange is not None and exchange.phase is _SEARCHING)

    async def give_up(self) -> None:
        """Send held bytes unchanged, after the app has raised."""
        step = self._given_up()
        if step is not None:
            await self._do(step, {"type": "http.response.body", "more_body": True})

    def cancel(self) -> None:
        """Discard the events of a cancelled request; nothing more can be sent."""
        self._given_up()

    # -- recorded decisions

    def _head(self, message: Message) -> Awaitable[None]:
        if message["type"] != "http.response.start":
            return self._send(message)
        try:
            headers: Any = message.get("headers")
            if not isinstance(headers, list):  # headers may be any iterable, or absent
                headers = list(headers or ())
                message = {**message, "headers": headers}
            found = look_up(self._tracker, message["status"], headers, ASGI)
            if found is PASS:
                self.state = PASSING
                return self._send(message)
            if isinstance(found, tuple):
                self.state = _HELD
                self._held = found
                self._start = dict(message)  # the app may change and send it again
                return _nothing()
            if isinstance(found, Forward):
                self.state = PASSING
                return self._send({**message, "headers": encoded(found.headers or [])})
            self.exchange = exchange = Exchange(self._tracker, found)
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            self._client.runtime.notices.failure("response_started", error)
            self.state = PASSING
            return self._send(message)
        self.state = _EXCHANGE
        step = exchange.response_started(message["status"], headers)
        if step is PASS:
            return self._send(message)
        self._start = dict(message)
        return self._do(step, None)

    def _first_piece(self, message: Message) -> Awaitable[None]:
        start, is_last = self._start, not message.get("more_body", False)
        try:
            piece = message.get("body", b"")
            made = None
            if type(piece) is bytes and message["type"] == "http.response.body":
                made = replay(self._held, self._tracker, piece, ASGI, last=is_last)
            if not isinstance(made, tuple):
                self.exchange = Exchange.resumed(self._tracker, self._held[0], self._held[1], made)
        except Exception as error:  # noqa: BLE001  # as above
            self._client.runtime.notices.failure("body_received", error)
            self.state = PASSING
            return self._both(start, message)
        if not isinstance(made, tuple) or start is None:
            self.state = _EXCHANGE
            return self._through_exchange(message)
        self.state = PASSING if is_last else _SPLICED
        start["headers"], data = made  # a copy of the app's message
        return self._both(start, {**message, "body": data})

    def _last_piece(self, message: Message) -> Awaitable[None]:
        said, held = self._tracker.said, self._held
        if message["type"] != "http.response.body" or said is None or not said.pending:
            return self._send(message)
        try:
            self.exchange = Exchange.passing(self._tracker, held[0], held[1])
        except Exception as error:  # noqa: BLE001  # as above
            self._client.runtime.notices.failure("body_received", error)
            return self._send(message)
        self.state = _EXCHANGE
        return self._through_exchange(message)

    async def _both(self, start: Message | None, message: Message) -> None:
        if start is not None:
            self._start = None
            await self._send(start)
        await self._send(message)

    def _given_up(self) -> Step:
        """Discard the events of the failed request, and return the step that sends what was held."""
        exchange, start = self.exchange, self._start
        if exchange is not None:
            return exchange.give_up()
        if self._tracker.said is not None:
            Exchange(self._tracker).give_up()
        is_held, self.state = self.state == _HELD, PASSING
        return Forward(start["headers"]) if is_held and start is not None else None

    # -- steps of an exchange

    def _through_exchange(self, message: Message) -> Awaitable[None]:
        exchange, kind = self.exchange, message["type"]
        step: Step = PASS
        if exchange is None:
            return self._send(message)
        if kind == "http.response.body":
            phase, is_last = exchange.phase, not message.get("more_body", False)
            if phase is not _DONE and (is_last or phase is not Phase.PASSING):
                piece = message.get("body", b"")
                if exchange.is_coded and len(piece) > SLICE_BYTES:
                    return self._in_slices(exchange, message, piece, is_last=is_last)
                step = exchange.body_received(piece, last=is_last)
        elif self._start is not None and kind in _BODIES_UNSEEN:
            return self._send_unseen(exchange, message)
        return self._send(message) if step is PASS else self._do(step, message)

    async def _in_slices(self, exchange: Exchange, message: Message, piece: bytes, *, is_last: bool) -> None:
        step = await received_in_slices(exchange, self._client, bytes(piece), last=is_last)
        if step is not None:
            await self._do(step, message)

    async def _send_unseen(self, exchange: Exchange, message: Message) -> None:
        await self._do(exchange.body_unseen(), None)
        await self._send(message)

    async def _do(self, step: Step, message: Message | None) -> None:
        """Carry out a step of the exchange.

        Args:
            step: the step that the exchange returned.
            message: the body message that led to it, whose other keys are kept; None without one.
        """
        exchange = self.exchange
        if isinstance(step, Commit) and exchange is not None:
            step = await self._client.carry_out_async(exchange, step)
        if not isinstance(step, Forward):
            if message is not None and exchange is not None and exchange.phase is _DONE:
                await self._send(message)  # our code has failed with nothing held
            return
        start, headers = self._start, step.headers
        if headers is not None and start is not None:
            self._start = None
            # The app may send the same dict again: never change it.
            await self._send(start if headers is start["headers"] else {**start, "headers": encoded(headers)})
        if message is not None:
            await self._send(message if step.body is message.get("body") else {**message, "body": step.body})


async def _nothing() -> None:
    """Do nothing: the head is held."""


# Extensions that send a body without passing its bytes to the middleware.
_BODIES_UNSEEN = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


def hide_unseen_bodies(scope: MutableMapping[str, Any], tracker: RequestTracker) -> None:
    """Hide the extensions that send a body past us from the app, if the response may be a page."""
    extensions, headers = scope["extensions"], tracker.headers
    if (
        not _BODIES_UNSEEN.isdisjoint(extensions)
        and tracker.runtime.is_on
        and not tracker.runtime.browser_reason
        and may_get_page(headers.get(b"sec-fetch-dest", b""), headers.get(b"accept", b""))
    ):
        scope["extensions"] = {name: value for name, value in extensions.items() if name not in _BODIES_UNSEEN}
