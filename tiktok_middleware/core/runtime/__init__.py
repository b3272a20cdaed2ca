"""Prepare one configuration at start, so that requests look up values instead of computing them."""

from tiktok_middleware.core.runtime.bounded_cache import BoundedCache
from tiktok_middleware.core.runtime.from_config import ROUTE, make_runtime, page_events
from tiktok_middleware.core.runtime.interfaces import Notices
from tiktok_middleware.core.runtime.runtime import Runtime

__all__ = ["ROUTE", "BoundedCache", "Notices", "Runtime", "make_runtime", "page_events"]
