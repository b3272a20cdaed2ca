"""Cookiebot: the cookie ``CookieConsent``, a JavaScript literal, ``0`` (declined) or ``-1`` (visitor not asked)."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import (
    MAX_GROUPS,
    State,
    decoded,
    latest,
    number_ms,
    read_copies,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "CookieConsent"
_PAIR = re.compile(r" ?([A-Za-z0-9_]+):('[^']*'|[-.A-Za-z0-9]*)(?:,|\Z)")


def _read(header: str, setting: Setting) -> State:
    return read_copies(header, _COOKIE, lambda value: _answer(decoded(value), setting.implied))


def _answer(text: str, implied: State) -> State:
    if text in {"0", "-1"}:
        return State.DENIED if text == "0" else implied
    fields = _literal(text)
    marketing = yes_or_no(fields.get("marketing"), yes="true", no="false")
    if marketing is not State.GRANTED:
        return marketing
    return {"'explicit'": marketing, "'implied'": implied}.get(fields.get("method", ""), State.UNKNOWN)


def _literal(text: str) -> dict[str, str]:
    """Return the pairs between the braces, including quotes. Every character must belong to a pair."""
    if text[:1] != "{" or text[-1:] != "}":
        raise ValueError("no literal")
    body, at = text[1:-1], 0
    fields: dict[str, str] = {}
    while at < len(body):
        pair = _PAIR.match(body, at)
        if pair is None or pair[1] in fields or len(fields) == MAX_GROUPS:
            raise ValueError("no pairs")
        fields[pair[1]] = pair[2]
        at = pair.end()
    return fields


def _changed_at_ms(header: str, _setting: Setting) -> int:
    return latest(header, _COOKIE, lambda value: number_ms(_literal(decoded(value)).get("utc")))


PLATFORM = Platform("cookiebot", "", (_COOKIE,), _read, _changed_at_ms)
