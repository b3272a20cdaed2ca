"""Civic Cookie Control: the cookie ``CookieControl``, a JSON object with ``accepted`` or ``revoked`` for each name."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    latest,
    number_ms,
    read_copies,
    record,
    record_in,
    texts_in,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Revisions, Setting

__all__ = ["PLATFORM"]

_COOKIE = "CookieControl"


def _read(header: str, setting: Setting) -> State:
    name = setting.part()
    return read_copies(header, _COOKIE, lambda value: _answer(record(value), name))


def _answer(found: dict[str, object], name: str) -> State:
    """Return the state of the named category. A plain refusal omits the names."""
    choices = record_in(found, "optionalCookies")
    answer = yes_or_no(choices.get(name), yes="accepted", no="revoked")
    if answer is State.DENIED:
        return answer
    if found.get("interactedWith") is not True:
        return State.UNKNOWN
    return answer if name in choices else State.DENIED


def _changed_at_ms(header: str, _setting: Setting) -> int:
    return latest(header, _COOKIE, lambda value: number_ms(record(value).get("consentDate")))


def _revisions(header: str, _setting: Setting) -> frozenset[str]:
    return texts_in(header, _COOKIE, lambda value: record_in(record(value), "statement").get("updated"))


PLATFORM = Platform(
    "civic:NAME[,revision=DATE]",
    "NAME is the category's name in optionalCookies of the cookie CookieControl, after a click on accept, and DATE is "
    "updated in the statement of its configuration",
    (_COOKIE,),
    _read,
    _changed_at_ms,
    least=1,
    most=1,
    revisions=Revisions(_revisions, re.compile(r"[0-9]{1,4}(?:[-/.][0-9]{1,4}){2}", re.ASCII)),
)
