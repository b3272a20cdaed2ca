"""vanilla-cookieconsent, versions 2 and 3: the cookie ``cc_cookie``, a JSON object with the accepted categories."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    iso_ms,
    latest,
    list_in,
    read_copies,
    record,
    texts_in,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Revisions, Setting

__all__ = ["PLATFORM"]

_COOKIE = "cc_cookie"


def _read(header: str, setting: Setting) -> State:
    return read_copies(header, setting.cookie or _COOKIE, lambda value: _answer(record(value), setting.part()))


def _answer(found: dict[str, object], category: str) -> State:
    """Return the category's state. Versions before 2.8.1 call the list ``level``."""
    accepted = list_in(found, "categories" if "categories" in found else "level")
    return State.GRANTED if category in accepted else State.DENIED


def _changed_at_ms(header: str, setting: Setting) -> int:
    return latest(header, setting.cookie or _COOKIE, lambda value: max(_times(record(value))))


def _times(found: dict[str, object]) -> list[int]:
    names = ("lastConsentTimestamp", "consentTimestamp", "last_consent_update", "consent_date")
    return [iso_ms(found[name]) for name in names if name in found]


def _revisions(header: str, setting: Setting) -> frozenset[str]:
    return texts_in(header, setting.cookie or _COOKIE, lambda value: record(value).get("revision"))


PLATFORM = Platform(
    "cc_cookie:CATEGORY[,revision=N]",
    "CATEGORY is a key of categories in the configuration of vanilla-cookieconsent, such as marketing, and N its "
    "revision",
    (_COOKIE,),
    _read,
    _changed_at_ms,
    least=1,
    most=1,
    has_cookie_name=True,
    revisions=Revisions(_revisions),
)
