"""Find the tracker of the current request, for code without access to the request object."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["KEY", "tracker_of", "tracker_var"]

#: Where raw ASGI scopes and WSGI environs hold the tracker (PEP 3333 requires a dot in such keys).
KEY = "tiktok_middleware.tracker"

tracker_var: ContextVar[Tracker | None] = ContextVar("tiktok_middleware_tracker", default=None)


def tracker_of(raw: Mapping[str, Any]) -> Tracker:
    """Return the tracker that a raw ASGI scope or WSGI environ holds.

    Raises:
        LookupError: the middleware is not around the app.
    """
    tracker: Tracker | None = raw.get(KEY)
    if tracker is None:
        raise LookupError("no tracker in this request: put TikTokMiddleware around the app")
    return tracker
