"""Create the sandbox application: its routes and its state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from tiktok_middleware.sandbox import api, control, inspector, pixel
from tiktok_middleware.sandbox.settings import Settings
from tiktok_middleware.sandbox.state import Sandbox
from tiktok_middleware.sandbox.store import Conversion, Ledger

__all__ = ["create_app"]


def create_app(
    *,
    limit_events: int = 10_000,
    clock: Callable[[], float] = time.time,
    on_state: Callable[[Conversion], None] | None = None,
    **switches: Any,
) -> Starlette:
    """Return a sandbox as an ASGI application; each application has its own state.

    Args:
        limit_events: how many events are kept.
        clock: Unix seconds, UTC.
        on_state: called with a conversion whose state has changed, such as from ``browser_only`` to ``matched``.
        **switches: the fields of ``Settings``, such as ``pixel_delay_ms=0`` or ``api_mode="503"``.

    Raises:
        ConfigError: a switch has an unknown name or value.
    """
    initial = Settings().changed(switches)
    app = Starlette(
        routes=[
            Route("/open_api/v1.3/event/track/", api.track, methods=["POST"]),
            Route("/i18n/pixel/events.js", pixel.events_js, methods=["GET"]),
            Route("/api/v2/pixel", pixel.collect, methods=["POST", "OPTIONS"]),
            Route("/sandbox/health", control.health, methods=["GET"]),
            Route("/sandbox/events", control.events, methods=["GET"]),
            Route("/sandbox/requests", control.requests, methods=["GET"]),
            Route("/sandbox/settings", control.settings, methods=["GET", "POST"]),
            Route("/sandbox/reset", control.reset, methods=["POST"]),
            Route("/", inspector.page, methods=["GET"]),
        ]
    )
    # TikTok serves the path with its trailing slash only; a redirect would hide a client that omits the slash.
    app.router.redirect_slashes = False
    app.state.sandbox = Sandbox(initial, Ledger(limit_events, on_state), clock)
    app.state.initial = initial
    return app
