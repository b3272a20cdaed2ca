"""vanilla-cookieconsent, versions 2 and 3: the cookie ``cc_cookie``, a JSON object with the accepted categories."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import State, iso_ms, latest, list_in, read_copies, record
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_REVISION = re.compile(r"revision=[0-9]{1,9}")


def _read(header: str, setting: Setting) -> State:
    revisions = [int(part.partition("=")[2]) for part in setting.parts[1:]]
    return read_copies(
        header, setting.cookie or "cc_cookie", lambda value: _answer(record(value), setting.part(), revisions)
    )


def _answer(found: dict[str, object], category: str, revisions: list[int]) -> State:
    """Return the category's state; unknown for another revision, because the platform asks again then.

    Versions before 2.8.1 call the list ``level``.
    """
    if revisions and found.get("revision") != revisions[0]:
        return State.UNKNOWN
    accepted = list_in(found, "categories" if "categories" in found else "level")
    return State.GRANTED if category in accepted else State.DENIED


def _changed_at_ms(header: str, setting: Setting) -> int:
    return latest(header, setting.cookie or "cc_cookie", lambda value: max(_times(record(value))))


def _times(found: dict[str, object]) -> list[int]:
    names = ("lastConsentTimestamp", "consentTimestamp", "last_consent_update", "consent_date")
    return [iso_ms(found[name]) for name in names if name in found]


PLATFORM = Platform(
    "cc_cookie:CATEGORY",
    "CATEGORY is a key of categories in the configuration of vanilla-cookieconsent, such as marketing",
    ("cc_cookie",),
    _read,
    _changed_at_ms,
    least=1,
    most=2,
    has_cookie_name=True,
    accepts=lambda parts: all(map(_REVISION.fullmatch, parts[1:])),
)
