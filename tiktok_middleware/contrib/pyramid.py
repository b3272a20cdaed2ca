"""Pyramid: ``config.include("tiktok_middleware.contrib.pyramid")``, ``app = TikTokMiddleware(config.make_wsgi_app())``.

Then ``request.tiktok`` or, typed, ``tiktok_from(request)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from pyramid.config import Configurator
from pyramid.request import Request

from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.client import Client
from tiktok_middleware.core.tracking.current import tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

__all__ = ["TikTokMiddleware", "TikTokRequest", "includeme", "tiktok_from"]

attach_to_requests()

_PREFIX = "tiktok."


class TikTokRequest(Protocol):
    """Type of a request that has a tracker; the framework publishes no types that this one could extend."""

    @property
    def tiktok(self) -> Tracker:
        """Return the tracker of this request."""
        ...


def tiktok_from(request: Request) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the middleware is not around the app.
    """
    environ: Mapping[str, Any] = cast("Any", request).environ  # webob sets it without declaring it
    return tracker_of(environ)


def includeme(config: Configurator) -> None:
    """Add ``request.tiktok`` to the app's own request factory too; called by ``config.include``."""
    config.add_request_method(_tracker, "tiktok", property=True)


def _tracker(request: Request) -> Tracker:
    try:
        return tiktok_from(request)
    except LookupError as error:
        raise AttributeError(str(error)) from None


class TikTokMiddleware(WsgiMiddleware):
    """Middleware around the app that ``config.make_wsgi_app()`` returns.

    Options come from the environment; settings such as ``tiktok.pixel_id`` take precedence. ``pyramid.debug_all``
    does not make the middleware strict: set ``tiktok.strict = true`` for that.

    Args:
        app: the app.
        client: a client to use instead of these options.

    Raises:
        ConfigError: an option is malformed.
    """

    def __init__(self, app: Any, client: Client | None = None) -> None:
        super().__init__(app, client if client is not None else _client_of(app))


def _client_of(app: Any) -> Client:
    settings: Mapping[str, Any] = getattr(getattr(app, "registry", None), "settings", None) or {}
    options = {name.removeprefix(_PREFIX): value for name, value in settings.items() if name.startswith(_PREFIX)}
    return Client.from_env(**options)
