"""Validate an event's properties, and add properties that can be derived from them.

A property that cannot be sent is dropped and reported; the event is sent without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

import msgspec

from tiktok_middleware.core.events import coerce as values
from tiktok_middleware.core.events import json_values as plain
from tiktok_middleware.core.events.coerce import BudgetSpent, Refusal
from tiktok_middleware.core.events.contents import complete, drop_fractions, unfold
from tiktok_middleware.core.events.parameter_aliases import renamed_item, renamed_properties
from tiktok_middleware.core.events.parameter_rules import ITEM_RULES, MAX_BYTES, RULES, PropertyReport, Rule
from tiktok_middleware.core.events.parameters import FOREIGN_KEYS
from tiktok_middleware.core.visitor.pii import text_reveals
from tiktok_middleware.errors import EventError

__all__ = ["MAX_BYTES", "Cleaned", "clean_properties"]

_MAX_KEYS = 100
_ROOT = "properties"

_Pairs = list[tuple[object, object]]


class Cleaned(msgspec.Struct):
    """Validated properties, with problems and warnings.

    Attributes:
        properties: plain JSON values, the same for both channels.
        problems: one error for each property that was left out.
        warnings: messages about properties that are sent but may not have the intended effect.
    """

    properties: dict[str, object]
    problems: list[EventError]
    warnings: list[str]


def clean_properties(
    name: str, properties: Mapping[str, object], *, is_fired: bool = False, currency: str = ""
) -> Cleaned:
    """Return the properties as both channels send them. Never raises.

    Convert numbers to int or float, ids and dates to str, a single product to ``contents``, and GA4's and Segment's
    parameter names to TikTok's. Add ``value``, ``currency``, ``content_ids``, ``num_items``, ``content_type``,
    ``query`` and ``search_string`` if they can be derived from the others. Cut free text after 2,000 characters.
    Refuse ids of more than 200 characters, and more than 1,000 products, six levels, 100 keys or 64 KB encoded.

    Args:
        name: the canonical event name.
        properties: parameters under TikTok's names (``Properties``), and any others that JSON can hold.
        is_fired: whether the browser has already sent its copy; if so, nothing is renamed, added or moved.
        currency: currency of a value without one; empty for none.
    """
    report = PropertyReport()
    pairs = _pairs(properties, _ROOT, report)
    if is_fired:
        clean = _collect(pairs, _FIRED_RULES, _ROOT, report)
    else:
        clean = _collect(renamed_properties(pairs, report.warn), _RULES, _ROOT, report)
        for sentence in (*unfold(clean), *complete(clean, name, currency)):
            report.warn(sentence)
    for field in drop_fractions(clean):
        report.refuse(field, "a fraction", "a whole number")
    if report.left < MAX_BYTES * 3 // 4:
        _measure(clean, report)
    return Cleaned(clean, report.problems, report.warnings)


def _collect(pairs: _Pairs, rules: Mapping[str, Rule], path: str, report: PropertyReport) -> dict[str, object]:
    """Return the valid entries of one mapping, in order; report each of the others with its path."""
    clean: dict[str, object] = {}
    for key, value in pairs:
        if value is None:
            continue
        left = report.left
        try:
            name = key if type(key) is str else _key(key)
            rule = rules.get(name) or _rule_for_unknown(name, path, report)
            found = rule(value, report)
            if found is not None:
                clean[name] = found
            if report.cut:
                report.cut = False
                report.warn(f"{path}.{_shown(name)} was cut after {values.MAX_TEXT_CHARS} characters")
        except Refusal as refusal:
            if isinstance(refusal, BudgetSpent) and path != _ROOT:
                raise  # the sum of only some products would be wrong
            report.left = left
            report.refuse(f"{path}.{_shown(key)}{refusal.place}", refusal.found, refusal.allowed)
        except Exception:  # noqa: BLE001 -- the app's object may raise anything when it is read
            report.left = left
            report.refuse(
                f"{path}.{_shown(key)}", f"{values.kind(value)}, which raised when it was read", "a plain value"
            )
    return clean


def _pairs(given: Mapping[str, object], path: str, report: PropertyReport) -> _Pairs:
    """Return the items of a mapping, at most 100; for anything else record a problem and return none."""
    if type(given) is not dict and not isinstance(given, Mapping):
        report.refuse(path, values.kind(given), "a mapping of names to values")
        return []
    try:
        pairs: list[tuple[object, object]] = list(islice(given.items(), _MAX_KEYS + 1))
        if len(pairs) > _MAX_KEYS:
            report.refuse(path, f"a mapping of more than {_MAX_KEYS} keys (the rest is left out)", f"{_MAX_KEYS} keys")
            pairs.pop()
        if type(given) is not dict:
            pairs = [(key, value) for key, value in pairs]  # raises if an item is not a pair
    except Exception:  # noqa: BLE001 -- the app's mapping may raise anything when it is read
        report.refuse(path, "a mapping that raised when it was read", "a dict")
        return []
    return pairs


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise Refusal(f"a key {values.kind(key)}", "keys of type str")
    return str.__str__(key)


def _shown(key: object) -> str:
    """Return the key for a message if it is a plain name; otherwise ``?``, because it may be personal."""
    is_name = isinstance(key, str) and key.isascii() and key.replace("-", "_").isidentifier()
    return str(key) if is_name and not text_reveals(str(key)) else "?"


def _rule_for_unknown(key: str, path: str, report: PropertyReport) -> Rule:
    """Return the rule for an unknown key. Refuse a misplaced key; warn if the key resembles a parameter."""
    if not plain.is_key(key):
        raise Refusal("not a plain name", "at most 100 characters, no control characters, no '@'")
    place = FOREIGN_KEYS.get("".join(filter(str.isalnum, key)).lower())
    if place is not None:
        raise Refusal("no parameter of an event", place)
    report.spend(len(key))
    meant = report.look_up(key, in_item=path != _ROOT)
    if meant is not None:
        report.warn(f"{path}.{_shown(key)} is not read by TikTok; did you mean {meant}?")
    return plain.plain


def _measure(clean: dict[str, object], report: PropertyReport) -> None:
    """Drop the properties that would exceed the size limit when encoded, in order."""
    left = MAX_BYTES
    for key in list(clean):
        left_before, left = left, left - len(msgspec.json.encode({key: clean[key]}))
        if left < 0:
            left = left_before
            del clean[key]
            report.refuse(f"properties.{_shown(key)}", "more than one event may hold", "64 KB in all")


def _contents(value: object, report: PropertyReport) -> list[dict[str, object]] | None:
    """Return the valid keys of each product, under TikTok's names."""
    return _products(value, report, renamed_item, _ITEM_RULES)


