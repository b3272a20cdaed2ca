"""The documentation page of event names and parameters, made from the table that validator and sandbox share."""

from __future__ import annotations

from tiktok_middleware.core.events.event_aliases import FADING, FOREIGN_EVENTS, NO_COUNTERPART, RESERVED, RETIRED
from tiktok_middleware.core.events.event_catalogue import (
    ALLOWED_WORDS,
    ITEM_KINDS,
    MAX_CRM_NAME_CHARS,
    MAX_NAME_CHARS,
    PAGE_VIEW,
    PROPERTY_KINDS,
    STANDARD_EVENTS,
    USER_KEYS,
    Kind,
)
from tiktok_middleware.core.events.parameters import ITEM_ALIASES, PROPERTY_ALIASES

__all__ = ["events"]

_KINDS: dict[Kind, str] = {
    "text": "text",
    "id": "text or whole number",
    "ids": "one or several texts or whole numbers",
    "texts": "one or several texts",
    "amount": "number from 0",
    "amounts": "one or several numbers from 0",
    "count": "whole number from 0",
    "currency": "three letters of ISO 4217",
    "contents": "list of products",
    "any": "anything that JSON holds",
}


def _kind(name: str, kind: Kind) -> str:
    return " or ".join(f"`{word}`" for word in ALLOWED_WORDS[name]) if kind == "word" else _KINDS[kind]


def _others(name: str, aliases: dict[str, tuple[str, ...]]) -> str:
    return ", ".join(f"`{alias}`" for alias in aliases.get(name, ()))


def events() -> str:
    """The page of event names and parameters."""
    foreign: dict[str, list[str]] = {}
    for name, right in {**RETIRED, **RESERVED, **FOREIGN_EVENTS}.items():
        foreign.setdefault(right, []).append(f"`{name}`")
    lines = [
        "# Event names and parameters",
        "",
        "What `track()` accepts, and what TikTok gets on both channels. The package and its sandbox check events by the",
        "table that this page is made from.",
        "",
        "## Names",
        "",
        "A name is read in any case and spelling: `AddToCart`, `add_to_cart`, `add-to-cart` and `Add To Cart` are one event.",
        "",
        "| TikTok's name | Also read as it |",
        "|---|---|",
        *(f"| `{name}` | {', '.join(foreign.get(name, []))} |" for name in sorted(STANDARD_EVENTS)),
        f"| `{PAGE_VIEW}` (page view) | {', '.join(foreign[PAGE_VIEW])} |",
        "",
        f"{', '.join(f'`{name}`' for name in FADING)} are sent under their own names until TikTok ends them in 2027.",
        "",
        "These names of other tools mean no standard event for certain. They are sent as custom events, which is logged",
        f"once: {', '.join(f'`{name}`' for name in NO_COUNTERPART)}.",
        "",
        f"A custom name begins with a letter and has at most {MAX_NAME_CHARS} letters, digits, `_` or `-`; another one is",
        "rewritten to that form and logged. Offline event sets take standard events only. CRM event sets take names of any",
        f"script, with spaces, up to {MAX_CRM_NAME_CHARS} characters.",
        "",
        "## Parameters",
        "",
        "| Parameter | Value | Also read as it |",
        "|---|---|---|",
        *(
            f"| `{name}` | {_kind(name, kind)} | {_others(name, PROPERTY_ALIASES)} |"
            for name, kind in PROPERTY_KINDS.items()
        ),
        "",
        "Keys of one product in `contents`:",
        "",
        "| Key | Value | Also read as it |",
        "|---|---|---|",
        *(f"| `{name}` | {_kind(name, kind)} | {_others(name, ITEM_ALIASES)} |" for name, kind in ITEM_KINDS.items()),
        "",
        "GA4's `item_category2` to `item_category5` are joined to `content_category`; a `currency` that all products share",
        "becomes the event's. Where `value` is missing and every product has a price, `value` is the sum of price x",
        "quantity, for every event but `Purchase`, whose discounts and shipping are unknown.",
        "",
        "## The visitor",
        "",
        "| Key of `user` | Event sources that read it |",
        "|---|---|",
        *(
            f"| `{key}` | {', '.join(source for source in ('web', 'offline', 'crm') if source in sources)} |"
            for key, sources in USER_KEYS.items()
            if sources != {"app"}
        ),
        "",
    ]
    return "\n".join(lines)
