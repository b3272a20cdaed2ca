"""From a cookie's value to what it holds: percent-encoding, JSON, base64, key lists; all strict, none guesses.

Each function raises ``ValueError`` for what is not whole; it knows no platform and no answer.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable

import msgspec

__all__ = ["MAX_GROUPS", "base64_record", "decoded", "key_values", "only", "record", "record_in", "texts_in"]

#: More categories than any site has.
MAX_GROUPS = 64

_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HEX_PAIR = re.compile(rb"%(..)")


def decoded(value: str) -> str:
    """The value percent-decoded once, as strict UTF-8; ``+`` stays what it is.

    Args:
        value: as the server gave it, bytes in the guise of latin-1.
    """
    if "%" in value:
        if _BROKEN_PERCENT.search(value):
            raise ValueError("broken percent-encoding")
        raw = _HEX_PAIR.sub(lambda found: bytes((int(found[1], 16),)), value.encode("latin-1"))
    elif value.isascii():
        return value
    else:
        raw = value.encode("latin-1")
    return raw.decode()


def record(value: str) -> dict[str, object]:
    """The JSON object that a value holds, percent-encoded or raw."""
    return _parsed(decoded(value))


def base64_record(value: str) -> dict[str, object]:
    """The JSON object inside standard base64, whose padding may be encoded or left out."""
    text = decoded(value).rstrip("=")
    return _parsed(binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True))


def record_in(holder: dict[str, object], key: str) -> dict[str, object]:
    """The object under a key."""
    return _as_record(holder.get(key))


def texts_in(holder: dict[str, object], key: str) -> list[object]:
    """The list under a key, whatever it lists."""
    found = holder.get(key)
    if not isinstance(found, list):
        raise ValueError(f"{key} is no list")  # noqa: TRY004  # unreadable input, caught as such
    return found


def key_values(parts: Iterable[str], separator: str) -> dict[str, str]:
    """Values by whole key.

    Raises:
        ValueError: too many parts, a part without separator, or a key that comes twice.
    """
    found: dict[str, str] = {}
    for part in parts:
        key, met, value = part.partition(separator)
        if not met or key in found or len(found) == MAX_GROUPS:
            raise ValueError("no list of different keys with values")
        found[key] = value
    return found


def only(found: list[str]) -> str | None:
    """What all of these say; None where they disagree or nothing is said."""
    return found[0] if len(set(found)) == 1 else None


def _parsed(text: str | bytes) -> dict[str, object]:
    try:
        return _as_record(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("not JSON") from None


def _as_record(found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004  # unreadable input, caught as such
    return found
