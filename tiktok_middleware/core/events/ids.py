"""Create event ids from random bytes, from a ``once`` key, or from the application's own id."""

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

from tiktok_middleware.core.events.coerce import is_promise
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

    The id depends on no secret and no host, so that a webhook, a thank-you page and a later deployment get the same.

    Args:
        name: the canonical event name.
        key: the application's name of this conversion, such as an order number.
    """
    # An event name contains no NUL, so no other pair of name and key yields the same bytes.
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

    The outbox no longer keeps the claims of older ids. A time further in the future means a wrong clock.

    Args:
        event_id: an id, for example one that a browser made.
        now_s: Unix seconds.
    """
    if _TIMED.fullmatch(event_id) is None:
        return False
    return abs(int(event_id[:12], 16) / 1000 - now_s) <= _MINTED_WITHIN_S


def is_timed(event_id: str) -> bool:
    """Return whether an id has the form of :func:`timed_event_id`, which no application chooses."""
    return _TIMED.fullmatch(event_id) is not None


def read_event_id(value: object) -> str:
    """Return the application's own id for both channels: unchanged if its form is valid, otherwise its hash.

    TikTok documents neither length nor characters of an id. This form fits every header and cookie that may carry it.

    Args:
        value: a text, a number or a UUID; 1 to 64 letters, digits, ``_``, ``.``, ``:`` or ``-`` stay unchanged.

    Raises:
        EventError: the value is empty, a placeholder for a missing value, or of another type.
    """
    text = _key_text("event_id", value)
    if _ID.fullmatch(text):
        return text
    digest = sha256(f"event_id\0{text}".encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest[:24]).decode("ascii")


def is_browser_id(value: str) -> bool:
    """Return whether an id that a page's script chose can be sent unchanged, like the browser copy."""
    return 1 <= len(value) <= _MAX_BROWSER_ID_CHARS and value.isprintable() and not is_placeholder(value)


def read_once(value: object) -> str:
    """Return the ``once`` key of an event as text; ``" 1001"``, ``1001`` and ``"1001"`` are the same key.

    Args:
        value: a text, a number or a UUID.

    Raises:
        EventError: the value is empty, a placeholder for a missing value (all such events would share one key), or of
            another type.
    """
    return _key_text("once", value)


def _key_text(field: str, value: object) -> str:
    """Return a text, number or UUID as trimmed text."""
    allowed = "a text, a number or a UUID"
    if isinstance(value, Enum):
        value = value.value
    if not isinstance(value, str) and is_promise(value):
        value = str(value)
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
        text = _number_text(field, index(value), allowed)  # type: ignore[arg-type]  # checked above
    else:
        raise EventError(field, f"of type {type(value).__name__[:50]}", allowed)
    if is_placeholder(text, may_be_zero=True):
        raise EventError(field, "a word for a missing value", allowed)
    return text


def _number_text(field: str, value: Any, allowed: str) -> str:
    """Return the number as text, ``1001.0`` as ``"1001"``, because spreadsheets turn ids into floats."""
    if isinstance(value, int):
        # Python refuses to convert integers of several thousand digits to decimal text.
        return int.__repr__(value) if abs(value) < 10**64 else int.__format__(value, "x")
    if not math.isfinite(value):
        raise EventError(field, "not a finite number", allowed)
    is_whole = abs(value) < 10**15 and value == int(value)
    return str(int(value)) if is_whole else str(value)
