"""Osano: the cookie ``osano_consentmanager`` where it is plain JSON; mostly it is encrypted, and then unknown."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, read_copies, record, yes_or_no
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "osano_consentmanager"


def _read(header: str, _setting: Setting) -> State:
    return read_copies(
        header, _COOKIE, lambda value: yes_or_no(record(value).get("MARKETING"), yes="ACCEPT", no="DENY")
    )


#: Read by ``auto`` alone: a site with Osano needs its bridge.
PLATFORM = Platform("osano", "", (_COOKIE,), _read)
