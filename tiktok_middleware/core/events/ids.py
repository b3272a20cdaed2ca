"""Event ids and event times: made from what is handed in, and checked; it has no clock and no randomness of its own."""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64encode
from datetime import date, datetime
from hashlib import sha256
from uuid import UUID

from tiktok_middleware.errors import EventError

__all__ = [
    "EVENT_MAX_AGE_S",
    "MAX_AHEAD_S",
    "check_event_id",
    "check_event_time",
    "check_once",
    "is_minted_now",
    "is_timed",
    "once_event_id",
    "timed_event_id",
]

EVENT_MAX_AGE_S = 28 * 24 * 3600
"""Older events are neither matched nor reported: 28 days is the longest click window of TikTok's attribution."""

MAX_AHEAD_S = 5 * 60
"""How far the clocks of two servers may disagree before a time counts as a mistake."""

_MAX_ONCE_CHARS = 512

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_ID_ALLOWED = "1 to 64 letters, digits, '_', '.', ':' or '-'"

# The year 5138 in seconds, March 1973 in milliseconds: no event of ours lies between the two readings.
_SURELY_NOT_SECONDS = 100_000_000_000
_MIN_RANDOM_BYTES, _MAX_RANDOM_BYTES = 8, 26
_MAX_48_BITS = (1 << 48) - 1

_TIMED = re.compile(r"[0-9a-f]{28,64}")
_MINTED_WITHIN_S = 48 * 3600  # TikTok's deduplication window


def once_event_id(name: str, key: str) -> str:
    """The id of the one event of this name and key: 32 URL-safe characters, the same on every host and for ever.

    No secret and no host goes in, so that a webhook, a thank-you page and a later deployment agree.

    Args:
        name: the canonical event name.
        key: what the application calls this conversion, such as an order number.
    """
    # A name holds no NUL, so no other pair of name and key gives the same bytes.
    digest = sha256(f"once\0{name}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest[:24]).decode("ascii")


def timed_event_id(now_s: float, random_bytes: bytes) -> str:
    """A fresh id that sorts by time: 12 hexadecimal digits of milliseconds, then the random bytes in hexadecimal.

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
    """Whether an id has the form of :func:`timed_event_id` and a time within 48 hours of now, before or after.

    Older ones are no longer remembered as counted; a clock that is further off than this is wrong.

    Args:
        event_id: such as a browser makes.
        now_s: Unix seconds.
    """
    if _TIMED.fullmatch(event_id) is None:
        return False
    return abs(int(event_id[:12], 16) / 1000 - now_s) <= _MINTED_WITHIN_S


def is_timed(event_id: str) -> bool:
    """Whether an id is of the form that :func:`timed_event_id` makes, and so nobody's own."""
    return _TIMED.fullmatch(event_id) is not None


def check_event_id(value: object) -> str:
    """The id as a string, if both channels can carry it.

    Args:
        value: a string of 1 to 64 letters, digits, ``_``, ``.``, ``:`` or ``-``; a UUID or an integer is written out.

    Raises:
        EventError: anything else.
    """
    if isinstance(value, str):
        text = str.__str__(value)
        if _ID.fullmatch(text):
            return text
        found = f"a str of {len(text)} characters" if not 1 <= len(text) <= 64 else "a str with other characters"
        raise EventError("event_id", found, _ID_ALLOWED)
    if isinstance(value, UUID):
        return UUID.__str__(value)
    # Python refuses to write out integers of some thousand digits: the bound comes first.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**64:
        return int.__repr__(value)
    raise EventError("event_id", f"of type {type(value).__name__}", _ID_ALLOWED)


def check_once(value: object) -> str:
    """The key under which an event counts once, as text.

    Args:
        value: a string of 1 to 512 characters, a whole number or a UUID.

    Raises:
        EventError: anything else.
    """
    allowed = f"a text of 1 to {_MAX_ONCE_CHARS} characters, a whole number or a UUID"
    if isinstance(value, str):
        if not 0 < len(value) <= _MAX_ONCE_CHARS:
            raise EventError("once", f"a str of {len(value)} characters", allowed)
        return str.__str__(value)
    # As above, of integers.
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**100):
        return str(value)
    raise EventError("once", f"of type {type(value).__name__}", allowed)


def check_event_time(value: object, now_s: float) -> int:
    """When it happened, in whole Unix seconds, if TikTok can still use it.

    Args:
        value: Unix seconds, or a datetime with a time zone.
        now_s: Unix seconds.

    Raises:
        EventError: another type, a datetime without a zone, milliseconds, older than 28 days, or more than five
            minutes ahead.
    """
    seconds = _seconds(value)
    if seconds >= _SURELY_NOT_SECONDS:
        raise EventError("event_time", "too large for seconds", "Unix seconds; divide milliseconds by 1000")
    if seconds < now_s - EVENT_MAX_AGE_S:
        raise EventError("event_time", "more than 28 days ago", "the last 28 days, in Unix seconds")
    if seconds > now_s + MAX_AHEAD_S:
        raise EventError("event_time", "more than 5 minutes ahead", "a time that has passed, in Unix seconds, UTC")
    return math.floor(seconds)


def _seconds(value: object) -> float:
    """Unix seconds out of what ``check_event_time`` takes."""
    allowed = "Unix seconds (int or float) or a datetime with a time zone"
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise EventError("event_time", "a datetime without a time zone", "an aware datetime, such as one in UTC")
        return value.timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        hint = " (a date has no time of day)" if isinstance(value, date) else ""
        raise EventError("event_time", f"of type {type(value).__name__}{hint}", allowed)
    if isinstance(value, float) and not math.isfinite(value):
        raise EventError("event_time", "not a finite number", allowed)
    return value
