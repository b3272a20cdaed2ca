"""Securiti: the cookie ``__privaci_cookie_consents``, a JSON object with 1 for each granted category id."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    read_copies,
    record,
    record_in,
    values_of,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "__privaci_cookie_consents"
_DEFAULTED = "__privaci_cookie_no_action"


def _read(header: str, setting: Setting) -> State:
    if "__privaci_cookie_" not in header:
        return State.UNKNOWN
    category, implied = setting.part(), setting.implied
    granted = implied if values_of(header, _DEFAULTED) else State.GRANTED
    return read_copies(header, _COOKIE, lambda value: _answer(record(value), category, granted, implied))


def _answer(found: dict[str, object], category: str, granted: State, implied: State) -> State:
    is_default, signal = found.get("implicit_consent", False), found.get("gpcInBrowserOnConsent", False)
    if signal is True:
        return State.DENIED
    is_on = yes_or_no(record_in(found, "consents").get(category), yes=1) is State.GRANTED
    if is_default is True:
        return implied if is_on else State.UNKNOWN
    if not is_on:
        return State.DENIED
    return granted if is_default is False and signal is False else State.UNKNOWN


PLATFORM = Platform(
    "securiti:ID",
    "ID is the number of the advertising category under consents in the cookie __privaci_cookie_consents",
    (_COOKIE, _DEFAULTED),
    _read,
    least=1,
    most=1,
)
