"""Recognize response headers that are instructions for a proxy in front of the app."""

from __future__ import annotations

__all__ = ["is_file_order", "is_targeted"]

#: Vendors' own header names, in addition to names that end in ``CDN-Cache-Control`` (RFC 9213).
_VENDORS = frozenset({"surrogate-control", "edge-control", "x-litespeed-cache-control"})

#: Headers that make a proxy send a file of its own instead of the response's body: of nginx, Apache and others,
#: lighttpd, and Perlbal.
_FILE_ORDERS = frozenset(
    {"x-accel-redirect", "x-sendfile", "x-sendfile2", "x-lighttpd-send-file", "x-reproxy-url", "x-reproxy-file"}
)


def is_targeted(name: str) -> bool:
    """Return whether a header controls one shared cache. Such a header overrides ``Cache-Control`` in that cache.

    Args:
        name: header name, lower-case.
    """
    return name.endswith("cdn-cache-control") or name in _VENDORS


def is_file_order(name: str) -> bool:
    """Return whether a header makes a proxy replace the response's body by a file.

    Args:
        name: header name, lower-case.
    """
    return name in _FILE_ORDERS
