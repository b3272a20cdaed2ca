"""Flask-Consent: the cookie ``_consent``, a JSON object with the list of the enabled categories."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, iso_ms, latest, list_in, read_copies, record
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "_consent"


def _read(header: str, setting: Setting) -> State:
    category = setting.part()
    return read_copies(header, setting.cookie or _COOKIE, lambda value: _answer(record(value), category))


def _answer(found: dict[str, object], category: str) -> State:
    return State.GRANTED if category in list_in(found, "enabled") else State.DENIED


def _changed_at_ms(header: str, setting: Setting) -> int:
    return latest(header, setting.cookie or _COOKIE, lambda value: iso_ms(record(value).get("last_updated")))


PLATFORM = Platform(
    "flask_consent:CATEGORY",
    "CATEGORY is the name of a category that the site has added to Flask-Consent",
    (_COOKIE,),
    _read,
    _changed_at_ms,
    least=1,
    most=1,
    has_cookie_name=True,
)
