"""OneTrust and CookiePro: ``OptanonConsent``, a query string whose ``groups`` lists category ids with 0 or 1."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    all_needed,
    decoded,
    iso_ms,
    key_values,
    latest,
    read_copies,
    unquoted,
    values_of,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE, _CLOSED = "OptanonConsent", "OptanonAlertBoxClosed"

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|\+00:?00)", re.ASCII)

#: Category groups of the United States. A 0 means an opt-out of sale and sharing, regardless of other categories.
_SALE_GROUPS = ("OSSTA_BG", "SPD_BG", "SSPD_BG")


def _read(header: str, setting: Setting) -> State:
    """Return granted if all ids are on and the visitor has chosen.

    The cookie exists before any choice, with the law's defaults: 0 for opt-in, 1 for opt-out.
    """
    ids = setting.parts or ("C0004",)
    return read_copies(header, _COOKIE, lambda value: _answer(value, header, ids, setting.implied))


def _answer(value: str, header: str, ids: tuple[str, ...], implied: State) -> State:
    fields = key_values(unquoted(value).split("&"), "=")
    groups = key_values(_decoded(fields.get("groups", "")).split(","), ":")
    kept = [yes_or_no(groups[group], yes="1", no="0") for group in _SALE_GROUPS if group in groups]
    if State.DENIED in kept:
        return State.DENIED
    wanted = all_needed([*kept, *(yes_or_no(groups.get(group), yes="1", no="0") for group in ids)])
    chosen = _is_chosen(fields, header)
    if wanted is State.DENIED:
        return wanted if chosen or fields.get("isGpcEnabled") == "1" else State.UNKNOWN
    if wanted is State.UNKNOWN or fields.get("AwaitingReconsent", "") not in {"", "false"}:
        return State.UNKNOWN
    return wanted if chosen else implied


def _is_chosen(fields: dict[str, str], header: str) -> bool:
    """Return whether the visitor has clicked: this cookie counts clicks, and the other holds the time of the click."""
    count = fields.get("interactionCount", "")
    if count.isascii() and count.isdecimal() and count.strip("0"):
        return True
    closed = values_of(header, _CLOSED)
    return bool(closed) and all(_TIME.fullmatch(decoded(value)) for value in closed)


def _decoded(value: str) -> str:
    return decoded(value.replace("+", " "))


def _changed_at_ms(header: str, _setting: Setting) -> int:
    return latest(header, _CLOSED, lambda value: iso_ms(decoded(value)))


PLATFORM = Platform(
    "onetrust[:ID,ID]",
    "ID is a category id of the site's OneTrust account, listed under Categorizations (without it C0004)",
    (_COOKIE, _CLOSED),
    _read,
    _changed_at_ms,
    most=16,
)
