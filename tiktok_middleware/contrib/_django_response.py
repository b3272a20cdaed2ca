"""Apply the exchange's decisions to Django's response objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from http.cookies import SimpleCookie
from itertools import chain
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from tiktok_middleware.client import Client
from tiktok_middleware.core.http.own_response import Answer
from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.tracking.current import tracker_var
from tiktok_middleware.core.tracking.request_tracker import RequestTracker

__all__ = ["Closer", "DjangoResponse", "nothing", "own_response"]


def own_response(own: Answer) -> HttpResponse:
    """Return an answer of the endpoint as Django's response."""
    response = HttpResponse(own.body, status=own.status)
    _write_headers(response, [], own.headers)
    return response


class DjangoResponse:
    """Applies the exchange's decisions to one response object."""

    def __init__(self, tracker: RequestTracker, client: Client, response: HttpResponseBase) -> None:
        self._tracker = tracker
        self._exchange = Exchange(tracker)
        self._client = client
        self._response = response
        self._headers = _pairs(response)
        # Django calls these when the server has sent the response.
        response._resource_closers.append(Closer(self._finish))  # noqa: SLF001

    def handed_on(self) -> HttpResponseBase:
        """Return the response with the changes of the exchange."""
        self._do(self._exchange.response_started(self._response.status_code, self._headers))
        if self._is_untouched:
            return self._response
        response: Any = self._response
        if response.streaming:
            self._stream()
        else:
            response.content = self._body(response.content, last=True)
        return self._response

    async def handed_on_async(self) -> HttpResponseBase:
        """Do the same as ``handed_on`` on an event loop."""
        await self._do_async(self._exchange.response_started(self._response.status_code, self._headers))
        if self._is_untouched:
            return self._response
        response: Any = self._response
        if not response.streaming:
            response.content = await self._body_async(response.content, last=True)
        elif response.is_async:
            pieces = self._pieces_async(aiter(response.streaming_content))
            response.streaming_content = _chain_async(await anext(pieces, b""), pieces)
        else:
            await sync_to_async(self._stream)()
        return self._response

    def _stream(self) -> None:
        """Replace the stream. Its first piece is read now, because the head may change until that piece is sent."""
        response: Any = self._response
        pieces = self._pieces(iter(response))
        response.streaming_content = chain([next(pieces, b"")], pieces)
        response.file_to_stream = None  # the response is no longer the unchanged file

    @property
    def _is_untouched(self) -> bool:
        return self._exchange.phase is Phase.DONE

    def _pieces(self, content: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for data in content:
                chunk = self._body(data, last=False)
                if chunk:
                    yield chunk
        except Exception:  # the app's own error: send what was held back, as it would have been sent before
            yield self._apply(self._exchange.give_up())
            raise
        yield self._body(b"", last=True)

    async def _pieces_async(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for data in content:
                chunk = await self._body_async(data, last=False)
                if chunk:
                    yield chunk
        except Exception:  # as above
            yield self._apply(self._exchange.give_up())
            raise
        yield await self._body_async(b"", last=True)

    def _body(self, data: bytes, *, last: bool) -> bytes:
        step = self._exchange.body_received(data, last=last)
        return data if step is PASS else self._do(step)

    async def _body_async(self, data: bytes, *, last: bool) -> bytes:
        step = self._exchange.body_received(data, last=last)
        return data if step is PASS else await self._do_async(step)

    def _do(self, step: Step) -> bytes:
        return self._apply(self._client.carry_out(self._exchange, step) if isinstance(step, Commit) else step)

    async def _do_async(self, step: Step) -> bytes:
        if isinstance(step, Commit):
            step = await self._client.carry_out_async(self._exchange, step)
        return self._apply(step)

    def _apply(self, step: Step) -> bytes:
        if not isinstance(step, Forward):
            return b""
        if step.headers is not None and step.headers is not self._headers:
            _write_headers(self._response, self._headers, [(str(name), str(value)) for name, value in step.headers])
        return step.body

    def _finish(self) -> None:
        self._client.end(self._tracker, self._exchange)
        tracker_var.set(None)


class Closer:
    """Call a function when the server has sent the response. Pickling, as caches do, drops the function."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def __call__(self) -> None:
        self._call()

    def __reduce__(self) -> tuple[Any, ...]:
        return Closer, (nothing,)


def nothing() -> None:
    pass


async def _chain_async(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _pairs(response: Any) -> list[tuple[str, str]]:
    cookies = [("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()]
    return [*((str(name), str(value)) for name, value in response.items()), *cookies]


# Headers whose values are lists; Django keeps one header per name.
_LISTS = frozenset({"Server-Timing", "Access-Control-Expose-Headers", "Timing-Allow-Origin"})


def _write_headers(response: Any, before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    """Change the response's headers from ``before`` to ``after``."""
    for name in {name for name, _ in before} - {name for name, _ in after}:
        del response[name]
    for name, value in after:
        if (name, value) in before:
            continue
        if name == "Set-Cookie":
            _add_cookie(response.cookies, value)
        elif name in _LISTS and response.has_header(name):
            response[name] = f"{response[name]}, {value}"
        else:
            response[name] = value


def _add_cookie(cookies: SimpleCookie, line: str) -> None:
    """Add a ``Set-Cookie``. ``SimpleCookie`` holds one cookie per name, but a host-only and a domain cookie are two."""
    for name, morsel in SimpleCookie(line).items():
        key = name if name not in cookies else f"{name} of the host"
        dict.__setitem__(cookies, key, morsel)  # a morsel writes its own name, not this key
