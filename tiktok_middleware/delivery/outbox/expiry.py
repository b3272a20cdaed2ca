"""When a stored event expires, and how its failure reason is shown."""

from __future__ import annotations

import re

from tiktok_middleware._printable import printable
from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S

__all__ = ["IMPORTED_TTL_S", "PAIRED_TTL_S", "UNPAIRED_TTL_S", "reason_code", "shown_reason", "ttl_s"]

UNPAIRED_TTL_S = 7 * 86400
"""TikTok's default click-through window; TikTok does not attribute older events (TikTok, 1.11)."""

IMPORTED_TTL_S = 28 * 86400
"""TikTok's longest click-through window. For offline and CRM events, which have no browser copy."""

_CODE = re.compile(r"\d{5}(?=\b)|HTTP \d{3}")
_VARYING = re.compile(r"\(request [^)]*\)|\d+")
_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def shown_reason(reason: str) -> str:
    """Return the reason without control characters and without identity hashes that TikTok may quote."""
    return printable(_HASH.sub("<hash>", reason))


def reason_code(reason: str) -> str:
    """Return a code that failures of the same cause share.

    It is TikTok's code, the HTTP status, or the reason without numbers. The full message differs each time, since
    TikTok names the event and the request in it.
    """
    found = _CODE.match(reason)
    return found[0] if found else _VARYING.sub("", shown_reason(reason)).strip()


def ttl_s(is_paired: bool, source: str = "web") -> int:
    """Return the age in seconds above which an event is no longer sent; shorter if its browser copy was handed out."""
    if source != "web":
        return IMPORTED_TTL_S
    return PAIRED_TTL_S if is_paired else UNPAIRED_TTL_S
