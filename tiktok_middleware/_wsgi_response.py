"""One response of a WSGI app: send its pieces on, unchanged or as a recorded decision or an exchange tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.response.decision_cache import HeldPage, Key, look_up, replay
from tiktok_middleware.core.response.decision_cache_key import WSGI
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.tracking.current import tracker_var

if TYPE_CHECKING:
    from tiktok_middleware.client import Client
    from tiktok_middleware.core.http.response_headers import Headers
    from tiktok_middleware.core.tracking.request_tracker import RequestTracker

__all__ = ["PASSING", "StartResponse", "Write", "WsgiResponse"]

Write = Callable[[bytes], object]
StartResponse = Callable[..., Write]
_DONE = Phase.DONE
_set_current = tracker_var.set

# State of a response. Without a recorded decision an exchange decides.
_WAITING, PASSING, _HELD, _SPLICED, _EXCHANGE = range(5)


class WsgiResponse:
    """One response.

    Attributes:
        state: waiting for the head; passing all bytes; holding the head of a page with a recorded decision; passing the
            pieces of such a page after its script; or following an exchange.
        is_started: whether the server has the head.
    """

    # Slots: reading a default from the class takes several times as long.
    __slots__ = (
        *("_client", "_exc_info", "_exchange", "_has_body", "_held", "_start", "_status", "_tracker", "_write"),
        *("is_started", "state"),
    )
    _held: HeldPage

    def __init__(self, tracker: RequestTracker, client: Client, start_response: StartResponse) -> None:
        self._tracker = tracker
        self._client = client
        self._start = start_response
        self.state = _WAITING
        self.is_started = False
        self._exchange: Exchange | None = None
        self._has_body = False
        self._status = ""
        self._exc_info: Any = None
        self._write: Write | None = None

    @property
    def holds_head(self) -> bool:
        """Whether the app has given its head and the server does not have it yet."""
        return bool(self._status) and not self.is_started

    @property
    def passes(self) -> bool:
        """Whether the head has left and the body stays unchanged."""
        exchange = self._exchange
        return self.is_started and (self.state == PASSING or (exchange is not None and exchange.phase is _DONE))

    @property
    def passes_pieces(self) -> bool:
        """Whether pieces leave unchanged, even if something is added at the end."""
        exchange = self._exchange
        if exchange is not None:
            return exchange.phase is Phase.PASSING
        return self.state in {PASSING, _SPLICED}

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Write:
        """Take the app's call of ``start_response``."""
        if exc_info is not None and (self.is_started or self._has_body):
            self._release()
            return self._start(status, headers, exc_info)  # the server re-raises
        if self._exchange is not None:
            return self._decide(self._exchange, status, headers, exc_info)
        try:
            found = look_up(self._tracker, status, headers, WSGI)
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            self._client.runtime.notices.failure("response_started", error)
            found = PASS
        if found is not PASS:
            return self._found(found, status, headers, exc_info)
        if exc_info:
            return self._passed(status, headers, exc_info)
        self.state = PASSING
        self.is_started = True
        write = self._write = self._start(status, headers)
        return write

    def _found(self, found: Forward | HeldPage | Key | None, status: str, headers: Any, exc_info: Any) -> Write:
        """Follow the result of :func:`look_up` for a response that may change."""
        if isinstance(found, Forward):
            return self._passed(status, found.headers, exc_info)
        if isinstance(found, tuple):
            self.state, self._held = _HELD, found
            self._status, self._exc_info = status, exc_info
            return self.write
        try:
            self._exchange = exchange = Exchange(self._tracker, found)
        except Exception as error:  # noqa: BLE001  # as above
            self._client.runtime.notices.failure("response_started", error)
            return self._passed(status, headers, exc_info)
        return self._decide(exchange, status, headers, exc_info)

    def _decide(self, exchange: Exchange, status: str, headers: Any, exc_info: Any) -> Write:
        """Let an exchange decide."""
        self.state = _EXCHANGE
        step = exchange.response_started(_code(status), headers)
        if step is PASS:
            return self._passed(status, headers, exc_info, state=_EXCHANGE)
        self._status, self._exc_info = status, exc_info
        self._do(step)
        return self.write

    def _passed(self, status: str, headers: Any, exc_info: Any, state: int = PASSING) -> Write:
        """Send the head unchanged."""
        self.state = state
        self.is_started = True
        write = self._write = self._start(status, headers, exc_info) if exc_info else self._start(status, headers)
        return write

    def write(self, data: bytes) -> None:
        """Take bytes through the ``write()`` callable of PEP 3333, and send those that may leave."""
        chunk = self.body(data, last=False)
        if chunk and self._write is not None:
            self._write(chunk)

    def body(self, data: bytes, *, last: bool) -> bytes:
        """Take bytes of the app, and return the bytes to send now."""
        if data:
            self._has_body = True
        if self.state == _HELD:
            return self._first_piece(data, last=last)
        exchange = self._exchange
        if exchange is None:
            said = self._tracker.said
            if not last or self.state != _SPLICED or said is None or not said.pending:
                return data
            try:
                self._exchange = exchange = Exchange.passing(self._tracker, self._held[0], self._held[1])
            except Exception as error:  # noqa: BLE001  # as above
                self._client.runtime.notices.failure("body_received", error)
                return data
            self.state = _EXCHANGE
        step = exchange.body_received(data, last=last)
        return data if step is PASS else self._do(step)

    def _first_piece(self, data: bytes, *, last: bool) -> bytes:
        held = self._held
        try:
            made = replay(held, self._tracker, data, WSGI, last=last) if type(data) is bytes else None
            if not isinstance(made, tuple):
                self._exchange = Exchange.resumed(self._tracker, held[0], held[1], made)
        except Exception as error:  # noqa: BLE001  # as above
            self._client.runtime.notices.failure("body_received", error)
            self.state = PASSING
            self._send(Forward(held[1]))
            return data
        if not isinstance(made, tuple):
            self.state = _EXCHANGE
            return self.body(data, last=last)
        self.state = PASSING if last else _SPLICED
        headers, data = made
        return self._send(Forward(headers, data))

    def whole(self, pieces: Sequence[bytes]) -> list[bytes]:
        """Return the body to send for a body in a list or tuple.

        Keep the number of pieces: for a single one servers set Content-Length (PEP 3333) and keep the connection open.
        """
        last = len(pieces) - 1
        try:
            chunks = [self.body(data, last=index == last) for index, data in enumerate(pieces)]
            return chunks or [self.body(b"", last=True)]
        finally:
            self.finish()

    def give_up(self) -> bytes:
        """Discard the request's events after the app has raised, and return the bytes that were held.

        Events with ``keep=True`` and drafts stay.
        """
        exchange, is_held = self._exchange, self.state == _HELD
        chunk = b""
        if exchange is not None:
            chunk = self._do(exchange.give_up())
        elif self._tracker.said is not None:
            Exchange(self._tracker).give_up()
        if is_held:
            self.state = PASSING
            self._send(Forward(self._held[1]))
        self.finish()
        return chunk

    def finish(self) -> None:
        """End the response. Clear the current tracker, because the thread serves other requests next."""
        self._client.end(self._tracker, self._exchange)
        _set_current(None)

    def _release(self) -> None:
        """Send what is held unchanged."""
        exchange = self._exchange
        step = exchange.failed() if exchange is not None else Forward(self._held[1]) if self.state == _HELD else None
        if exchange is None:
            self.state = PASSING
        if step is not None:
            chunk = self._send(step)
            if chunk and self._write is not None:
                self._write(chunk)

    def _do(self, step: Step) -> bytes:
        exchange = self._exchange
        if isinstance(step, Commit) and exchange is not None:
            step = self._client.carry_out(exchange, step)
        return self._send(step) if isinstance(step, Forward) else b""

    def _send(self, step: Forward) -> bytes:
        if step.headers is not None and not self.is_started:
            self.is_started = True
            self._write = self._call_start(step.headers)
        return step.body

    def _call_start(self, headers: Headers) -> Write:
        if self._exc_info is None:
            return self._start(self._status, headers)
        try:
            return self._start(self._status, headers, self._exc_info)
        finally:
            self._exc_info = None  # a kept traceback would keep all its frames alive


def _code(status: str) -> int:
    """Return the number of an HTTP status line; 0 if it has none."""
    try:
        return int(status[:3])
    except ValueError:
        return 0
