"""Sanic as an ASGI app: ``app = TikTokMiddleware(app)``, then ``request.ctx.tiktok``.

``tiktok_from(request)`` returns the same, typed. Sanic's own server does not use ASGI: the app refuses to start there.
"""

from __future__ import annotations

from typing import Any

from sanic import Sanic
from sanic.request import Request

from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.client import Client
from tiktok_middleware.core.tracking.current import KEY, tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.errors import WrapError

__all__ = ["TikTokMiddleware", "tiktok_from"]

attach_to_requests()


def tiktok_from(request: Request[Any, Any]) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the middleware is not around the app, or Sanic's own server runs it.
    """
    return tracker_of(getattr(request.transport, "scope", None) or {})


class TikTokMiddleware(AsgiMiddleware):
    """Middleware around a Sanic app that an ASGI server runs.

    Options come from the environment; ``app.config.TIKTOK``, a dict such as ``{"pixel_id": ...}``, takes precedence.

    Args:
        app: the app.
        client: a client to use instead of these options.

    Raises:
        ConfigError: an option is malformed.
    """

    def __init__(self, app: Any, client: Client | None = None) -> None:
        super().__init__(app, client if client is not None else _client_of(app))
        if isinstance(app, Sanic):
            app.register_middleware(_set_tracker, "request")
            app.register_listener(_refuse_own_server, "before_server_start")


async def _set_tracker(request: Any) -> None:
    scope = getattr(request.transport, "scope", None)
    if scope is not None and KEY in scope:
        request.ctx.tiktok = scope[KEY]


async def _refuse_own_server(app: Any, *_: object) -> None:
    if not app.asgi:
        raise WrapError(
            "Sanic's own server does not call TikTokMiddleware: run the wrapped app under an ASGI server"
            " (uvicorn module:app), or see docs/recipes.md for Sanic's own server"
        )


def _client_of(app: Any) -> Client:
    config = getattr(app, "config", None)
    options: dict[str, Any] = getattr(config, "TIKTOK", None) or {} if isinstance(app, Sanic) else {}
    return Client.from_env(is_debug=bool(getattr(app, "debug", False)), **options)
