"""Frameworks, one file each; here only their names and how ``request.tiktok`` gets onto their request classes.

A class is touched only once its module is imported by the app itself: this file imports no framework.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from tiktok_middleware.core.tracking.current import KEY

__all__ = ["attach_to_requests"]


def _from_scope(request: Any) -> Any:
    return request.scope[KEY]


def _from_environ(request: Any) -> Any:
    return request.environ[KEY]


def _from_meta(request: Any) -> Any:
    raw = getattr(request, "scope", None)
    return (request.META if raw is None else raw)[KEY]


#: Module, class and where an instance of it keeps the raw request.
_REQUESTS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("starlette.requests", "HTTPConnection", _from_scope),
    ("flask.wrappers", "Request", _from_environ),
    ("django.http.request", "HttpRequest", _from_meta),
)
_left = list(_REQUESTS)
_lock = threading.Lock()
_seen_modules = 0


def attach_to_requests() -> None:
    """Give ``request.tiktok`` to the request classes of the frameworks that are imported by now."""
    global _seen_modules  # noqa: PLW0603  # how many modules there were at the last look
    count = len(sys.modules)
    if not _left or count == _seen_modules:
        return
    with _lock:
        for entry in tuple(_left):
            module, name, read = entry
            found = getattr(sys.modules.get(module), name, None)
            if found is not None:
                if not hasattr(found, "tiktok"):
                    found.tiktok = property(_or_attribute_error(read))
                _left.remove(entry)
        _seen_modules = count  # last: whoever sees it finds the properties there


def _or_attribute_error(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def tiktok(request: Any) -> Any:
        """The tracker of this request."""
        try:
            return read(request)
        except KeyError:
            raise AttributeError("request.tiktok needs TikTokMiddleware around the app") from None

    return tiktok
