"""CookieYes: the cookie ``cookieyes-consent`` of version 3, or the cookies of version 2 if it is absent."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    decoded,
    key_values,
    most_careful,
    read_copies,
    texts_in,
    values_of,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Revisions, Setting

__all__ = ["PLATFORM"]

_COOKIE = "cookieyes-consent"


def _read(header: str, setting: Setting) -> State:
    if values_of(header, _COOKIE):
        return read_copies(header, _COOKIE, lambda value: _answer(decoded(value), setting))
    return _read_version_2(header, setting.parts)


def _answer(text: str, setting: Setting) -> State:
    """Return the state of the category after an action of the visitor.

    Under Californian law ``consent:yes`` means that the visitor opted out. ``consent:no`` with an enabled category
    means that the visitor closed the notice, which is no click for the category.
    """
    fields = key_values(text.split(","), ":")
    action = fields.get("action")
    answer = yes_or_no(fields.get(setting.part("advertisement")), yes="yes", no="no")
    if action == "yes":
        return setting.implied if answer is State.GRANTED and fields.get("consent") == "no" else answer
    return setting.implied if action == "no" and answer is State.GRANTED else State.UNKNOWN


def _read_version_2(header: str, parts: tuple[str, ...]) -> State:
    """Read version 2, which sets category cookies before any choice; ``viewed_cookie_policy`` shows the choice."""
    if "viewed_cookie_policy" not in header:
        return State.UNKNOWN
    viewed = values_of(header, "viewed_cookie_policy")
    if "no" in viewed:
        return State.DENIED
    slugs = parts or ("advertisement", "non-necessary")
    boxes = next(filter(None, (values_of(header, f"cookielawinfo-checkbox-{slug}") for slug in slugs)), [])
    if set(viewed) != {"yes"}:
        return State.UNKNOWN
    return most_careful([yes_or_no(box, yes="yes", no="no") for box in boxes])


def _revisions(header: str, _setting: Setting) -> frozenset[str]:
    return texts_in(header, _COOKIE, lambda value: key_values(decoded(value).split(","), ":").get("tax"))


PLATFORM = Platform(
    "cookieyes[:SLUG][,revision=ID]",
    "SLUG is the name of the advertising category in the cookie cookieyes-consent (without it advertisement), and ID "
    "is tax there, which changes with the site's categories",
    (_COOKIE, "viewed_cookie_policy", "cookielawinfo-checkbox-"),
    _read,
    most=1,
    revisions=Revisions(_revisions, re.compile(r"[0-9A-Za-z]{1,32}")),
)
