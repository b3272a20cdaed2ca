"""The tracker of the request that this code runs in, for code far from the request."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktok_middleware.core.tracker import Tracker

__all__ = ["KEY", "tracker_var"]

#: Where raw ASGI scopes and WSGI environs hold the tracker (PEP 3333 wants a dot in such keys).
KEY = "tiktok_middleware.tracker"

tracker_var: ContextVar[Tracker | None] = ContextVar("tiktok_middleware_tracker", default=None)
