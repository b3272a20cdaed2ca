"""Starlette: ``app.add_middleware(TikTokMiddleware)``, then ``request.tiktok`` or, typed, ``tiktok_from(request)``."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from tiktok_middleware.asgi import TikTokMiddleware
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.core.tracking.current import tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["TikTokMiddleware", "tiktok_from"]

attach_to_requests()


def tiktok_from(request: HTTPConnection) -> Tracker:
    """The tracker of this request.

    Raises:
        LookupError: the middleware is not around the app.
    """
    return tracker_of(request.scope)
