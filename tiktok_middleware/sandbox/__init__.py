"""Local stand-in for TikTok: Events API, pixel script and inspector page.

The sandbox is as strict as TikTok's protocol: a request that passes here is correct for TikTok too::

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
    """Return the application with default settings; it is created on the first access to ``app``."""
    if name != "app":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    made = create_app()
    # Stored, so that every access returns the same sandbox: two sandboxes would hold half of the events each.
    globals()["app"] = made
    return made
