"""Support servers that are neither ASGI nor WSGI: make snippets and answer endpoint requests for any request object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from tiktok_middleware.core.http.asgi_request import ScopeRequest
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.wsgi_request import EnvironRequest
from tiktok_middleware.core.response.actions import Commit, Forward, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

    from typing_extensions import Self

    from tiktok_middleware.config import Config
    from tiktok_middleware.core.events.event import Claim
    from tiktok_middleware.core.response.exchange import Exchange
    from tiktok_middleware.core.runtime import Runtime

__all__ = ["OtherServers", "PageSnippet", "scope_of"]

#: Smallest document, with the script at the end of its head.
_BEFORE, _AFTER = b"<!doctype html><html><head>", b"</head><body></body></html>"
_HEAD = [("content-type", "text/html; charset=utf-8")]

#: Attributes of request objects, which differ between servers; the first that exists is used.
_PEER = ("remote", "remote_ip", "remote_addr", "ip", "ip_addr")
_SCHEME = ("scheme", "protocol")
_QUERY = ("query_string", "query", "query_params")

#: Request for a page, if none is given.
_ANY_PAGE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"accept", b"text/html")]}


class PageSnippet(str):  # noqa: SLOT000  # it has an attribute
    """Script elements of one page, which template engines insert without escaping.

    Attributes:
        headers: headers to add to the page's response, such as ``Set-Cookie`` and ``Cache-Control``.
    """

    headers: tuple[tuple[str, str], ...]

    def __new__(cls, html: str = "", headers: Iterable[tuple[str, str]] = ()) -> Self:
        """Make a snippet of HTML and headers."""
        made = super().__new__(cls, html)
        made.headers = tuple(headers)
        return made

    def __html__(self) -> str:
        return str(self)


class OtherServers:
    """The part of :class:`~tiktok_middleware.Client` for servers that speak neither ASGI nor WSGI."""

    if TYPE_CHECKING:
        config: Config
        runtime: Runtime
        exchange: Callable[[RequestView], Exchange]
        carry_out: Callable[[Exchange, Commit], Forward | None]
        carry_out_async: Callable[[Exchange, Commit], Awaitable[Forward | None]]
        finish: Callable[[Exchange], Future[list[Claim]] | None]
        wait_async: Callable[[Future[list[Claim]]], Awaitable[object]]
        answer: Callable[[RequestView], Answer | Wanted | None]
        collect: Callable[[RequestView, bytes], Answer]
        collect_async: Callable[[RequestView, bytes], Awaitable[Answer]]

    def snippet(
        self,
        request: object = None,
        *,
        events: Iterable[tuple[str, Mapping[str, object]]] = (),
        identity: Mapping[str, Any] | None = None,
        nonce: str = "",
    ) -> PageSnippet:
        """Return the script elements of one page, for the end of its head.

        ::

            snippet = client.snippet(request, events=[("ViewContent", {"value": 24, "currency": "EUR"})])

        Add ``snippet.headers`` to the page's response, and answer requests below ``TIKTOK_ENDPOINT`` with
        :meth:`respond`. On an event loop use :meth:`snippet_async`.

        Args:
            request: request for the page: an ASGI scope, a WSGI environ, or an object with ``method``, ``path`` and
                ``headers``, such as requests of aiohttp, Tornado, Sanic and Robyn. None for a page that a cache keeps
                for all visitors.
            events: names and parameters, as for :meth:`Tracker.track`.
            identity: fields of :meth:`Tracker.identify`.
            nonce: nonce of the page's Content Security Policy.

        Raises:
            EventError: an event cannot be sent, in strict mode; otherwise it is logged once and counted.
            TypeError: this is no request, in strict mode; otherwise the snippet is empty and it is logged once.
        """
        exchange = self._page(request, events, identity, nonce)
        if exchange is None:
            return PageSnippet()
        steps = _Steps(exchange)
        for step in steps:
            steps.take(self.carry_out(exchange, step) if isinstance(step, Commit) else step)
        self.finish(exchange)
        return steps.made

    async def snippet_async(
        self,
        request: object = None,
        *,
        events: Iterable[tuple[str, Mapping[str, object]]] = (),
        identity: Mapping[str, Any] | None = None,
        nonce: str = "",
    ) -> PageSnippet:
        """Return the same as :meth:`snippet` without blocking the event loop."""
        exchange = self._page(request, events, identity, nonce)
        if exchange is None:
            return PageSnippet()
        steps = _Steps(exchange)
        for step in steps:
            steps.take(await self.carry_out_async(exchange, step) if isinstance(step, Commit) else step)
        late = self.finish(exchange)
        if late is not None:
            await self.wait_async(late)
        return steps.made

    def respond(self, request: object, body: bytes = b"") -> Answer | None:
        """Return ``status``, ``headers`` and ``body`` for a request below the endpoint; None for a request to the app.

        Args:
            request: as for :meth:`snippet`.
            body: body of the request.
        """
        own = self._own(request)
        return self.collect(own.request, body[: own.limit_bytes + 1]) if isinstance(own, Wanted) else own

    async def respond_async(self, request: object, body: bytes = b"") -> Answer | None:
        """Return the same as :meth:`respond` without blocking the event loop."""
        own = self._own(request)
        return await self.collect_async(own.request, body[: own.limit_bytes + 1]) if isinstance(own, Wanted) else own

    def _own(self, request: object) -> Answer | Wanted | None:
        view = self._view(request)
        return None if view is None else self.answer(view)

    def _page(
        self,
        request: object,
        events: Iterable[tuple[str, Mapping[str, object]]],
        identity: Mapping[str, Any] | None,
        nonce: str,
    ) -> Exchange | None:
        """Return the exchange of a page that another server makes; None if the request cannot be read."""
        view = self._view(request)
        if view is None:
            return None
        exchange = self.exchange(view)
        if request is None:
            exchange.tracker.shared()
        exchange.state.nonce = nonce
        if identity:
            exchange.tracker.identify(**identity)
        for event, properties in events:
            exchange.tracker.track(event, properties)
        return exchange

    def _view(self, request: object) -> RequestView | None:
        try:
            raw = scope_of(request)
        except TypeError as error:
            if self.config.strict:
                raise
            self.runtime.notices.once("snippet", str(error))
            return None
        return (EnvironRequest if "REQUEST_METHOD" in raw else ScopeRequest)(raw, self.runtime.proxies)


class _Steps:
    """Steps of an exchange for a response with the smallest document."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    def __iter__(self) -> Iterator[Step]:
        yield self._exchange.response_started(200, list(_HEAD))
        yield self._exchange.body_received(_BEFORE + _AFTER, last=True)

    def take(self, step: Step) -> None:
        if isinstance(step, Forward):
            self._body += step.body
            self._headers += [(str(name), str(value)) for name, value in step.headers or ()]

    @property
    def made(self) -> PageSnippet:
        if not (self._body.startswith(_BEFORE) and self._body.endswith(_AFTER)):
            return PageSnippet("", [pair for pair in self._headers if pair not in _HEAD])
        script = self._body[len(_BEFORE) : len(self._body) - len(_AFTER)].decode("utf-8")
        return PageSnippet(script, [pair for pair in self._headers if pair not in _HEAD])


