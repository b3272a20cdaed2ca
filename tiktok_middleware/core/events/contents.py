"""What follows from an event's products: one unfolded, ids and counts filled in; it sees cleaned properties only."""

from __future__ import annotations

from typing import Any

from tiktok_middleware.core.events.parameters import SHORTHAND

__all__ = ["complete", "unfold"]

# Cents are rounded per line: what differs by less than this share is the same sum.
_ROUNDING_SHARE = 0.01


def unfold(clean: dict[str, Any]) -> list[str]:
    """Move a single product from the top level into ``contents``, and return what there is to warn of.

    The browser pixel reads ``content_id`` at the top, the server does not (TikTok lists it in ``contents`` only):
    moved, both channels say the same. Without an id or a name ``price`` and ``quantity`` stay where they are.
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


def complete(clean: dict[str, Any], name: str) -> list[str]:
    """Fill in what follows from the rest, and return what there is to warn of.

    Args:
        clean: cleaned properties; changed in place.
        name: the event's name.
    """
    total, nameless = _fill_from(clean["contents"], clean) if "contents" in clean else (None, False)
    if "search_string" in clean:  # TikTok's older word and its newer one for the same: both are still documented
        clean.setdefault("query", clean["search_string"])
    elif "query" in clean:
        clean["search_string"] = clean["query"]
    found = _warnings(clean, total, name)
    if nameless:
        found.append("properties.contents holds a product without content_id: it matches nothing in a catalogue")
    return found


def _fill_from(contents: list[dict[str, Any]], clean: dict[str, Any]) -> tuple[float | None, bool]:
    """Fill in what follows from the products; return what they cost where each has its price, and if one has no id."""
    ids: dict[str, None] = {}
    kind = contents[0].get("content_type", "product")
    count: float = 0
    total: float | None = 0
    nameless = False
    for item in contents:
        quantity = item.get("quantity", 1)
        count += quantity
        total = total + item["price"] * quantity if total is not None and "price" in item else None
        if "content_id" in item:
            ids[item["content_id"]] = None
        else:
            nameless = True
        if item.get("content_type", "product") != kind:
            kind = "product"
    if ids:
        clean.setdefault("content_ids", list(ids))
    if count == int(count):  # goods by weight have no number
        clean.setdefault("num_items", int(count))
    clean.setdefault("content_type", kind)
    return total, nameless


def _warnings(clean: dict[str, Any], total: float | None, name: str) -> list[str]:
    """What TikTok would take without a word and then not use."""
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
    """The mistake that explains a value other than the sum; empty where shipping or a discount may explain it."""
    if _is_about(value, sum([item["price"] for item in contents])):
        return "the sum of prices alone: price is per unit, value the total"
    if _is_about(value, 100 * total) or _is_about(100 * value, total):
        return "a hundred times more or less: one of them is in cents"
    return ""


def _is_about(one: float, other: float) -> bool:
    return abs(one - other) <= max(one, other) * _ROUNDING_SHARE
