"""The door for WSGI (PEP 3333): iterables in and out, every decision left to the exchange."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.tracking.current import tracker_var

if TYPE_CHECKING:
    from tiktok_middleware.client import Client
    from tiktok_middleware.core.http.response_headers import Headers
    from tiktok_middleware.core.response.exchange import Exchange

__all__ = ["TikTokMiddleware"]

Environ = dict[str, Any]
Write = Callable[[bytes], object]
StartResponse = Callable[..., Write]
#: Environ and start_response, each as its framework types it.
WSGIApp = Callable[..., Iterable[bytes]]


_PASSING, _DONE = Phase.PASSING, Phase.DONE

# Not what inherits from them, which may have something to close.
_WHOLE = (list, tuple)


class TikTokMiddleware:
    """Wraps any WSGI app.

    Args:
        app: the app.
        client: made by hand; configured by the environment where it is not given.

    Raises:
        ConfigError: a variable is malformed.
        WrapError: the app is no WSGI app, or wrapped already with other settings.
    """

    def __init__(self, app: WSGIApp, client: Client | None = None) -> None:
        self.app = app
        self.client = client if client is not None else _client()
        _check_app(app, self.client)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        client = self.client
        exchange = client.begin(environ)
        if exchange is None:
            return self.app(environ, start_response)
        if isinstance(exchange, (Answer, Wanted)):
            return _answered(exchange, client, environ, start_response)
        attach_to_requests()
        tracker_var.set(exchange.tracker)
        response = _Response(exchange, client, start_response)
        try:
            iterable = self.app(environ, response.start)
        except BaseException:
            response.give_up()
            raise
        kind = type(iterable)
        # While a generator runs, code of the app does: until it ends this stays its current request.
        if response.is_started and exchange.phase is _DONE and kind is not GeneratorType:
            client.end(exchange)
            tracker_var.set(None)
            return iterable  # the app's own object: servers send files by its identity
        if kind in _WHOLE:
            return response.whole(iterable)  # type: ignore[arg-type]  # a list or a tuple
        body = _Body(iterable, response, exchange)
        if response.holds_head:
            body.begin()
        return body


def _answered(own: Answer | Wanted, client: Client, environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Our own response."""
    if isinstance(own, Wanted):
        own = client.collect(own.request, _body(environ, own.limit_bytes + 1))
    start_response(own.status_line, own.headers)
    return [own.body]


def _body(environ: Environ, limit_bytes: int) -> bytes:
    """What there is of the request's body, up to the limit."""
    length = str(environ.get("CONTENT_LENGTH") or "")
    if length.isdecimal():
        limit_bytes = min(int(length[:10]), limit_bytes)
    elif not environ.get("wsgi.input_terminated"):
        return b""  # a read would wait for what may never come
    try:
        return bytes(environ["wsgi.input"].read(limit_bytes))
    except OSError:
        return b""  # who sends it has gone


def _client() -> Client:
    from tiktok_middleware.client import Client  # noqa: PLC0415  # a door costs its import, a client the parts

    return Client.from_env()


def _check_app(app: Any, client: Client) -> None:
    from tiktok_middleware._app_check import check_app  # noqa: PLC0415  # imports `inspect`, which an import need not pay

    check_app(app, "wsgi", client)


