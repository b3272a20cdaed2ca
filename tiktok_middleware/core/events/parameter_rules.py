"""Rules of the event parameters: each converts a value to the form that is sent, or refuses it with a reason."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache

from tiktok_middleware.core.events import coerce as values
from tiktok_middleware.core.events import json_values as plain
from tiktok_middleware.core.events.coerce import MAX_NUMBER, Budget, Refusal
from tiktok_middleware.core.events.event_catalogue import ALLOWED_WORDS, CURRENCIES, ITEM_KINDS, PROPERTY_KINDS, Kind
from tiktok_middleware.core.events.parameters import MISNOMERS
from tiktok_middleware.errors import EventError

__all__ = ["ITEM_RULES", "MAX_BYTES", "RULES", "PropertyReport", "Rule"]

MAX_BYTES = 64 * 1024
"""Limit of the encoded properties of one event, in bytes. TikTok publishes none; 16 such events fit into a request."""

_MAX_REPORTS = 20


class PropertyReport(Budget):
    """The remaining size of one event's properties, and their first 20 problems and 20 warnings."""

    __slots__ = ("looked_up", "problems", "warnings")

    def __init__(self) -> None:
        super().__init__(MAX_BYTES)
        self.problems: list[EventError] = []
        self.warnings: list[str] = []
        self.looked_up: int = 0

    def refuse(self, field: str, found: str, allowed: str) -> None:
        """Record a problem: a property is left out."""
        if len(self.problems) < _MAX_REPORTS:
            self.problems.append(EventError(field, found, allowed))

    def look_up(self, key: str, *, in_item: bool) -> str | None:
        """Return the parameter nearest to an unknown key. Search for the first 20 keys only, because it is slow."""
        self.looked_up += 1
        return _nearest(key, in_item) if self.looked_up <= _MAX_REPORTS else None

    def warn(self, sentence: str) -> None:
        """Record a warning: a property may not have the intended effect."""
        if len(self.warnings) < _MAX_REPORTS:
            self.warnings.append(sentence)


Rule = Callable[[object, PropertyReport], object]


def _amount(value: object, _report: PropertyReport) -> int | float:
    if type(value) is float and 0 <= value <= MAX_NUMBER:  # fast path for most amounts
        return value
    found = values.number(value)
    if found < 0:
        raise Refusal("a negative number", "0 or more")
    return found


def _count(value: object, _report: PropertyReport) -> int:
    found = values.whole(value)
    if found < 0:
        raise Refusal("a negative number", "0 or more")
    return found


def _label(value: object, report: PropertyReport) -> str | None:
    return values.text(value, report).strip() or None


def _currency(value: object, report: PropertyReport) -> str:
    if type(value) is str and value in CURRENCIES:
        report.spend(len(value))
        return value
    found = values.text(value, report).strip().upper()
    if len(found) != 3 or not (found.isascii() and found.isalpha()):
        raise Refusal("not a currency code", "three letters of ISO 4217, such as 'EUR'")
    if found not in CURRENCIES:
        report.warn(f"currency {found} is not in TikTok's list: it is sent, but counts for no value optimisation")
    return found


def _one_of(*allowed: str) -> Rule:
    """Return a rule that accepts these words, in upper or lower case."""

    def rule(value: object, report: PropertyReport) -> str:
        found = values.text(value, report).strip().lower()
        if found not in allowed:
            raise Refusal("another word", " or ".join(map(repr, allowed)))
        return found

    return rule


def _list_of(what: str, rule: Rule) -> Rule:
    """Return a rule that accepts several values of one kind; a single value becomes a list."""

    def rule_for_list(value: object, report: PropertyReport) -> list[object] | None:
        alone = isinstance(value, (str, int))
        given = [value] if alone else plain.items(value, what)
        found, index = [], 0
        try:
            for index, item in enumerate(given):  # noqa: B007  # read after an error
                found.append(rule(item, report) if item is not None else None)
        except Refusal as refusal:
            refusal.place = "" if alone else f"[{index}]"
            raise
        return [item for item in found if item is not None] or None

    return rule_for_list


_BY_KIND: dict[Kind, Rule] = {
    "text": _label,
    "id": values.identifier,
    "ids": _list_of("ids", values.identifier),
    "texts": _list_of("names", _label),
    "amount": _amount,
    "amounts": _list_of("two amounts", _amount),
    "count": _count,
    "currency": _currency,
    "any": plain.plain,
}


def _rules(kinds: dict[str, Kind]) -> dict[str, Rule]:
    """Return the rule of each parameter except ``contents``, whose entries have parameters of their own."""
    return {
        name: _one_of(*ALLOWED_WORDS[name]) if kind == "word" else _BY_KIND[kind]
        for name, kind in kinds.items()
        if kind != "contents"
    }


#: A fractional quantity is accepted here to compute the event's value; it is removed before sending.
ITEM_RULES: dict[str, Rule] = {**_rules(ITEM_KINDS), "quantity": _amount}

RULES: dict[str, Rule] = _rules(PROPERTY_KINDS)


@lru_cache(maxsize=1024)
def _nearest(key: str, in_item: bool) -> str | None:
    """Return the parameter that this key may mean; None if there is none."""
    rules = ITEM_KINDS if in_item else PROPERTY_KINDS
    folded = key.lower().replace("-", "_")
    meant = folded if folded in rules else MISNOMERS.get(folded)
    if meant in rules:
        return meant
    return next(iter(get_close_matches(folded[:50], rules, n=1, cutoff=0.8)), None)
