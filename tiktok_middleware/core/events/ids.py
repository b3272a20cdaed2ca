"""Make event ids from random bytes, from a key that counts once, or from the application's own id."""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64encode
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from operator import index
from typing import Any
from uuid import UUID

from tiktok_middleware.core.visitor.placeholders import is_placeholder
from tiktok_middleware.errors import EventError

__all__ = [
    "is_browser_id",
    "is_minted_now",
    "is_timed",
    "once_event_id",
    "read_event_id",
    "read_once",
    "timed_event_id",
]

_MAX_BROWSER_ID_CHARS = 256

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MIN_RANDOM_BYTES, _MAX_RANDOM_BYTES = 8, 26
_MAX_48_BITS = (1 << 48) - 1

_TIMED = re.compile(r"[0-9a-f]{28,64}")
_MINTED_WITHIN_S = 48 * 3600  # TikTok's deduplication window


def once_event_id(name: str, key: str) -> str:
    """Return the id of the event with this name and key: 32 URL-safe characters, the same on every host and release.

    It depends on no secret and no host, so that a webhook, a thank-you page and a later deployment agree.

    Args:
        name: the canonical event name.
        key: what the application calls this conversion, such as an order number.
    """
    # A name holds no NUL, so no other pair of name and key gives the same bytes.
    digest = sha256(f"once\0{name}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest[:24]).decode("ascii")


def timed_event_id(now_s: float, random_bytes: bytes) -> str:
    """Return a new id that sorts by time: 12 hexadecimal digits of milliseconds, then the random bytes in hexadecimal.

    Args:
        now_s: Unix seconds.
        random_bytes: 8 to 26 bytes (ids of 28 to 64 characters).

    Raises:
        ValueError: too few bytes to be unique, or more than 64 characters.
    """
    if not _MIN_RANDOM_BYTES <= len(random_bytes) <= _MAX_RANDOM_BYTES:
        raise ValueError(f"random_bytes has {len(random_bytes)} bytes; allowed: 8 to 26")
    milliseconds = min(max(int(now_s * 1000), 0), _MAX_48_BITS)
    return f"{milliseconds:012x}{random_bytes.hex()}"


def is_minted_now(event_id: str, now_s: float) -> bool:
    """Return whether an id has the form of :func:`timed_event_id` and a time within 48 hours of now, before or after.

    Older ones are no longer remembered as counted; a clock that is further off than this is wrong.

    Args:
        event_id: such as a browser makes.
        now_s: Unix seconds.
    """
    if _TIMED.fullmatch(event_id) is None:
        return False
    return abs(int(event_id[:12], 16) / 1000 - now_s) <= _MINTED_WITHIN_S


def is_timed(event_id: str) -> bool:
    """Return whether an id has the form of :func:`timed_event_id`, so that no application chose it."""
    return _TIMED.fullmatch(event_id) is not None


def read_event_id(value: object) -> str:
    """Return the application's own id as both channels carry it: as it is given, or its hash where it has another form.

    TikTok documents no length and no characters of an id; ours fits every header and cookie that may carry it.

    Args:
        value: a text, a number or a UUID; 1 to 64 letters, digits, ``_``, ``.``, ``:`` or ``-`` stay as they are.

    Raises:
        EventError: it is empty, stands for a missing value, or is of another type.
    """
    text = _key_text("event_id", value)
    if _ID.fullmatch(text):
        return text
    digest = sha256(f"event_id\0{text}".encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest[:24]).decode("ascii")


def is_browser_id(value: str) -> bool:
    """Return whether an id that a page's script chose can be sent unchanged, as the browser's copy was."""
    return 1 <= len(value) <= _MAX_BROWSER_ID_CHARS and value.isprintable() and not is_placeholder(value)


def read_once(value: object) -> str:
    """Return the key under which an event counts once, as text; ``" 1001"``, ``1001`` and ``"1001"`` are one key.

    Args:
        value: a text, a number or a UUID.

    Raises:
        EventError: it is empty, stands for a missing value (all such events would be one), or is of another type.
    """
    return _key_text("once", value)


def _key_text(field: str, value: object) -> str:
    """Return a text, number or UUID as trimmed text."""
    allowed = "a text, a number or a UUID"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        text = str.__str__(value).strip()
        if not text:
            raise EventError(field, "an empty str", allowed)
    elif isinstance(value, UUID):
        return UUID.__str__(value)
    elif isinstance(value, bool):
        raise EventError(field, "of type bool", allowed)
    elif isinstance(value, (int, float, Decimal)):
        text = _number_text(field, value, allowed)
    elif hasattr(type(value), "__index__"):
        text = _number_text(field, index(value), allowed)  # type: ignore[arg-type]  # it has one
    else:
        raise EventError(field, f"of type {type(value).__name__[:50]}", allowed)
    if is_placeholder(text, may_be_zero=True):
        raise EventError(field, "a word for a missing value", allowed)
    return text


def _number_text(field: str, value: Any, allowed: str) -> str:
    """Return the number as text, whole ones without a fraction: spreadsheets turn ids into floats."""
    if isinstance(value, int):
        # Python refuses to write out integers of some thousand digits in the decimal system.
        return int.__repr__(value) if abs(value) < 10**64 else int.__format__(value, "x")
    if not math.isfinite(value):
        raise EventError(field, "not a finite number", allowed)
    is_whole = abs(value) < 10**15 and value == int(value)
    return str(int(value)) if is_whole else str(value)
