"""Shared decoding: cookies with all their copies, percent-encoding, JSON, base64, key lists, bit fields, times, states.

All of it is strict. What is not whole raises ``ValueError`` and counts as unknown.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timezone
from string import hexdigits

import msgspec

from tiktok_middleware.core.consent.state import State

__all__ = [
    "MAX_GROUPS",
    "MAX_VALUE_CHARS",
    "Bits",
    "State",
    "all_needed",
    "attempt",
    "base64_record",
    "decoded",
    "iso_ms",
    "key_values",
    "latest",
    "list_in",
    "most_careful",
    "number_ms",
    "one_enough",
    "pairs_of",
    "read_copies",
    "record",
    "record_in",
    "values_by_name",
    "values_of",
    "yes_or_no",
]

# -- states


def most_careful(states: Collection[State]) -> State:
    """The answer of copies that may disagree: any refusal, then any doubt, then the grant; none at all is unknown.

    Host-only and domain copies of a cookie live side by side, and platforms disagree on which of them wins.
    """
    if State.DENIED in states:
        return State.DENIED
    return State.UNKNOWN if State.UNKNOWN in states or not states else State.GRANTED


all_needed = most_careful  # purposes that must all be granted combine by the same rule as copies


def one_enough(states: Collection[State]) -> State:
    """The answer of independent witnesses: any refusal wins, then one grant is enough."""
    if State.DENIED in states:
        return State.DENIED
    return State.GRANTED if State.GRANTED in states else State.UNKNOWN


def yes_or_no(value: object, *, yes: object = True, no: object = False) -> State:
    """Granted or denied for exactly these two values, type included; unknown for everything else."""
    if type(value) is type(yes) and value == yes:
        return State.GRANTED
    return State.DENIED if type(value) is type(no) and value == no else State.UNKNOWN


# -- cookies

#: The visitor writes this text: what is longer is unreadable. Browsers keep 4096 bytes of a cookie, name included.
MAX_VALUE_CHARS = 8192

_BLANK = " \t"


def pairs_of(header: str, within: str) -> Iterator[tuple[str, str]]:
    """Name and value of each cookie whose text holds ``within``, in the header's order.

    ``SimpleCookie`` loses whatever follows raw JSON or a value with spaces, which these platforms write.
    """
    if within in header:
        for pair in header.split(";"):
            if within in pair:
                name, equals, value = pair.partition("=")
                if equals:
                    yield name.strip(_BLANK), value.strip(_BLANK)


def values_of(header: str, name: str) -> list[str]:
    """Every value of the cookies of exactly this name."""
    return [value for found, value in pairs_of(header, name) if found == name]


def values_by_name(header: str, *names: str) -> dict[str, list[str]]:
    """The same of several names, in one walk."""
    values: dict[str, list[str]] = {name: [] for name in names}
    for name, value in pairs_of(header, ""):
        if name in values:
            values[name].append(value)
    return values


def read_copies(header: str, name: str, read: Callable[[str], State]) -> State:
    """The most careful answer of all cookies of this name; unknown where there is none.

    Args:
        header: the raw ``Cookie`` header.
        name: the cookie's whole name.
        read: from one value to its answer; raises ``ValueError`` for what it cannot read.
    """
    if name not in header:
        return State.UNKNOWN
    return most_careful([attempt(read, value) for value in values_of(header, name)])


def attempt(read: Callable[[str], State], value: str) -> State:
    """What ``read`` answers; unknown where the value is too long or cannot be read."""
    if len(value) > MAX_VALUE_CHARS:
        return State.UNKNOWN
    try:
        return read(value)
    except ValueError:
        return State.UNKNOWN


# -- values

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


# -- times

_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,3})\d*)?(?:Z|\+00:?00)?", re.ASCII)
_FIRST_MS, _LAST_MS = 1_000_000_000_000, 99_999_999_999_999


def iso_ms(text: object) -> int:
    """Unix milliseconds of an ISO 8601 time in UTC.

    Raises:
        ValueError: it is none.
    """
    found = _ISO.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("no time")
    whole = datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc)
    return int(whole.timestamp()) * 1000 + int((found[2] or "").ljust(3, "0"))


def number_ms(value: object) -> int:
    """Unix milliseconds of a number of seconds or milliseconds.

    Raises:
        ValueError: it is none of this century.
    """
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 15:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("no time")  # noqa: TRY004  # unreadable input, caught as such
    milliseconds = value if value >= _FIRST_MS else value * 1000
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        raise ValueError("no time of this century")
    return milliseconds


def latest(header: str, name: str, read: Callable[[str], int]) -> int:
    """The latest time that copies of a cookie hold, Unix milliseconds; 0 without one.

    Args:
        header: the raw ``Cookie`` header.
        name: the cookie's name.
        read: from one value to its time; raises ``ValueError`` without one.
    """
    times = [0]
    for value in values_of(header, name):
        if len(value) <= MAX_VALUE_CHARS:
            try:
                times.append(read(value))
            except ValueError:
                continue
    return max(times)


# -- bit fields

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class Bits:
    """The bits of a base64url text without padding, six a character, most significant first.

    Published readers that slice without asking find empty slices past the end, and read them as consent.

    Args:
        text: one segment of a TC or GPP string.

    Raises:
        ValueError: the text is empty or holds a foreign character.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        if not _BASE64URL.fullmatch(text):
            raise ValueError("not base64url")
        standard = text.replace("-", "+").replace("_", "/")  # seven times as fast as urlsafe_b64decode's translation
        whole = binascii.a2b_base64(standard + "A" * (-len(text) % 4))
        #: The bits themselves, as ``0`` and ``1``.
        self.text = f"{int.from_bytes(whole, 'big'):0{8 * len(whole)}b}"[: 6 * len(text)]

    def need(self, end: int) -> None:
        """Make sure that the bits before ``end`` are there.

        Raises:
            ValueError: the text was cut before.
        """
        if end > len(self.text):
            raise ValueError("cut short")

    def take(self, offset: int, width: int) -> int:
        """The unsigned number in ``width`` bits from ``offset``.

        Raises:
            ValueError: the text was cut before its end.
        """
        end = offset + width
        if end > len(self.text):
            raise ValueError("cut short")
        return int(self.text[offset:end], 2)
