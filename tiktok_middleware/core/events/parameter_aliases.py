"""Rename parameters from GA4's, Segment's and shops' names to TikTok's."""

from __future__ import annotations

from collections.abc import Callable

from tiktok_middleware.core.events.parameters import ITEM_ALIASES, ITEM_EXTRAS, PROPERTY_ALIASES

__all__ = ["renamed_item", "renamed_properties"]

Pairs = list[tuple[object, object]]

# GA4 has one key for each of up to five levels of a product's category.
_CATEGORIES = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")


def _targets(aliases: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {alias: name for name, others in aliases.items() for alias in others}


_PROPERTIES, _ITEMS = _targets(PROPERTY_ALIASES), _targets(ITEM_ALIASES)
_ITEM_KEYS = frozenset(_ITEMS) | frozenset(_CATEGORIES)


def renamed_properties(pairs: Pairs, warn: Callable[[str], None]) -> Pairs:
    """Return an event's parameters under TikTok's names.

    Args:
        pairs: keys and values; keys of any type.
        warn: receives a warning about each parameter that is given under two names.
    """
    if not any(type(key) is str and key in _PROPERTIES for key, _ in pairs):
        return pairs
    renamed, dropped = _renamed(pairs, PROPERTY_ALIASES, _PROPERTIES)
    for alias in dropped:
        warn(f"properties.{alias} is left out: {_PROPERTIES[alias]} is given too")
    return renamed


def renamed_item(pairs: Pairs) -> Pairs:
    """Return one product under TikTok's names, without keys of GA4 and Segment that TikTok lacks."""
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
    """Return the pairs with aliases replaced, and the aliases dropped because a preferred name is given too."""
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
    """Return the key to use: TikTok's name if given, else the first given alias, else None."""
    return next((key for key in (name, *aliases) if key in given), None)
