"""Ketch: the cookie ``_ketch_consent_v1_``, JSON in base64 with a status for each purpose.

Ketch writes the cookie with the law's defaults before any choice, so a default looks like a click.
"""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    all_needed,
    base64_record,
    list_in,
    read_copies,
    values_of,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "_ketch_consent_v1_"


def _read(header: str, setting: Setting) -> State:
    """Return the purpose's state. If the setting names no purpose, a grant counts as a default without a click."""
    if _COOKIE not in header:
        return State.UNKNOWN
    if "true" in values_of(header, "gpcsignal"):
        return State.DENIED
    code = setting.part()
    answer = read_copies(header, _COOKIE, lambda value: _answer(base64_record(value), code))
    return setting.implied if answer is State.GRANTED and not code else answer


def _answer(found: dict[str, object], code: str) -> State:
    purposes = [found.get(code)] if code else [kept for kept in found.values() if _is_advertising(kept)]
    return all_needed([_status(kept) for kept in purposes])


def _is_advertising(kept: object) -> bool:
    if not isinstance(kept, dict) or "canonicalPurposes" not in kept:
        return False
    return "behavioral_advertising" in list_in(kept, "canonicalPurposes")


def _status(kept: object) -> State:
    """Return the state of a purpose. Older cookies hold the status directly, without a record."""
    return yes_or_no(kept.get("status") if isinstance(kept, dict) else kept, yes="granted", no="denied")


PLATFORM = Platform(
    "ketch[:CODE]",
    "CODE is the purpose's code in the Ketch account; without it the purposes that Ketch calls "
    "behavioral_advertising are read, and count as a default that nobody clicked",
    (_COOKIE, "gpcsignal"),
    _read,
    most=1,
)
