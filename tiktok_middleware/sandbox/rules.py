"""The type of a problem, and basic checks that find problems."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

__all__ = [
    "Check",
    "Problem",
    "boolean",
    "each",
    "join",
    "known",
    "listed",
    "number",
    "objects",
    "one_of",
    "shaped",
    "text",
    "whole",
]


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with one field.

    Attributes:
        path: path of the field within the event, such as ``properties.contents.0.price``; empty for the event itself.
        reason: what is wrong, in words; never contains the value, which may be personal data.
        refuses: True if TikTok refuses the request because of it; False for a warning.
    """

    path: str
    reason: str
    refuses: bool = True


Check: TypeAlias = Callable[[str, Any], Iterator[Problem]]


def join(path: str, key: object) -> str:
    """Return the path with one more key."""
    return f"{path}.{key}" if path else str(key)


def text(path: str, value: Any) -> Iterator[Problem]:
    """Check a string that is not blank."""
    if not isinstance(value, str):
        yield Problem(path, "Not a valid string.")
    elif not value.strip():
        yield Problem(path, "Must not be empty; leave the key out.")


def number(path: str, value: Any) -> Iterator[Problem]:
    """Check a finite integer or decimal number; a negative one is a warning."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        yield Problem(path, "Not a valid number.")
    elif value < 0:
        yield Problem(path, "Is negative.", refuses=False)


def whole(path: str, value: Any) -> Iterator[Problem]:
    """Check an integer; ``1.0`` is not one."""
    if isinstance(value, bool) or not isinstance(value, int):
        yield Problem(path, "Not a valid integer.")


def boolean(path: str, value: Any) -> Iterator[Problem]:
    """Check ``true`` or ``false``."""
    if not isinstance(value, bool):
        yield Problem(path, "Not a valid boolean.")


def one_of(*allowed: str) -> Check:
    """Return a check for one of the allowed texts."""

    def check(path: str, value: Any) -> Iterator[Problem]:
        if value not in allowed:
            yield Problem(path, f"Must be one of: {', '.join(allowed)}.")

    return check


def shaped(pattern: str, words: str) -> Check:
    """Return a check for a text that matches the whole pattern."""
    compiled = re.compile(pattern)

    def check(path: str, value: Any) -> Iterator[Problem]:
        problems = list(text(path, value))
        yield from problems
        if not problems and not compiled.fullmatch(value):
            yield Problem(path, words)

    return check


def listed(check: Check) -> Check:
    """Return a check for a list that is not empty and whose entries all pass ``check``."""

    def checked(path: str, value: Any) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(path, "Not a valid list.")
        elif not value:
            yield Problem(path, "Must not be an empty list; leave the key out.")
        else:
            yield from each(path, value, check)

    return checked


def each(path: str, values: Iterable[Any], check: Check) -> Iterator[Problem]:
    """Check every entry; the path of a problem contains the entry's index."""
    for index, value in enumerate(values):
        yield from check(join(path, index), value)


def objects(path: str, value: Any) -> Iterator[Problem]:
    """Check that a value is a JSON object."""
    if not isinstance(value, dict):
        yield Problem(path, "Not a valid object.")


def known(path: str, value: dict[str, Any], checks: dict[str, Check]) -> Iterator[Problem]:
    """Check the keys that are present; keys without a check are left to the caller."""
    for key, check in checks.items():
        if key in value:
            yield from check(join(path, key), value[key])
