"""Rename parameters from the names that GA4, Segment and shops give them to TikTok's."""

from __future__ import annotations

from collections.abc import Callable

from tiktok_middleware.core.events.parameters import ITEM_ALIASES, ITEM_EXTRAS, PROPERTY_ALIASES

__all__ = ["renamed_item", "renamed_properties"]

Pairs = list[tuple[object, object]]

# GA4 writes up to five levels of a product's category under keys of their own.
_CATEGORIES = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")


def _targets(aliases: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {alias: name for name, others in aliases.items() for alias in others}


_PROPERTIES, _ITEMS = _targets(PROPERTY_ALIASES), _targets(ITEM_ALIASES)
_ITEM_KEYS = frozenset(_ITEMS) | frozenset(_CATEGORIES)


def renamed_properties(pairs: Pairs, warn: Callable[[str], None]) -> Pairs:
    """Return an event's parameters under TikTok's names.

    Args:
        pairs: keys and values; keys of any type.
        warn: is told of a parameter that was given twice, under two names.
    """
    if not any(type(key) is str and key in _PROPERTIES for key, _ in pairs):
        return pairs
    renamed, dropped = _renamed(pairs, PROPERTY_ALIASES, _PROPERTIES)
    for alias in dropped:
        warn(f"properties.{alias} is left out: {_PROPERTIES[alias]} is given too")
    return renamed


def renamed_item(pairs: Pairs) -> Pairs:
    """Return the keys of one product under TikTok's names, without GA4's and Segment's keys that TikTok lacks."""
    if not any(type(key) is str and key in _ITEM_KEYS for key, _ in pairs):
        return pairs
    levels = {
        key: value
        for key, value in pairs
        if type(key) is str and key in _CATEGORIES and type(value) is str and value.strip()
    }
    if len(levels) > 1:
        pairs = [(key, value) for key, value in pairs if not (type(key) is str and key in _CATEGORIES)]
        pairs.append((_CATEGORIES[0], ",".join(levels[key].strip() for key in _CATEGORIES if key in levels)))
    renamed, _ = _renamed(pairs, ITEM_ALIASES, _ITEMS)
    return [(key, value) for key, value in renamed if not (type(key) is str and key in ITEM_EXTRAS)]


def _renamed(pairs: Pairs, aliases: dict[str, tuple[str, ...]], targets: dict[str, str]) -> tuple[Pairs, list[str]]:
    """Return the pairs with aliases replaced, and the aliases that another name of the same parameter outranked."""
    given = {key for key, value in pairs if type(key) is str and not _is_empty(value)}
    chosen = {name: _first(name, others, given) for name, others in aliases.items()}
    renamed: Pairs = []
    dropped: list[str] = []
    for key, value in pairs:
        name = targets.get(key, key) if type(key) is str else None
        if name not in chosen or chosen[name] is None:
            renamed.append((key, value))
        elif chosen[name] == key:
            renamed.append((name, value))
        elif key in given:
            dropped.append(str(key))
    return renamed, dropped


def _is_empty(value: object) -> bool:
    return value is None or (type(value) is str and not value.strip())


def _first(name: str, aliases: tuple[str, ...], given: set[str]) -> str | None:
    """Return the key that counts: TikTok's own, else the first alias that is given."""
    return next((key for key in (name, *aliases) if key in given), None)
