"""Make the path prefix of the middleware's own addresses from a request's mount point."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

__all__ = ["url_prefix"]


@lru_cache(maxsize=256)
def url_prefix(mount: str) -> str:
    """Return the mount point as a path prefix: empty, or with exactly one leading slash and no trailing slash.

    Proxies and visitors can control its value (``root_path``, ``SCRIPT_NAME``, ``X-Forwarded-Prefix``). With a second
    leading slash, browsers would read the rest as a host. They also read a backslash as a slash, and skip tabs.

    Args:
        mount: the decoded mount point, in any form.
    """
    path = quote(mount, errors="replace").strip("/")
    return f"/{path}" if path else ""
