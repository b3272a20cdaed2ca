"""Jinja environment and static files of the pages, the same for every framework."""

from __future__ import annotations

import mimetypes
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment

from . import cart, catalogue, checkout

__all__ = ["STATIC", "TEMPLATES", "environment", "prepare", "static_file"]

TEMPLATES = Path(__file__).resolve().parent / "templates"
STATIC = TEMPLATES.with_name("static")


def environment(**options: Any) -> Environment:
    """Return a prepared environment with these options, as Django's Jinja2 backend requires."""
    jinja = Environment(**options)  # Django's options turn escaping on
    prepare(jinja)
    return jinja


def prepare(jinja: Environment) -> None:
    """Add the filters and globals of the templates to a framework's environment."""
    jinja.filters["euros"] = _euros
    jinja.globals.update(
        countries=checkout.COUNTRIES,
        products=catalogue.PRODUCTS,
        free_shipping_cents=cart.FREE_SHIPPING_CENTS,
        most_at_once=cart.MOST_AT_ONCE,
        asks_consent=os.environ.get("TIKTOK_CONSENT") == "required",
        inspector_url=os.environ.get("SHOP_INSPECTOR_URL", ""),
        year=datetime.now(timezone.utc).year,
    )


def static_file(name: str) -> tuple[bytes, str] | None:
    """Return content and media type of a file below STATIC, or None; for frameworks that do not serve files."""
    path = (STATIC / name).resolve()
    if not (path.is_file() and path.is_relative_to(STATIC)):
        return None
    return path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _euros(cents: int, *, exact: bool = False) -> str:
    """Return `€24` or `€4.90`; with ``exact``, for columns of sums, `€24.00`."""
    whole, rest = divmod(cents, 100)
    return f"€{whole:,}.{rest:02}" if rest or exact else f"€{whole:,}"
