"""Flask: ``TikTok(app)`` or ``init_app``, then ``request.tiktok`` or, typed, ``tiktok_from(request)``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request

from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.contrib._flask_config import AppClient, Extension
from tiktok_middleware.core.tracking.current import tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.wsgi import TikTokMiddleware

__all__ = ["TikTok", "TikTokRequest", "tiktok_from"]

attach_to_requests()


if TYPE_CHECKING:

    class TikTokRequest(Request):
        """Type of ``flask.request``, so that ``request.tiktok`` type-checks."""

        tiktok: Tracker

else:
    TikTokRequest = Request


def tiktok_from(request: Request) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the extension was not applied to the app.
    """
    return tracker_of(request.environ)


class _Middleware(TikTokMiddleware):
    """The middleware with the client of an app, whose configuration may change until the first request."""

    def __init__(self, app: Any, made: AppClient) -> None:
        super().__init__(app, made.current())
        self._made = made
        self._is_settled = False

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Handle one request."""
        if not self._is_settled:
            self.client, self._is_settled = self._made.settled(), True
        return super().__call__(environ, start_response)


class TikTok(Extension[Flask]):
    """Flask extension that wraps the app in the middleware.

    Options come from the environment; ``app.config["TIKTOK"]``, a dict such as ``{"pixel_id": ...}``, takes
    precedence. Flask's ``SECRET_KEY`` (and its fallbacks) sign if ``TIKTOK_SECRET_KEY`` is not set. Flask's debug mode
    makes the middleware strict. The configuration may change until the first request.

    Args:
        app: the app; None to call :meth:`init_app` later.
        client: a client to use instead of these options.

    Raises:
        ConfigError: an option is malformed.
    """

    _attribute = "wsgi_app"
    _middleware = _Middleware
