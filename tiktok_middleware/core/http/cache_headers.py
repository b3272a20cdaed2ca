"""Response headers by which an app tells one shared cache, such as a CDN, what it may keep."""

from __future__ import annotations

__all__ = ["is_targeted"]

#: Vendors' own names, beside those that end in ``CDN-Cache-Control`` (RFC 9213).
_VENDORS = frozenset({"surrogate-control", "edge-control"})


def is_targeted(name: str) -> bool:
    """Return whether a header speaks to one shared cache, so that it outranks ``Cache-Control`` there.

    Args:
        name: lower-case.
    """
    return name.endswith("cdn-cache-control") or name in _VENDORS
