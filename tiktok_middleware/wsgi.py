"""Adapter for WSGI (PEP 3333): translates iterables into calls of the exchange, which decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from tiktok_middleware._bounded_read import read_within
from tiktok_middleware._wsgi_body import WsgiBody
from tiktok_middleware._wsgi_response import PASSING, StartResponse, WsgiResponse
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.tracking.current import tracker_var

if TYPE_CHECKING:
    from tiktok_middleware.client import Client

__all__ = ["TikTokMiddleware"]

Environ = dict[str, Any]
#: Environ and start_response, each as its framework types it.
WSGIApp = Callable[..., Iterable[bytes]]


# Exact types only: a subclass may have a close().
_WHOLE = (list, tuple)


class TikTokMiddleware:
    """Wrap any WSGI app.

    Args:
        app: the app.
        client: the client; made from the environment if not given.

    Raises:
        ConfigError: a variable is malformed.
        WrapError: the app is no WSGI app, or wrapped already with other settings.
    """

    def __init__(self, app: WSGIApp, client: Client | None = None) -> None:
        self.app = app
        self.client: Client = client if client is not None else _client()
        _check_app(app, self.client)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        client = self.client
        if client.runtime.endpoint in (environ.get("PATH_INFO") or ""):
            own = client.own_response(environ)
            if own is not None:
                return _answered(own, client, environ, start_response)
        tracker = client.begin(environ)
        if tracker is None:
            return self.app(environ, start_response)
        attach_to_requests()
        tracker_var.set(tracker)
        response = WsgiResponse(tracker, client, start_response)
        try:
            iterable = self.app(environ, response.start)
        except BaseException:
            response.give_up()
            raise
        kind = type(iterable)
        # A generator runs code of the app, so the tracker must stay current until the generator ends.
        if kind is not GeneratorType and (response.state == PASSING or response.passes):
            response.finish()
            return iterable  # the app's own object: servers recognise files by its identity
        if kind in _WHOLE:
            return response.whole(iterable)  # type: ignore[arg-type]  # a list or a tuple
        body = WsgiBody(iterable, response)
        if response.holds_head:
            body.begin()
        return body


def _answered(own: Answer | Wanted, client: Client, environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Send our own response."""
    if isinstance(own, Wanted):
        body = _body(environ, own.limit_bytes + 1)
        own = client.collect(own.request, body) if body is not None else client.unfinished()
    start_response(own.status_line, own.headers)
    return [own.body]


def _body(environ: Environ, limit_bytes: int) -> bytes | None:
    """Read the request's body up to the limit; return None if it does not come in time."""
    length = str(environ.get("CONTENT_LENGTH") or "")
    if length.isdecimal():
        limit_bytes = min(int(length[:10]), limit_bytes)
    elif not environ.get("wsgi.input_terminated"):
        return b""  # a read might block for ever
    return read_within(environ, limit_bytes) if limit_bytes else b""


def _client() -> Client:
    from tiktok_middleware.client import Client  # noqa: PLC0415  # keeps the import of an adapter fast

    return Client.from_env()


def _check_app(app: Any, client: Client) -> None:
    from tiktok_middleware._app_check import check_app  # noqa: PLC0415  # imports `inspect`: keeps the import fast

    check_app(app, "wsgi", client)