def scope_of(request: Any) -> MutableMapping[str, Any]:
    """Return the ASGI scope of a request.

    Args:
        request: an ASGI scope or WSGI environ; or an object with ``method``, ``path`` and ``headers``, and optionally
            query, scheme, host and peer, such as requests of aiohttp, Tornado, Sanic and Robyn; None for any page.

    Raises:
        TypeError: the request is none of these.
    """
    if request is None:
        return dict(_ANY_PAGE)
    if isinstance(request, Mapping) and ("REQUEST_METHOD" in request or "type" in request):
        return dict(request)
    url, method, headers = getattr(request, "url", None), getattr(request, "method", None), _headers(request)
    path = getattr(request, "path", None) or getattr(url, "path", None)
    if not isinstance(method, str) or not isinstance(path, str) or headers is None:
        raise TypeError(
            f"request is {type(request).__module__}.{type(request).__qualname__}; allowed: an ASGI scope, a WSGI"
            " environ, or an object with method, path and headers"
        )
    path, _, query = path.partition("?")
    peer, host = _first(request, _PEER), _first(request, ("host",)) or _first(url, ("host",))
    if host and all(name != b"host" for name, _ in headers):
        headers.append((b"host", host.encode("latin-1", "replace")))
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method.upper(),
        "path": unquote(path),
        "raw_path": path.encode("utf-8", "replace"),
        "root_path": "",
        "query_string": (query or _query(request, url)).encode("utf-8", "replace"),
        "scheme": _first(request, _SCHEME) or _first(url, ("scheme",)) or "http",
        "headers": headers,
        "client": (peer, 0) if peer else None,
        "server": None,
    }


def _headers(request: Any) -> list[tuple[bytes, bytes]] | None:
    given: Any = getattr(request, "headers", None)
    if isinstance(given, Mapping):
        pairs: Any = given.items()
    else:  # Robyn: a list of values for each name
        pairs = given.get_headers().items() if hasattr(given, "get_headers") else given
    if pairs is None:
        return None
    return [
        (_latin1(name).lower(), _latin1(value))
        for name, values in pairs
        for value in (values if isinstance(values, (list, tuple)) else (values,))
    ]


def _latin1(text: object) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin-1", "replace")


def _query(request: Any, url: Any) -> str:
    for name in _QUERY:
        found: Any = getattr(request, name, None)
        if found and isinstance(found, (str, bytes)):
            return found.decode("latin-1") if isinstance(found, bytes) else found
        pairs = found.to_dict() if hasattr(found, "to_dict") else None  # Robyn
        if pairs:
            return "&".join(
                f"{quote(str(key))}={quote(str(value))}" for key, values in pairs.items() for value in values
            )
    return urlsplit(str(url)).query if url is not None else ""


def _first(holder: Any, names: Iterable[str]) -> str:
    found = (getattr(holder, name, "") for name in names)
    return next((value for value in found if isinstance(value, str) and value), "")
