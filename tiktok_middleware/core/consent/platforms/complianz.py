"""Complianz: the cookie ``cmplz_marketing``, or ``cmplz_rt_marketing`` on the main site of a WordPress network."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    attempt,
    decoded,
    most_careful,
    texts_in,
    values_by_name,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Revisions, Setting

__all__ = ["PLATFORM"]

_NAMES = ("cmplz_marketing", "cmplz_rt_marketing")
#: Cookies with the number of the policy that the visitor has answered to.
_POLICIES = ("cmplz_policy_id", "cmplz_rt_policy_id")


def _read(header: str, _setting: Setting) -> State:
    if "cmplz_" not in header:
        return State.UNKNOWN
    found = values_by_name(header, *_NAMES)
    return most_careful([attempt(_answer, word) for words in found.values() for word in words])


def _answer(word: str) -> State:
    return yes_or_no(decoded(word), yes="allow", no="deny")


def _revisions(header: str, _setting: Setting) -> frozenset[str]:
    return frozenset().union(*(texts_in(header, name, decoded) for name in _POLICIES))


PLATFORM = Platform(
    "complianz[:revision=N]",
    "N is the number in the cookie cmplz_policy_id (without it any)",
    (*_NAMES, *_POLICIES),
    _read,
    revisions=Revisions(_revisions),
)