def _fired_contents(value: object, report: PropertyReport) -> list[dict[str, object]] | None:
    """Return the valid keys of each product, under the names that the browser has sent."""
    return _products(value, report, _as_given, ITEM_RULES)


def _as_given(pairs: _Pairs) -> _Pairs:
    return pairs


def _products(
    value: object, report: PropertyReport, renamed: Callable[[_Pairs], _Pairs], rules: Mapping[str, Rule]
) -> list[dict[str, object]] | None:
    if isinstance(value, str):
        value = _decoded(value)
    alone = type(value) is not list and isinstance(value, Mapping)
    given = [value] if alone else plain.items(value, "dicts with content_id, price and quantity")
    found = []
    for index, item in enumerate(given):
        path = f"properties.contents[{index}]"
        pairs = _pairs(item, path, report)  # type: ignore[arg-type]  # _pairs checks the type
        clean = _collect(renamed(pairs), rules, path, report)
        if clean:
            found.append(clean)
    return found or None


def _decoded(text: str) -> object:
    """Return the products in a JSON text, which tag managers pass; return any other text unchanged."""
    stripped = text.strip()
    if not stripped.startswith(("[", "{")) or len(stripped) > MAX_BYTES:
        return text
    try:
        return msgspec.json.decode(stripped)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return text


#: GA4 allows a currency in each product; it is moved to the event later.
_ITEM_RULES: dict[str, Rule] = {**ITEM_RULES, "currency": RULES["currency"]}
_RULES: dict[str, Rule] = {**RULES, "contents": _contents}
_FIRED_RULES: dict[str, Rule] = {**RULES, "contents": _fired_contents}
