"""Klaro: the cookie ``klaro``, a JSON object with a boolean for each service, written when the visitor saves."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, read_copies, record, yes_or_no
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]


def _read(header: str, setting: Setting) -> State:
    service = setting.part()
    return read_copies(header, setting.cookie or "klaro", lambda value: yes_or_no(record(value).get(service)))


PLATFORM = Platform(
    "klaro:SERVICE",
    "SERVICE is the name of the TikTok service in the services of Klaro's configuration",
    ("klaro",),
    _read,
    least=1,
    most=1,
    has_cookie_name=True,
)
