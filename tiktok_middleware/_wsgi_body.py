"""The iterable of one response of a WSGI app, which the server reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from tiktok_middleware._wsgi_response import WsgiResponse

__all__ = ["WsgiBody"]


class WsgiBody:
    """The response's iterable: the app's iterable with our changes; closed exactly once."""

    __slots__ = ("_app_iterable", "_error", "_first", "_iterator", "_response")

    def __init__(self, iterable: Iterable[bytes], response: WsgiResponse) -> None:
        self._app_iterable = iterable
        self._response = response
        self._iterator: Iterator[bytes] | None = None
        self._error: Exception | None = None
        self._first: bytes | None = None  # read by begin()
        try:
            self._iterator = iter(iterable)
        except BaseException:
            self.close()  # the server never gets this iterable
            raise

    def begin(self) -> None:
        """Read until the head has left: a server may need it as soon as the app has returned (Granian does)."""
        try:
            self._first = next(self)
        except StopIteration:
            pass
        except BaseException:
            self.close()  # the server never gets this iterable
            raise

    def __iter__(self) -> Iterator[bytes]:
        if self._response.passes_pieces and self._iterator is not None:
            return self._passing(self._iterator)
        return self

    def _passing(self, iterator: Iterator[bytes]) -> Iterator[bytes]:
        """Do the same as ``__next__`` for a stream whose pieces pass; a generator takes a fifth of the time."""
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        try:
            yield from iterator
        except Exception:
            self._iterator = None
            self._response.give_up()
            raise
        with contextlib.suppress(StopIteration):
            yield self._end()

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
            if self._response.passes_pieces:
                return data
            chunk = self._response.body(data, last=False)
            # While the head is held, yield nothing: PEP 3333 requires start_response before the first item.
            if chunk or self._response.is_started:
                return chunk
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Close the app's iterable and end the response."""
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
