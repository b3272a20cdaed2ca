"""Set ``request.tiktok`` on the request classes of the frameworks that the process has imported.

No framework is imported here: a class is changed only after the app has imported its module itself.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.tracking.current import KEY, tracker_var

__all__ = ["attach_to_requests"]

log: logging.Logger = own_logger("tiktok_middleware")

_HINT = "request.tiktok needs TikTokMiddleware around the app"


def attach_to_requests() -> None:
    """Add ``request.tiktok`` to the request classes of the frameworks that are imported by now.

    Called for each request. A repeated call only compares the number of imported modules.
    """
    global _modules_seen  # noqa: PLW0603  # number of modules at the last call
    count = len(sys.modules)
    if count == _modules_seen or not _waiting:
        return
    with _lock:
        for entry in tuple(_waiting):
            module, name, attach = entry
            found = getattr(sys.modules.get(module), name, None)
            if found is not None:
                _waiting.remove(entry)
                _attach(attach, found)
        _modules_seen = count  # last: another thread that reads this count must find the attributes set


def _attach(attach: Callable[[Any], None], request_class: Any) -> None:
    """Attach, or log that this version of the framework is not supported."""
    try:
        attach(request_class)
    except Exception as error:  # noqa: BLE001  # optional: never fail the app's request
        name = f"{request_class.__module__}.{request_class.__qualname__}"
        log.warning(
            "request.tiktok cannot be set on %s (%s: %s): use tiktok_from(request) or tiktok_middleware.current()",
            name, type(error).__name__, error,
        )  # fmt: skip


def _as_property(raw_of: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Make ``request.tiktok`` a property.

    Args:
        raw_of: returns the ASGI scope or WSGI environ that a request holds.
    """

    def tiktok(request: Any) -> Any:
        """Return the tracker of this request."""
        try:
            return raw_of(request)[KEY]
        except (AttributeError, KeyError, TypeError):
            raise AttributeError(_HINT) from None

    def attach(request_class: Any) -> None:
        if not hasattr(request_class, "tiktok"):
            request_class.tiktok = property(tiktok)

    return attach


class _FromContext:
    """``req.context.tiktok``. It has no setter, so that an attribute of the instance takes precedence."""

    def __get__(self, context: Any, owner: type | None = None) -> Any:
        if context is None:
            return self
        tracker = tracker_var.get()
        if tracker is None:
            raise AttributeError("context.tiktok needs TikTokMiddleware around the app")
        return tracker


def _on_falcon_context(context_class: Any) -> None:
    if not hasattr(context_class, "tiktok"):
        context_class.tiktok = _FromContext()


def _on_sanic_request(request_class: Any) -> None:
    """Set ``request.ctx.tiktok``: the context is a plain namespace, made on first use."""
    _as_property(_sanic_scope)(request_class)
    made = request_class.ctx.fget

    def ctx(request: Any) -> Any:
        context = made(request)
        if not hasattr(context, "tiktok"):
            tracker = (getattr(request.transport, "scope", None) or {}).get(KEY)
            if tracker is not None:
                context.tiktok = tracker
        return context

    request_class.ctx = property(ctx, doc=request_class.ctx.__doc__)


def _on_blacksheep_app(app_class: Any) -> None:
    """Set ``request.tiktok`` when a request is handled: its class is compiled, so a property cannot be added."""
    handled = app_class.handle

    def handle(app: Any, request: Any) -> Any:
        tracker = (request.scope or {}).get(KEY)
        if tracker is not None:
            request.tiktok = tracker
        return handled(app, request)

    app_class.handle = handle


def _scope(request: Any) -> Any:
    return request.scope


def _environ(request: Any) -> Any:
    return request.environ


def _django_raw(request: Any) -> Any:
    scope = getattr(request, "scope", None)
    return request.META if scope is None else scope


def _falcon_raw(request: Any) -> Any:
    scope = getattr(request, "scope", None)
    return request.env if scope is None else scope


def _sanic_scope(request: Any) -> Any:
    return request.transport.scope


#: Module, class, and the function that attaches the tracker to it.
_CLASSES: tuple[tuple[str, str, Callable[[Any], None]], ...] = (
    ("starlette.requests", "HTTPConnection", _as_property(_scope)),
    ("flask.wrappers", "Request", _as_property(_environ)),
    ("django.http.request", "HttpRequest", _as_property(_django_raw)),
    ("litestar.connection.base", "ASGIConnection", _as_property(_scope)),
    ("quart.wrappers.base", "BaseRequestWebsocket", _as_property(_scope)),
    ("falcon.request", "Request", _as_property(_falcon_raw)),
    ("falcon.util.structures", "Context", _on_falcon_context),
    ("pyramid.request", "Request", _as_property(_environ)),
    ("bottle", "BaseRequest", _as_property(_environ)),
    ("sanic.request.types", "Request", _on_sanic_request),
    ("blacksheep.server.application", "Application", _on_blacksheep_app),
)
_waiting = list(_CLASSES)
_lock = threading.Lock()
_modules_seen = 0
