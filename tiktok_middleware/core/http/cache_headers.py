"""Recognize response headers that control one shared cache, such as a CDN."""

from __future__ import annotations

__all__ = ["is_targeted"]

#: Vendors' own header names, in addition to names that end in ``CDN-Cache-Control`` (RFC 9213).
_VENDORS = frozenset({"surrogate-control", "edge-control"})


def is_targeted(name: str) -> bool:
    """Return whether a header controls one shared cache. Such a header overrides ``Cache-Control`` in that cache.

    Args:
        name: header name, lower-case.
    """
    return name.endswith("cdn-cache-control") or name in _VENDORS
