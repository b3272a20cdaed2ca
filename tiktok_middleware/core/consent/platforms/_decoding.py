"""Decode cookies with all their copies, percent-encoding, JSON, base64, key lists, bit fields and times.

All functions are strict: incomplete or invalid input raises ``ValueError``, which readers treat as unknown.
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
    "texts_in",
    "unquoted",
    "values_by_name",
    "values_of",
    "yes_or_no",
]

# -- states


def most_careful(states: Collection[State]) -> State:
    """Combine states of copies: denied if any is denied, else unknown if any is unknown or none is given, else granted.

    Host-only and domain copies of a cookie may coexist, and platforms disagree on which of them counts.
    """
    if State.DENIED in states:
        return State.DENIED
    return State.UNKNOWN if State.UNKNOWN in states or not states else State.GRANTED


all_needed = most_careful  # the same rule combines purposes that must all be granted


def one_enough(states: Collection[State]) -> State:
    """Combine states of independent sources: denied if any is denied, else granted if any is granted."""
    if State.DENIED in states:
        return State.DENIED
    return State.GRANTED if State.GRANTED in states else State.UNKNOWN


def yes_or_no(value: object, *, yes: object = True, no: object = False) -> State:
    """Return granted or denied for exactly these two values, including their type; otherwise unknown."""
    if type(value) is type(yes) and value == yes:
        return State.GRANTED
    return State.DENIED if type(value) is type(no) and value == no else State.UNKNOWN


# -- cookies

#: Longer values count as unreadable, because clients control them. Browsers keep 4096 bytes of a cookie, name included.
MAX_VALUE_CHARS = 8192

_BLANK = " \t"


def pairs_of(header: str, within: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each cookie whose text holds ``within``, in the header's order.

    ``SimpleCookie`` drops all cookies after raw JSON or a value with spaces, which these platforms write.
    """
    if within in header:
        for pair in header.split(";"):
            if within in pair:
                name, equals, value = pair.partition("=")
                if equals:
                    yield name.strip(_BLANK), value.strip(_BLANK)


def values_of(header: str, name: str) -> list[str]:
    """Return the values of all cookies with exactly this name."""
    return [value for found, value in pairs_of(header, name) if found == name]


def values_by_name(header: str, *names: str) -> dict[str, list[str]]:
    """Return the values of all cookies with these names, by name, in one pass."""
    values: dict[str, list[str]] = {name: [] for name in names}
    for name, value in pairs_of(header, ""):
        if name in values:
            values[name].append(value)
    return values


def read_copies(header: str, name: str, read: Callable[[str], State]) -> State:
    """Return the combined state of all cookies with this name (see ``most_careful``); unknown if there is none.

    Args:
        header: the raw ``Cookie`` header.
        name: the cookie's full name.
        read: returns the state of one value; raises ``ValueError`` if it cannot read the value.
    """
    if name not in header:
        return State.UNKNOWN
    return most_careful([attempt(read, value) for value in values_of(header, name)])


def attempt(read: Callable[[str], State], value: str) -> State:
    """Return the result of ``read``; unknown if the value is too long or cannot be read."""
    if len(value) > MAX_VALUE_CHARS:
        return State.UNKNOWN
    try:
        return read(value)
    except ValueError:
        return State.UNKNOWN


# -- values

#: Maximum number of categories; no site has so many.
MAX_GROUPS = 64

#: Maps two hexadecimal digits, in any case, to the byte decoded as latin-1.
_CHARACTERS = {high + low: chr(int(high + low, 16)) for high in hexdigits for low in hexdigits}


#: An escape of a quoted value: an octal number, or one character (as in Python's ``http.cookies`` and in Werkzeug).
_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)


def unquoted(value: str) -> str:
    r"""Return the value without quotes.

    Servers quote values with characters that cookies cannot hold: ``"{\"ads\": true\054 ...}"``.
    """
    if value[:1] == '"' == value[-1:] and len(value) > 1:
        return _ESCAPE.sub(lambda found: chr(int(found[1], 8)) if found[1] else found[2], value[1:-1])
    return value


