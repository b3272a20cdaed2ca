"""Derive value, currency, ids and counts from an event's products, and add them to its validated properties."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tiktok_middleware.core.events.coerce import MAX_NUMBER
from tiktok_middleware.core.events.parameters import SHORTHAND

__all__ = ["complete", "drop_fractions", "unfold"]

# Shops round cents per line, so two sums that differ by less than this share count as equal.
_ROUNDING_SHARE = 0.01


def unfold(clean: dict[str, Any]) -> list[str]:
    """Move a single product from the event into ``contents``, and return warnings.

    The browser pixel reads a top-level ``content_id``, the server does not: TikTok lists it in ``contents`` only.
    After the move both channels carry the same. Without an id or a name, ``price`` and ``quantity`` are not moved.
    """
    if clean.keys().isdisjoint(SHORTHAND):
        return []
    if "contents" in clean:
        if clean.pop("content_id", None) is not None:
            return ["properties.content_id is left out: contents is given and says which products"]
        return []
    ids = clean.get("content_ids", ())
    if "content_id" in clean or "content_name" in clean or len(ids) == 1:
        product = {key: clean.pop(key) for key in SHORTHAND if key in clean}
        if "content_id" not in product and len(ids) == 1:
            product["content_id"] = ids[0]
        clean["contents"] = [product]
    return []


def complete(clean: dict[str, Any], name: str, currency: str = "") -> list[str]:
    """Add the properties that can be derived from the others, and return warnings.

    Args:
        clean: cleaned properties; changed in place.
        name: the event's name.
        currency: currency of a value without one; empty for none.
    """
    found: list[str] = []
    total: float | None = None
    if "contents" in clean:
        found += _fill_currency(clean)
        currency = "" if found else currency
        total, is_nameless = _fill_from(clean["contents"], clean)
        if is_nameless:
            found.append("properties.contents holds a product without content_id: it matches nothing in a catalogue")
    if total is not None and "value" not in clean and name != "Purchase":
        clean["value"] = total  # TikTok's own tags do the same; an order's value includes discounts and shipping
    if currency and "value" in clean:
        clean.setdefault("currency", currency)
    if "search_string" in clean:  # TikTok's older and newer name of one parameter; it documents both
        clean.setdefault("query", clean["search_string"])
    elif "query" in clean:
        clean["search_string"] = clean["query"]
    return _warnings(clean, total, name) + found


def drop_fractions(clean: dict[str, Any]) -> list[str]:
    """Convert quantities to whole numbers, remove fractions, and return the paths of the removed ones.

    Args:
        clean: cleaned properties; changed in place.
    """
    found = []
    places = [(f"properties.contents[{index}]", item) for index, item in enumerate(clean.get("contents", ()))]
    for path, holder in [("properties", clean), *places]:
        quantity = holder.get("quantity")
        if type(quantity) is float:
            if quantity == int(quantity):
                holder["quantity"] = int(quantity)
            else:
                del holder["quantity"]
                found.append(f"{path}.quantity")
    return found


def _fill_currency(clean: dict[str, Any]) -> list[str]:
    """Move the products' currency to the event, and return warnings. GA4 allows a currency in each product."""
    currencies = {item.pop("currency") for item in clean["contents"] if isinstance(item.get("currency"), str)}
    if len(currencies) == 1:
        clean.setdefault("currency", currencies.pop())
    elif currencies and "currency" not in clean:
        return ["properties.contents holds products of several currencies: the event has none"]
    return []


def _fill_from(contents: list[dict[str, Any]], clean: dict[str, Any]) -> tuple[float | None, bool]:
    """Add ids, count and type to the event; return the products' total price, and whether a product has no id."""
    ids: dict[str, None] = {}
    kind = contents[0].get("content_type", "product")
    count: float = 0
    is_countable = True
    is_nameless = False
    for item in contents:
        quantity = item.get("quantity", 1)
        is_countable = is_countable and quantity == int(quantity)
        count += quantity
        if "content_id" in item:
            ids[item["content_id"]] = None
        else:
            is_nameless = True
        if item.get("content_type", "product") != kind:
            kind = "product"
    if ids:
        clean.setdefault("content_ids", list(ids))
    if is_countable and count <= MAX_NUMBER:  # goods sold by weight have no count
        clean.setdefault("num_items", int(count))
    clean.setdefault("content_type", kind)
    return _total(contents), is_nameless


def _total(contents: list[dict[str, Any]]) -> int | float | None:
    """Return the sum of price x quantity, computed in decimals; None if a product has no price or it exceeds 2**53."""
    if not all("price" in item for item in contents):
        return None
    lines = [(item["price"], item.get("quantity", 1)) for item in contents]
    if all(type(price) is int and type(quantity) is int for price, quantity in lines):
        total: int | float = sum(price * quantity for price, quantity in lines)
    else:
        total = float(sum(Decimal(repr(price)) * Decimal(repr(quantity)) for price, quantity in lines))
    return total if total <= MAX_NUMBER else None


def _warnings(clean: dict[str, Any], total: float | None, name: str) -> list[str]:
    """Return warnings about a value that TikTok accepts but cannot use as intended."""
    found = []
    value = clean.get("value")
    if value is None:
        if name == "Purchase":
            found.append("Purchase has no value: TikTok cannot report or optimise what it earned")
    elif "currency" not in clean:
        found.append("properties.value has no currency: TikTok cannot optimise for it")
    if value and total and not _is_about(value, total):
        mistake = _mistake(value, total, clean["contents"])
        if mistake:
            found.append(f"properties.value is not the sum of price x quantity, but {mistake}")
    return found


def _mistake(value: float, total: float, contents: list[dict[str, Any]]) -> str:
    """Return the mistake that explains why the value is not the sum; empty if shipping or a discount may explain it."""
    if _is_about(value, sum([item["price"] for item in contents])):
        return "the sum of prices alone: price is per unit, value the total"
    if _is_about(value, 100 * total) or _is_about(100 * value, total):
        return "a hundred times more or less: one of them is in cents"
    return ""


def _is_about(one: float, other: float) -> bool:
    return abs(one - other) <= max(one, other) * _ROUNDING_SHARE
