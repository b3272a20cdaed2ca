"""Platforms that keep all categories in one list of keys and values; each reader knows its own cookie only."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms.answers import State, most_careful, yes_or_no
from tiktok_middleware.core.consent.platforms.header import read_copies, values_of
from tiktok_middleware.core.consent.platforms.unwrap import MAX_GROUPS, decoded, key_values

__all__ = ["cookiebot", "cookieyes", "django", "tarteaucitron"]

_COOKIEBOT_PAIR = re.compile(r"([A-Za-z0-9_]+):('[^']*'|[-.A-Za-z0-9]*)(?:,|\Z)")
_DJANGO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)


def cookiebot(header: str, implied: State) -> State:
    """Cookiebot's ``CookieConsent``: a JavaScript literal, or ``0`` (declined) or ``-1`` (nobody was asked)."""
    return read_copies(header, "CookieConsent", lambda value: _cookiebot(decoded(value), implied))


def _cookiebot(text: str, implied: State) -> State:
    if text in {"0", "-1"}:
        return State.DENIED if text == "0" else implied
    fields = _literal(text)
    marketing = yes_or_no(fields.get("marketing"), yes="true", no="false")
    if marketing is not State.GRANTED:
        return marketing
    return {"'explicit'": marketing, "'implied'": implied}.get(fields.get("method", ""), State.UNKNOWN)


def _literal(text: str) -> dict[str, str]:
    """The pairs between the braces, quotes kept; every character must belong to one."""
    if text[:1] != "{" or text[-1:] != "}":
        raise ValueError("no literal")
    body, at = text[1:-1], 0
    fields: dict[str, str] = {}
    while at < len(body):
        pair = _COOKIEBOT_PAIR.match(body, at)
        if pair is None or pair[1] in fields or len(fields) == MAX_GROUPS:
            raise ValueError("no pairs")
        fields[pair[1]] = pair[2]
        at = pair.end()
    return fields


def cookieyes(header: str, implied: State) -> State:
    """CookieYes: ``cookieyes-consent`` of version 3; where it is absent, the cookies of version 2."""
    if values_of(header, "cookieyes-consent"):
        return read_copies(header, "cookieyes-consent", lambda value: _cookieyes(decoded(value), implied))
    return _cookie_law_info(header)


def _cookieyes(text: str, implied: State) -> State:
    # `consent` is never looked at: under Californian law its `yes` means that the visitor opted out.
    fields = key_values(text.split(","), ":")
    action = fields.get("action")
    answer = yes_or_no(fields.get("advertisement"), yes="yes", no="no")
    if action == "yes":
        return answer
    return implied if action == "no" and answer is State.GRANTED else State.UNKNOWN


def _cookie_law_info(header: str) -> State:
    """Version 2 writes a cookie a category, before any choice; ``viewed_cookie_policy`` tells of the choice."""
    if "viewed_cookie_policy" not in header:
        return State.UNKNOWN
    viewed = values_of(header, "viewed_cookie_policy")
    if "no" in viewed:
        return State.DENIED
    boxes = values_of(header, "cookielawinfo-checkbox-advertisement")
    boxes = boxes or values_of(header, "cookielawinfo-checkbox-non-necessary")
    if set(viewed) != {"yes"}:
        return State.UNKNOWN
    return most_careful([yes_or_no(box, yes="yes", no="no") for box in boxes])


def tarteaucitron(header: str, key: str) -> State:
    """The list ``!key=true!other=wait``; ``wait`` is written at first sight of a key."""
    return read_copies(header, "tarteaucitron", lambda value: _tarteaucitron(decoded(value), key))


def _tarteaucitron(text: str, key: str) -> State:
    start, *parts = text.split("!")
    if start:
        raise ValueError("does not begin with a mark")
    return yes_or_no(key_values(parts, "=").get(key), yes="true", no="false")


def django(header: str, group: str) -> State:
    """django-cookie-consent's ``cookie_consent``: a time where the group was accepted, -1 where it was declined."""
    return read_copies(header, "cookie_consent", lambda value: _django(decoded(value), group))


def _django(text: str, group: str) -> State:
    if text[:1] == '"':
        if len(text) < 2 or text[-1] != '"':
            raise ValueError("quote is not closed")
        text = text[1:-1]
    said = key_values(text.split("|"), "=").get(group, "")
    if said == "-1":
        return State.DENIED
    return State.GRANTED if _DJANGO_TIME.fullmatch(said) else State.UNKNOWN
