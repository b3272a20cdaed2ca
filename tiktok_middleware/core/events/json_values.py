"""Convert containers of any Python type to plain JSON values, or refuse them with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from enum import Enum
from itertools import islice
from uuid import UUID

from tiktok_middleware.core.events.coerce import Budget, Refusal, is_promise, kind, number, text
from tiktok_middleware.core.visitor.pii import text_reveals

__all__ = ["MAX_DEPTH", "MAX_ITEMS", "is_key", "items", "plain"]

MAX_DEPTH = 6
MAX_ITEMS = 1_000

_KEY = re.compile("[^\x00-\x1f\x7f@\ud800-\udfff]{1,100}")


def items(value: object, what: str) -> list[object]:
    """Return the items of a list, tuple, set, query set or generator, at most 1,000 of them.

    Raises:
        Refusal: the value is not a collection, or has too many items.
    """
    if type(value) is list:
        found = value
    elif isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise Refusal(kind(value), f"a list of {what}")
    else:
        found = list(islice(value, MAX_ITEMS + 1))
    if len(found) > MAX_ITEMS:
        raise Refusal(f"more than {MAX_ITEMS} items", f"at most {MAX_ITEMS} items")
    return found


def is_key(key: object) -> bool:
    """Return True for a key that is safe in JSON and in a script: no control characters, no ``@``, not ``__proto__``.

    A key that identifies a person, such as a phone number, is not allowed.
    """
    if not isinstance(key, str) or _KEY.fullmatch(key) is None or key == "__proto__":
        return False
    return not text_reveals(key)


def plain(value: object, budget: Budget, depth: int = 1) -> object:
    """Return any value as plain JSON: str, int, float, bool, or list and dict of these, without None.

    Args:
        value: the value of a parameter that TikTok does not define.
        budget: the size that is left.
        depth: nesting level of the value; containers are refused from six on.

    Raises:
        Refusal: a type that JSON lacks, too deeply nested (or containing itself), or too large.
    """
    if isinstance(value, Enum):
        value = value.value
    if type(value) is bool:
        budget.spend(5)
        return value
    if isinstance(value, (str, UUID, date, datetime, time)) or is_promise(value):
        return text(value, budget)
    if isinstance(value, Mapping):
        return _plain_dict(value, budget, depth)
    if isinstance(value, (list, tuple)):
        _enter(depth, len(value), budget)
        return [plain(item, budget, depth + 1) for item in items(value, "values") if item is not None]
    try:
        found = number(value)
    except Refusal as refusal:
        raise Refusal(refusal.found, "str, number, bool, date, or list and dict of these") from None
    budget.spend(20)
    return found


def _plain_dict(value: Mapping[object, object], budget: Budget, depth: int) -> dict[str, object]:
    _enter(depth, len(value), budget)
    found: dict[str, object] = {}
    for key, item in value.items():
        if not is_key(key):
            raise Refusal(f"a dict with a key {kind(key)} that is no plain name", "str keys, at most 100 characters")
        if item is not None:
            name = str.__str__(key)  # pyright: ignore[reportArgumentType]
            budget.spend(len(name))
            found[name] = plain(item, budget, depth + 1)
    return found


def _enter(depth: int, size: int, budget: Budget) -> None:
    """Subtract the size of a container before reading its items; otherwise empty containers and None would be free."""
    budget.spend(size)
    if depth >= MAX_DEPTH:
        raise Refusal("nested too deeply", f"at most {MAX_DEPTH} levels")
