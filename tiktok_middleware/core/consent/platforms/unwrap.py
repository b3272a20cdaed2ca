"""From a cookie's value to what it holds: percent-encoding, JSON, base64, key lists; all strict, none guesses.

Each function raises ``ValueError`` for what is not whole; it knows no platform and no answer.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from string import hexdigits

import msgspec

__all__ = ["MAX_GROUPS", "base64_record", "decoded", "key_values", "list_in", "record", "record_in"]

#: More categories than any site has.
MAX_GROUPS = 64

#: By two hexadecimal digits in either case, the byte in the guise of latin-1.
_CHARACTERS = {high + low: chr(int(high + low, 16)) for high in hexdigits for low in hexdigits}


def decoded(value: str) -> str:
    """The value percent-decoded once, as strict UTF-8; ``+`` stays what it is.

    Args:
        value: as the server gave it, bytes in the guise of latin-1.
    """
    first, *others = value.split("%")
    try:
        text = first + "".join([_CHARACTERS[part[:2]] + part[2:] for part in others])
    except KeyError:
        raise ValueError("broken percent-encoding") from None
    return text if text.isascii() else text.encode("latin-1").decode()


def record(value: str) -> dict[str, object]:
    """The JSON object that a value holds, percent-encoded or raw."""
    return _parsed(decoded(value))


def base64_record(value: str) -> dict[str, object]:
    """The JSON object inside standard base64, whose padding may be encoded or left out."""
    text = decoded(value).rstrip("=")
    return _parsed(b64decode(text + "=" * (-len(text) % 4), validate=True))


def record_in(holder: dict[str, object], key: str) -> dict[str, object]:
    """The object under a key."""
    return _as_record(holder.get(key))


def list_in(holder: dict[str, object], key: str) -> list[object]:
    """The list under a key."""
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


def _parsed(text: str | bytes) -> dict[str, object]:
    try:
        return _as_record(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("not JSON") from None


def _as_record(found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004  # unreadable input, caught as such
    return found
