"""CookieFirst: the cookie ``cookiefirst-consent``, a JSON object with a boolean for each category."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    iso_ms,
    latest,
    number_ms,
    read_copies,
    record,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "cookiefirst-consent"


def _read(header: str, _setting: Setting) -> State:
    return read_copies(header, _COOKIE, lambda value: yes_or_no(record(value).get("advertising")))


def _changed_at_ms(header: str, _setting: Setting) -> int:
    return latest(header, _COOKIE, lambda value: _time(record(value).get("timestamp")))


def _time(stamp: object) -> int:
    return iso_ms(stamp) if isinstance(stamp, str) and "T" in stamp else number_ms(stamp)


PLATFORM = Platform("cookiefirst", "", (_COOKIE,), _read, _changed_at_ms)
