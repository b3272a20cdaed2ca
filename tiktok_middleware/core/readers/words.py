"""Platforms whose cookies are each one word or one list of numbers; each reader knows its own cookies only."""

from __future__ import annotations

import re
from collections.abc import Callable

from tiktok_middleware.core.readers.answers import State, most_careful, yes_or_no
from tiktok_middleware.core.readers.header import attempt, values_of
from tiktok_middleware.core.readers.unwrap import decoded

__all__ = ["complianz", "trustarc"]

_PERMIT = re.compile(r"permit[ _](1 required|\d{1,2}(?:[,|]\d{1,2})*)")
_LEVELS = re.compile(r"(\d{1,2}(?:[,|]\d{1,2})*):.*", re.DOTALL)
_SEPARATOR = re.compile(r"[,|]")


def complianz(header: str) -> State:
    """Complianz's ``cmplz_marketing``, on the main site of a WordPress network ``cmplz_rt_marketing``."""
    if "cmplz_" not in header:
        return State.UNKNOWN
    said = values_of(header, "cmplz_marketing") + values_of(header, "cmplz_rt_marketing")
    return most_careful([yes_or_no(word, yes="allow", no="deny") for word in said])


def trustarc(header: str, implied: State) -> State:
    """TrustArc's three cookies, all of which must agree where they are present.

    The permit list counts from 1 (3 is advertising), the other two from 0 (2 is advertising). Only a choice writes
    the other two: where the site takes silence for consent, a permit list alone is nobody's click.
    """
    if "notice_" not in header and "cmapi_cookie_privacy" not in header and "gpcishonored" not in header:
        return State.UNKNOWN
    if "true" in values_of(header, "gpcishonored"):
        return State.DENIED
    choices = _each(_has_two, values_of(header, "notice_gdpr_prefs"))
    choices += _each(_is_two, values_of(header, "notice_preferences"))
    permits = _each(_permits_three, values_of(header, "cmapi_cookie_privacy"))
    answer = most_careful(choices + permits)
    if answer is State.GRANTED and not choices and _is_silence_consent(header):
        return implied
    return answer


def _each(read: Callable[[str], State], values: list[str]) -> list[State]:
    return [attempt(read, value) for value in values]


def _permits_three(value: str) -> State:
    found = _PERMIT.fullmatch(decoded(value))
    return _listed(found, "3")


def _has_two(value: str) -> State:
    return _listed(_LEVELS.fullmatch(decoded(value)), "2")


def _is_two(value: str) -> State:
    found = re.match(r"(\d):", decoded(value))
    if found is None:
        raise ValueError("no level")
    return State.GRANTED if found[1] >= "2" else State.DENIED


def _listed(found: re.Match[str] | None, number: str) -> State:
    if found is None:
        raise ValueError("no list of numbers")
    return State.GRANTED if number in _SEPARATOR.split(found[1]) else State.DENIED


def _is_silence_consent(header: str) -> bool:
    return any(value.startswith("implied") for value in values_of(header, "notice_behavior"))
