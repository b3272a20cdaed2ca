"""Didomi: the cookie ``didomi_token``, JSON in base64 with the ids of enabled and disabled purposes and vendors."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    all_needed,
    base64_record,
    iso_ms,
    latest,
    list_in,
    read_copies,
    record_in,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "didomi_token"


def _read(header: str, setting: Setting) -> State:
    """Return the state of the purpose, and of the vendor if one is given. Legitimate interest never counts."""
    purpose, *vendors = setting.parts
    return read_copies(header, _COOKIE, lambda value: _answer(base64_record(value), purpose, vendors))


def _answer(found: dict[str, object], purpose: str, vendors: list[str]) -> State:
    answers = [_listed(record_in(found, "purposes"), purpose)]
    answers += [_listed(record_in(found, "vendors"), vendor) for vendor in vendors]
    return all_needed(answers)


def _listed(lists: dict[str, object], key: str) -> State:
    if "disabled" in lists and key in list_in(lists, "disabled"):
        return State.DENIED
    is_enabled = "enabled" in lists and key in list_in(lists, "enabled")
    return State.GRANTED if is_enabled else State.UNKNOWN


def _changed_at_ms(header: str, _setting: Setting) -> int:
    return latest(header, _COOKIE, lambda value: iso_ms(base64_record(value).get("updated")))


PLATFORM = Platform(
    "didomi:PURPOSE[,VENDOR]",
    "PURPOSE and VENDOR are ids of the Didomi account, shown in the page by Didomi.getCurrentUserStatus()",
    (_COOKIE,),
    _read,
    _changed_at_ms,
    least=1,
    most=2,
)
