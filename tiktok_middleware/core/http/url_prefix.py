"""The path prefix of our own addresses, from what a request says the app is mounted under."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

__all__ = ["url_prefix"]


@lru_cache(maxsize=256)
def url_prefix(mount: str) -> str:
    """Return the mount point as the beginning of a path: empty, or with exactly one leading slash and none at its end.

    Proxies and visitors can write it (``root_path``, ``SCRIPT_NAME``, ``X-Forwarded-Prefix``). A second slash, or a
    backslash or a tab that browsers read as one or leave out, would make the rest a host.

    Args:
        mount: decoded, in any form.
    """
    path = quote(mount, errors="replace").strip("/")
    return f"/{path}" if path else ""
