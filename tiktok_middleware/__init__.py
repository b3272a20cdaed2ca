"""TikTok Pixel and Events API for any WSGI or ASGI app: one line around the app, one call in a view.

::

     browser                                                                                  TikTok
        |  request                                                                               ^
        v                                                                                        |
     asgi.py / wsgi.py --> request --> visitor --> tracker <-- the view calls track()            |
        ^                                             |                                          |
        |  response + snippet <-- head end <-- snippet <-- route --> outbox --> relay --> sink --+
                              core/response/exchange.py      delivery/

An adapter passes each request to an :class:`~tiktok_middleware.core.response.exchange.Exchange`: the response starts,
its body arrives, events are committed, the script goes into the page, the response ends. The browser's copy of a
tracked event leaves with the response, the server's copy leaves through the outbox, both with one ``event_id``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tiktok_middleware.errors import ConfigError, EventError, OutboxError, TikTokError, TokenError

if TYPE_CHECKING:
    from tiktok_middleware.client import Client
    from tiktok_middleware.config import Config
    from tiktok_middleware.core.events.event import Event
    from tiktok_middleware.core.tracking.tracker import Tracker

__version__ = "0.2.0"

__all__ = [
    "Client",
    "Config",
    "ConfigError",
    "Event",
    "EventError",
    "OutboxError",
    "TikTokError",
    "TokenError",
    "Tracker",
    "current",
]

_HOMES = {
    "Client": "tiktok_middleware.client",
    "Config": "tiktok_middleware.config",
    "Event": "tiktok_middleware.core.events.event",
    "Tracker": "tiktok_middleware.core.tracking.tracker",
}


def __getattr__(name: str) -> Any:
    """Import a public name's module on first use, so that importing the package stays fast."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def current() -> Tracker:
    """Return the tracker of the current request.

    Raises:
        LookupError: no request is being handled here, or the middleware is not around the app.
    """
    from tiktok_middleware.core.tracking.current import tracker_var  # noqa: PLC0415  # see __getattr__

    tracker = tracker_var.get()
    if tracker is None:
        raise LookupError("no request is being handled here: use it inside a view behind TikTokMiddleware")
    return tracker
