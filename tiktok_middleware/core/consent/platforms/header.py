"""Finding cookies in the raw ``Cookie`` header, with all their copies; it knows no platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tiktok_middleware.core.consent.platforms.answers import State, most_careful

__all__ = ["MAX_VALUE_CHARS", "attempt", "pairs_of", "read_copies", "values_by_name", "values_of"]

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
