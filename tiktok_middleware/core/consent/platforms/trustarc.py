"""TrustArc: up to three cookies with lists of numbers."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import State, attempt, decoded, most_careful, values_by_name
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_PERMIT = re.compile(r"permit[ _](1 required|\d{1,2}(?:[,|]\d{1,2})*)", re.ASCII)
_LEVELS = re.compile(r"(\d{1,2}(?:[,|]\d{1,2})*):.*", re.ASCII | re.DOTALL)
_LEVEL = re.compile(r"(\d):", re.ASCII)
_NAMES = (
    "notice_gdpr_prefs",
    "notice_preferences",
    "cmapi_cookie_privacy",
    "gpcishonored",
    "notice_behavior",
)
_SEPARATOR = re.compile(r"[,|]")


def _read(header: str, setting: Setting) -> State:
    """Return granted if all present cookies of the three grant.

    The permit list counts from 1 (3 is advertising), the other two from 0 (2 is advertising). TrustArc writes the other
    two only after a choice. On a site with implied consent, a permit list alone is a default without a click.
    """
    if "notice_" not in header and "cmapi_cookie_privacy" not in header and "gpcishonored" not in header:
        return State.UNKNOWN
    found = values_by_name(header, *_NAMES)
    levels, level, permits, signals, behaviours = found.values()
    if "true" in signals:
        return State.DENIED
    choices = [attempt(_has_two, value) for value in levels] + [attempt(_is_two, value) for value in level]
    answer = most_careful(choices + [attempt(_permits_three, value) for value in permits])
    if answer is State.GRANTED and not choices and any(value.startswith("implied") for value in behaviours):
        return setting.implied
    return answer


def _permits_three(value: str) -> State:
    return _listed(_PERMIT.fullmatch(decoded(value)), "3")


def _has_two(value: str) -> State:
    return _listed(_LEVELS.fullmatch(decoded(value)), "2")


def _is_two(value: str) -> State:
    found = _LEVEL.match(decoded(value))
    if found is None:
        raise ValueError("no level")
    return State.GRANTED if found[1] >= "2" else State.DENIED


def _listed(found: re.Match[str] | None, number: str) -> State:
    if found is None:
        raise ValueError("no list of numbers")
    return State.GRANTED if number in _SEPARATOR.split(found[1]) else State.DENIED


PLATFORM = Platform("trustarc", "", _NAMES, _read)