class _Response:
    """One response on its way out.

    Attributes:
        is_started: whether the server has the head.
    """

    __slots__ = ("_client", "_exc_info", "_exchange", "_has_body", "_start", "_status", "_write", "is_started")

    def __init__(self, exchange: Exchange, client: Client, start_response: StartResponse) -> None:
        self._exchange = exchange
        self._client = client
        self._start = start_response
        self._status = ""
        self._exc_info: Any = None
        self._write: Write | None = None
        self.is_started = False
        self._has_body = False

    @property
    def holds_head(self) -> bool:
        """Whether the app has given its head and the server does not have it yet."""
        return bool(self._status) and not self.is_started

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Write:
        """The app's ``start_response``."""
        if exc_info is not None and (self.is_started or self._has_body):
            self._release()
            return self._start(status, headers, exc_info)  # the server re-raises
        try:
            code = int(status[:3])
        except ValueError:
            code = 0
        step = self._exchange.response_started(code, headers)
        if step is PASS:
            self.is_started = True
            self._write = write = self._start(status, headers, *([exc_info] if exc_info else ()))
            return write
        self._status, self._exc_info = status, exc_info
        self._do(step)
        return self.write

    def write(self, data: bytes) -> None:
        """The app's imperative way of sending (PEP 3333, the ``write()`` callable)."""
        chunk = self.body(data, last=False)
        if chunk and self._write is not None:
            self._write(chunk)

    def body(self, data: bytes, *, last: bool) -> bytes:
        """What may leave now that these bytes have come."""
        if data:
            self._has_body = True
        step = self._exchange.body_received(data, last=last)
        return data if step is PASS else self._do(step)

    def whole(self, pieces: Sequence[bytes]) -> list[bytes]:
        """What leaves of a body that is there at once.

        As many pieces as the app's: of one alone servers know the Content-Length (PEP 3333), and keep the connection.
        """
        last = len(pieces) - 1
        try:
            chunks = [self.body(data, last=index == last) for index, data in enumerate(pieces)]
            return chunks or [self.body(b"", last=True)]
        finally:
            self.finish()

    def give_up(self) -> bytes:
        """The app has raised; what was held, which without us would have left before."""
        chunk = self._do(self._exchange.give_up())
        self.finish()
        return chunk

    def finish(self) -> None:
        """The response has ended; the thread goes on to other visitors."""
        self._client.end(self._exchange)
        tracker_var.set(None)

    def _release(self) -> None:
        """Send what is held as it is."""
        step = self._exchange.failed()
        if step is not None:
            chunk = self._send(step)
            if chunk and self._write is not None:
                self._write(chunk)

    def _do(self, step: Step) -> bytes:
        if isinstance(step, Commit):
            step = self._client.carry_out(self._exchange, step)
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
            self._exc_info = None  # a traceback that is kept keeps every frame of it


class _Body:
    """The app's iterable, with what we add; closed exactly once."""

    __slots__ = ("_app_iterable", "_error", "_exchange", "_first", "_iterator", "_response")

    def __init__(self, iterable: Iterable[bytes], response: _Response, exchange: Exchange) -> None:
        self._app_iterable = iterable
        self._exchange = exchange
        self._response = response
        self._iterator: Iterator[bytes] | None = None
        self._error: Exception | None = None
        self._first: bytes | None = None  # read before the server asked
        try:
            self._iterator = iter(iterable)
        except BaseException:
            self.close()  # the server will never see this iterable
            raise

    def begin(self) -> None:
        """Read until the head has left: a server may look for it as soon as the app has returned (Granian does)."""
        try:
            self._first = next(self)
        except StopIteration:
            pass
        except BaseException:
            self.close()  # the server will never see this iterable
            raise

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        while self._iterator is not None:
            try:
                data = next(self._iterator)
            except StopIteration:
                return self._end()
            except Exception as error:
                self._iterator = None
                held = self._response.give_up()
                if not held:
                    raise
                self._error = error
                return held
            if self._exchange.phase is _PASSING:
                return data
            chunk = self._response.body(data, last=False)
            # A held head holds the bytes: PEP 3333 wants start_response called before anything is given.
            if chunk or self._response.is_started:
                return chunk
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """The server is done with this response."""
        self._iterator = None
        try:
            close = getattr(self._app_iterable, "close", None)
            if close is not None:
                close()
        finally:
            with contextlib.suppress(Exception):
                self._response.finish()

    def _end(self) -> bytes:
        self._iterator = None
        chunk = self._response.body(b"", last=True)
        if not chunk:
            raise StopIteration
        return chunk
