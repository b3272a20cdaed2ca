"""CookieFirst: the cookie ``cookiefirst-consent``, a JSON object with a boolean for each category."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    iso_ms,
    latest,
    number_ms,
    read_copies,
    record,
    texts_in,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Revisions, Setting

__all__ = ["PLATFORM"]

_COOKIE = "cookiefirst-consent"


def _read(header: str, _setting: Setting) -> State:
    return read_copies(header, _COOKIE, lambda value: yes_or_no(record(value).get("advertising")))


def _changed_at_ms(header: str, _setting: Setting) -> int:
    return latest(header, _COOKIE, lambda value: _time(record(value).get("timestamp")))


def _time(stamp: object) -> int:
    return iso_ms(stamp) if isinstance(stamp, str) and "T" in stamp else number_ms(stamp)


def _revisions(header: str, _setting: Setting) -> frozenset[str]:
    return texts_in(header, _COOKIE, lambda value: record(value).get("version"))


PLATFORM = Platform(
    "cookiefirst[:revision=ID]",
    "ID is version in the cookie cookiefirst-consent (without it any)",
    (_COOKIE,),
    _read,
    _changed_at_ms,
    revisions=Revisions(_revisions, re.compile(r"[0-9A-Za-z-]{1,64}")),
)