def decoded(value: str) -> str:
    """Return the value without quotes, percent-decoded once, as strict UTF-8. ``+`` is kept.

    Args:
        value: the value from the server, whose bytes are decoded as latin-1.
    """
    first, *others = unquoted(value).split("%")
    try:
        text = first + "".join([_CHARACTERS[part[:2]] + part[2:] for part in others])
    except KeyError:
        raise ValueError("broken percent-encoding") from None
    return text if text.isascii() else text.encode("latin-1").decode()


def record(value: str) -> dict[str, object]:
    """Return the JSON object in a percent-encoded or raw value."""
    return _parsed(decoded(value))


def base64_record(value: str) -> dict[str, object]:
    """Return the JSON object in standard base64, whose padding may be percent-encoded or missing."""
    text = decoded(value).rstrip("=")
    return _parsed(b64decode(text + "=" * (-len(text) % 4), validate=True))


def record_in(holder: dict[str, object], key: str) -> dict[str, object]:
    """Return the object under a key."""
    return _as_record(holder.get(key))


def list_in(holder: dict[str, object], key: str) -> list[object]:
    """Return the list under a key."""
    found = holder.get(key)
    if not isinstance(found, list):
        raise ValueError(f"{key} is no list")  # noqa: TRY004  # unreadable input, caught as such
    return found


def key_values(parts: Iterable[str], separator: str) -> dict[str, str]:
    """Return the parts as a dict of keys and values.

    Raises:
        ValueError: too many parts, a part without separator, or a key with different values.
    """
    found: dict[str, str] = {}
    for part in parts:
        key, met, value = part.partition(separator)
        if not met or found.setdefault(key, value) != value or len(found) > MAX_GROUPS:
            raise ValueError("no list of keys with one value each")
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
    """Return Unix milliseconds of an ISO 8601 time in UTC.

    Raises:
        ValueError: the text is not such a time.
    """
    found = _ISO.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("no time")
    whole = datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc)
    return int(whole.timestamp()) * 1000 + int((found[2] or "").ljust(3, "0"))


def number_ms(value: object) -> int:
    """Return Unix milliseconds of a number of seconds or milliseconds.

    Raises:
        ValueError: the value is not a time of this century.
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
    """Return the latest time in all copies of a cookie, in Unix milliseconds; 0 if there is none.

    Args:
        header: the raw ``Cookie`` header.
        name: the cookie's name.
        read: returns the time of one value; raises ``ValueError`` if it has none.
    """
    times = [0]
    for value in values_of(header, name):
        if len(value) <= MAX_VALUE_CHARS:
            try:
                times.append(read(value))
            except ValueError:
                continue
    return max(times)


# -- versions


def texts_in(header: str, name: str, read: Callable[[str], object]) -> frozenset[str]:
    """Return a field of all copies of a cookie as texts; an empty text for a copy without a text or whole number.

    Args:
        header: the raw ``Cookie`` header.
        name: the cookie's name.
        read: returns the field of one value; raises ``ValueError`` if it cannot read the value.
    """
    return frozenset(_field(read, value) for value in values_of(header, name))


def _field(read: Callable[[str], object], value: str) -> str:
    try:
        found = read(value) if len(value) <= MAX_VALUE_CHARS else ""
    except ValueError:
        return ""
    is_text = isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool))
    return str(found) if is_text else ""


# -- bit fields

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class Bits:
    """The bits of a base64url text without padding, six per character, most significant first.

    Reads past the end raise ``ValueError``. Some published readers get empty slices there, and treat them as consent.

    Args:
        text: one segment of a TC or GPP string.

    Raises:
        ValueError: the text is empty or holds an invalid character.
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
        """Check that all bits before ``end`` exist.

        Raises:
            ValueError: the text is shorter.
        """
        if end > len(self.text):
            raise ValueError("cut short")

    def take(self, offset: int, width: int) -> int:
        """Return the unsigned number in ``width`` bits from ``offset``.

        Raises:
            ValueError: the text is shorter.
        """
        end = offset + width
        if end > len(self.text):
            raise ValueError("cut short")
        return int(self.text[offset:end], 2)
