"""Falcon, WSGI and ASGI: ``app = TikTokMiddleware(app)``, then ``req.context.tiktok``.

``tiktok_from(req)`` returns the same, typed.
"""

from __future__ import annotations

import contextlib
from typing import Any

import falcon
import falcon.asgi

from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.client import Client
from tiktok_middleware.core.tracking.current import KEY, tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

__all__ = ["TikTokMiddleware", "tiktok_from"]

attach_to_requests()


def tiktok_from(req: falcon.Request) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the middleware is not around the app.
    """
    return tracker_of(_raw(req))


def TikTokMiddleware(app: Any, client: Client | None = None) -> Any:  # noqa: N802  # one name in every contrib module
    """Wrap a Falcon app, WSGI or ASGI.

    Args:
        app: a ``falcon.App`` or ``falcon.asgi.App``, or one with other middleware around it.
        client: a client to use; by default one with options from the environment.

    Returns:
        The wrapped app, with the interface of the given one.

    Raises:
        ConfigError: a variable is malformed.
    """
    if isinstance(app, falcon.asgi.App):
        app.add_middleware(_AsgiContext())
        return AsgiMiddleware(app, client)
    if isinstance(app, falcon.App):
        app.add_middleware(_WsgiContext())
        return WsgiMiddleware(app, client)
    return (AsgiMiddleware if _speaks_asgi(app) else WsgiMiddleware)(app, client)


class _WsgiContext:
    """Set ``req.context.tiktok``, also on a custom ``context_type``."""

    def process_request(self, req: Any, resp: Any) -> None:  # noqa: ARG002  # Falcon's names
        _set(req)


class _AsgiContext:
    async def process_request(self, req: Any, resp: Any) -> None:  # noqa: ARG002  # Falcon's names
        _set(req)


def _set(req: Any) -> None:
    tracker = _raw(req).get(KEY)
    if tracker is None:
        return
    if isinstance(req.context, dict):
        req.context["tiktok"] = tracker
    else:
        with contextlib.suppress(AttributeError):  # a context with slots: current() and tiktok_from() still work
            req.context.tiktok = tracker


def _raw(req: Any) -> Any:
    return req.scope if isinstance(req, falcon.asgi.Request) else req.env


def _speaks_asgi(app: Any) -> bool:
    from tiktok_middleware._app_check import protocol_of  # noqa: PLC0415  # rarely needed

    return protocol_of(app) == "asgi"
