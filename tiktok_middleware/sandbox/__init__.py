"""A local stand-in for TikTok: Events API, pixel script and inspector; it knows nothing of the middleware it serves.

It is as strict as TikTok's protocol, so that what passes here is right there::

    uvicorn tiktok_middleware.sandbox:app --port 8001

    TIKTOK_API_URL=http://localhost:8001/open_api/v1.3
    TIKTOK_PIXEL_URL=http://localhost:8001/i18n/pixel/events.js
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiktok_middleware.sandbox.application import create_app
from tiktok_middleware.sandbox.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    app: Starlette

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> Starlette:
    """The application with default settings, made when a server first asks this module for ``app``."""
    if name != "app":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    made = create_app()
    # Kept, so that asking twice gives one sandbox and not two with half the events each.
    globals()["app"] = made
    return made
