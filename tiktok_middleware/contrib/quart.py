"""Quart: ``TikTok(app)`` or ``init_app``, then ``request.tiktok`` or, typed, ``tiktok_from(request)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quart import Quart, Request, Websocket

from tiktok_middleware.asgi import TikTokMiddleware
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.contrib._flask_config import AppClient, Extension
from tiktok_middleware.core.tracking.current import tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["TikTok", "TikTokRequest", "tiktok_from"]

attach_to_requests()

if TYPE_CHECKING:

    class TikTokRequest(Request):
        """Annotation for a request, so that ``request.tiktok`` type-checks."""

        tiktok: Tracker

else:
    TikTokRequest = Request


def tiktok_from(request: Request | Websocket) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the extension was not applied to the app.
    """
    return tracker_of(request.scope)


class _Middleware(TikTokMiddleware):
    """The middleware with the client of an app, whose configuration may change until the first request."""

    def __init__(self, app: Any, made: AppClient) -> None:
        super().__init__(app, made.current())
        self._made = made
        self._is_settled = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one connection."""
        if not self._is_settled and scope["type"] != "lifespan":  # before_serving may still load the configuration
            self.client, self._is_settled = self._made.settled(), True
        await super().__call__(scope, receive, send)


class TikTok(Extension[Quart]):
    """Quart extension that wraps the app in the middleware.

    Options come from the environment; ``app.config["TIKTOK"]``, a dict such as ``{"pixel_id": ...}``, takes
    precedence. Quart's ``SECRET_KEY`` (and its fallbacks) sign if ``TIKTOK_SECRET_KEY`` is not set. Quart's debug mode
    makes the middleware strict. The configuration may change until the first request.

    Args:
        app: the app; None to call :meth:`init_app` later.
        client: a client to use instead of these options.

    Raises:
        ConfigError: an option is malformed.
    """

    _attribute = "asgi_app"
    _middleware = _Middleware
