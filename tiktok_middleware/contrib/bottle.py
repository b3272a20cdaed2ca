"""Bottle: ``app = TikTokMiddleware(app)``, then ``request.tiktok`` or, typed, ``tiktok_from(request)``."""

from __future__ import annotations

from typing import Any, Protocol

import bottle

from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.client import Client
from tiktok_middleware.core.tracking.current import tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

__all__ = ["TikTokMiddleware", "TikTokRequest", "tiktok_from"]

attach_to_requests()

_PREFIX = "tiktok."


class TikTokRequest(Protocol):
    """Type of a request that has a tracker; the framework publishes no types that this one could extend."""

    @property
    def tiktok(self) -> Tracker:
        """Return the tracker of this request."""
        ...


def tiktok_from(request: bottle.BaseRequest) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the middleware is not around the app.
    """
    return tracker_of(request.environ)


class TikTokMiddleware(WsgiMiddleware):
    """Middleware around a Bottle app.

    Options come from the environment; ``app.config["tiktok.pixel_id"]`` and the like take precedence.

    Args:
        app: the app; by default Bottle's default app.
        client: a client to use instead of these options.

    Raises:
        ConfigError: an option is malformed.
    """

    def __init__(self, app: Any = None, client: Client | None = None) -> None:
        app = bottle.default_app() if app is None else app
        super().__init__(app, client if client is not None else _client_of(app))


def _client_of(app: Any) -> Client:
    config = dict(getattr(app, "config", None) or {})
    options = {name.removeprefix(_PREFIX): value for name, value in config.items() if name.startswith(_PREFIX)}
    return Client.from_env(is_debug=bool(bottle.DEBUG), **options)
