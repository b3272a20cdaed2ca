"""BlackSheep: ``app = TikTokMiddleware(app)``, then ``request.tiktok`` or, typed, ``tiktok_from(request)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blacksheep import Application, Request

from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.client import Client
from tiktok_middleware.core.tracking.current import tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["TikTokMiddleware", "TikTokRequest", "tiktok_from"]

attach_to_requests()

if TYPE_CHECKING:

    class TikTokRequest(Request):
        """Type of a request, so that ``request.tiktok`` type-checks."""

        tiktok: Tracker

else:
    TikTokRequest = Request


def tiktok_from(request: Request) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the middleware is not around the app.
    """
    scope: Any = request.scope  # None once the response has left
    return tracker_of(scope or {})


class TikTokMiddleware(AsgiMiddleware):
    """Middleware around a BlackSheep app.

    Args:
        app: the app.
        client: a client to use; by default one with options from the environment, in debug mode if the app shows
            error details.

    Raises:
        ConfigError: an option is malformed.
    """

    def __init__(self, app: Any, client: Client | None = None) -> None:
        is_debug = isinstance(app, Application) and bool(app.show_error_details)
        super().__init__(app, client if client is not None else Client.from_env(is_debug=is_debug))
