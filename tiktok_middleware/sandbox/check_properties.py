"""Check the ``properties`` of an event from the server or the browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tiktok_middleware.core.events.event_catalogue import ALLOWED_WORDS, CURRENCIES, ITEM_KINDS, PROPERTY_KINDS, Kind
from tiktok_middleware.sandbox.rules import (
    Check,
    Problem,
    join,
    known,
    listed,
    number,
    objects,
    one_of,
    shaped,
    text,
    whole,
)

__all__ = ["check_properties"]


def quantity(path: str, value: Any) -> Iterator[Problem]:
    """Check a whole number; less than one is a warning."""
    problems = list(whole(path, value))
    yield from problems
    if not problems and value < 1:
        yield Problem(path, "Is less than one.", refuses=False)


def content(path: str, value: Any) -> Iterator[Problem]:
    """Check one entry of ``contents``."""
    yield from objects(path, value)
    if not isinstance(value, dict):
        return
    yield from known(path, value, CONTENT)
    for key in value:
        if key not in CONTENT:
            yield Problem(join(path, key), "Unknown key: TikTok ignores it.", refuses=False)
    if "content_id" not in value:
        yield Problem(join(path, "content_id"), "Missing: the product cannot be found in a catalogue.", refuses=False)


def currency(path: str, value: Any) -> Iterator[Problem]:
    """Check an ISO 4217 code; a code that TikTok does not list is a warning."""
    problems = list(shaped(r"[A-Z]{3}", "Must be an ISO 4217 code of three capitals.")(path, value))
    yield from problems
    if not problems and value not in CURRENCIES:
        yield Problem(path, "Is not among the 62 currencies TikTok lists.", refuses=False)


_BY_KIND: dict[Kind, Check] = {
    "text": text,
    "id": text,
    "ids": listed(text),
    "texts": listed(text),
    "amount": number,
    "amounts": listed(number),
    "count": whole,
    "currency": currency,
    "contents": listed(content),
}


def _checks(kinds: Mapping[str, Kind]) -> dict[str, Check]:
    """Return the check for each parameter; a parameter of any type has no check."""
    checks = {name: one_of(*ALLOWED_WORDS[name]) for name, kind in kinds.items() if kind == "word"}
    return checks | {name: _BY_KIND[kind] for name, kind in kinds.items() if kind in _BY_KIND}


CONTENT: dict[str, Check] = {**_checks(ITEM_KINDS), "quantity": quantity}
PROPERTIES: dict[str, Check] = _checks(PROPERTY_KINDS)
SINGLE = ("content_id", "content_name", "price")
"""Keys of a single product, which the browser may put beside ``contents`` and the server may not."""


def check_properties(path: str, properties: Any, *, server: bool) -> Iterator[Problem]:
    """Check ``properties``; unknown keys pass, as TikTok accepts them."""
    yield from objects(path, properties)
    if not isinstance(properties, dict):
        return
    yield from known(path, properties, PROPERTIES)
    if "value" in properties and "currency" not in properties:
        yield Problem(join(path, "currency"), "Missing: a value without currency is not counted.", refuses=False)
    if server:
        for key in SINGLE:
            if key in properties:
                yield Problem(join(path, key), "Belongs into contents[] on the server.", refuses=False)
