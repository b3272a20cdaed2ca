"""Starlette: ``app.add_middleware(TikTokMiddleware)``, then ``request.tiktok`` or, typed, ``tiktok_from(request)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection, Request

from tiktok_middleware.asgi import TikTokMiddleware
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.core.tracking.current import tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["TikTokMiddleware", "TikTokRequest", "tiktok_from"]

attach_to_requests()


if TYPE_CHECKING:

    class TikTokRequest(Request):
        """Annotation for a view's ``request``, so that ``request.tiktok`` type-checks."""

        tiktok: Tracker

else:
    TikTokRequest = Request


def tiktok_from(request: HTTPConnection) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the middleware is not around the app.
    """
    return tracker_of(request.scope)
