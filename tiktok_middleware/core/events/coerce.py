"""Convert one scalar of any Python type to a plain JSON value, or refuse it with the reason."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from operator import index
from typing import Any
from uuid import UUID

from tiktok_middleware.core.visitor.pii import text_reveals

__all__ = [
    "MAX_NUMBER",
    "MAX_TEXT_CHARS",
    "Budget",
    "BudgetSpent",
    "Refusal",
    "identifier",
    "is_promise",
    "kind",
    "number",
    "text",
    "whole",
]

MAX_TEXT_CHARS = 2_000
MAX_ID_CHARS = 200

# JavaScript represents integers exactly up to this number. Beyond it the browser copy and the server copy would differ.
MAX_NUMBER = 2**53
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")

# Class names of lazy translations: those of Django, Flask-Babel, WTForms and Babel.
_PROMISES = frozenset({"Promise", "LazyString", "LazyProxy"})


class Refusal(Exception):  # noqa: N818 -- callers that have the field name turn it into an EventError
    """A value cannot be sent.

    Args:
        found: the type or shape of the value in words, never the value itself.
        allowed: the allowed values, in words.

    Attributes:
        place: the position of the value in a list, such as ``[1]``; empty if it is not in a list.
    """

    place: str = ""

    def __init__(self, found: str, allowed: str) -> None:
        self.found = found
        self.allowed = allowed
        super().__init__(found)


class BudgetSpent(Refusal):
    """The event's size limit is reached. The whole property is refused, even if the value is nested deeply in it."""


class Budget:
    """The number of characters that one event may still hold, and whether a text was cut."""

    __slots__ = ("cut", "left")

    def __init__(self, chars: int) -> None:
        self.left: int = chars
        self.cut: bool = False

    def spend(self, chars: int) -> None:
        """Subtract the size of one value and its punctuation.

        Raises:
            BudgetSpent: the size limit is exceeded.
        """
        self.left -= chars + 1
        if self.left < 0:
            raise BudgetSpent("more than one event may hold", "64 KB in all")


def kind(value: object) -> str:
    """Return the type of a value in words, for messages."""
    return f"of type {type(value).__name__[:50]}"


def number(value: object) -> int | float:
    """Return the value as an int or a float that JSON can hold.

    Accept int, float, Decimal, Fraction, numpy's numbers, and a str that is a plain decimal such as ``"59.90"``, which
    forms and databases return. Refuse a str with a symbol, an exponent or a comma, because it is ambiguous.

    Raises:
        Refusal: bool, NaN, infinity, a number beyond 2**53, or not a number.
    """
    exact = type(value)
    if exact is float or exact is int:
        return _bounded(value)  # type: ignore[arg-type]
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise Refusal("not a finite number", "a finite number")
        return _bounded(float(value))
    if isinstance(value, Enum):
        return number(value.value)
    if isinstance(value, str):
        stripped = str.__str__(value).strip()
        if _PLAIN_NUMBER.fullmatch(stripped) is None:
            raise Refusal("a str that is not a plain number", "a number, without symbols or thousands separators")
        return _bounded(float(stripped) if "." in stripped else int(stripped))
    if isinstance(value, bool) or exact.__name__ in {"bool_", "bool"} or hasattr(exact, "__len__"):
        raise Refusal(kind(value), "a number")
    if hasattr(exact, "__index__"):
        return _bounded(index(value))  # type: ignore[arg-type]
    if hasattr(exact, "__float__"):
        return _bounded(_float(value))
    raise Refusal(kind(value), "a number")


def _float(value: Any) -> float:
    """Return the float in the precision of its own type: 59.9 for numpy's float32 of 59.9, not 59.900001525878906."""
    exact = float(value)
    if getattr(value, "itemsize", 8) < 8:
        return float(f"{exact:.7g}")
    return exact


def _bounded(value: float) -> int | float:
    """Return the number unchanged; refuse it if it is not finite or beyond 2**53."""
    if -MAX_NUMBER <= value <= MAX_NUMBER:
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal("not a finite number", "a finite number")
    raise Refusal("a number beyond 2**53", "a number that JavaScript can hold")


def whole(value: object) -> int:
    """Return the value as an int; ``2.0`` and ``"2"`` are accepted too.

    Raises:
        Refusal: as ``number``, or a fraction.
    """
    found = number(value)
    if found != int(found):
        raise Refusal("a fraction", "a whole number")
    return int(found)


def _is_whole(value: object) -> bool:
    try:
        whole(value)
    except Refusal:
        return False
    return True


def text(value: object, budget: Budget) -> str:
    """Return the value as a str that UTF-8 can hold, cut after 2,000 characters.

    Accept str and its subclasses, enum members, lazy translations, numbers, UUIDs, dates and times.

    Raises:
        Refusal: bytes, bool, a container or any other type.
    """
    found = value if type(value) is str else _spelling(value)
    if len(found) > MAX_TEXT_CHARS:
        found = found[:MAX_TEXT_CHARS]
        budget.cut = True
    return _paid(found, budget)


def identifier(value: object, budget: Budget) -> str:
    """Return an id as a trimmed str, the type that TikTok requires; whole numbers and UUIDs are converted.

    ``1001.0`` becomes ``"1001"``: spreadsheets and databases return whole numbers as floats and Decimals.

    Raises:
        Refusal: empty, longer than 200 characters (a cut id would be a different id), a fraction, bool or another type.
    """
    if type(value) is not str and isinstance(value, (float, Decimal, date)):
        if isinstance(value, date) or not _is_whole(value):
            raise Refusal(kind(value), "an id as str or int")
        value = int(value)
    found = (value if type(value) is str else _spelling(value, "an id as str or int")).strip()
    if not found:
        raise Refusal("empty", "an id as str or int")
    if len(found) > MAX_ID_CHARS:
        raise Refusal(f"a str of {len(found)} characters", f"at most {MAX_ID_CHARS} characters")
    return _paid(found, budget, "id")


def _paid(found: str, budget: Budget, key: str = "") -> str:
    """Return the text with valid characters, and subtract its size from the budget.

    Args:
        found: the text.
        budget: the size that is left.
        key: ``id`` for identifiers, whose long numbers are not payment card numbers.

    Raises:
        Refusal: the text identifies a person, so it must not be stored or sent in clear.
    """
    if not found.isascii():
        found = _mended(found)
    if text_reveals(found, key):
        raise Refusal("a text with an e-mail address or a phone number", "nothing personal; identify() hashes it")
    budget.spend(len(found))
    return found


def _spelling(value: object, allowed: str = "a str") -> str:
    """Return a str, enum member, UUID, date, time, lazy translation or number as text."""
    if type(value) is int:
        return str(_bounded(value))
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, UUID):
        return UUID.__str__(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if is_promise(value):
        return str(value)
    if isinstance(value, (bytes, bytearray, Mapping, Iterable)):
        raise Refusal(kind(value), allowed)
    try:
        return str(number(value))
    except Refusal:
        raise Refusal(kind(value), allowed) from None


def is_promise(value: object) -> bool:
    """Return True for a lazy translation. Compare class names, so that no framework has to be imported."""
    return any(base.__name__ in _PROMISES for base in type(value).__mro__)


def _mended(found: str) -> str:
    """Return the text with surrogate pairs joined and lone surrogates replaced."""
    try:
        found.encode()
    except UnicodeEncodeError:
        return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return found
