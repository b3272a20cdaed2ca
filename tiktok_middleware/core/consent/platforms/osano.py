"""Osano: the cookie ``osano_consentmanager`` if it is plain JSON. Usually it is encrypted, and the state is unknown."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, read_copies, record, yes_or_no
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "osano_consentmanager"


def _read(header: str, _setting: Setting) -> State:
    return read_copies(
        header, _COOKIE, lambda value: yes_or_no(record(value).get("MARKETING"), yes="ACCEPT", no="DENY")
    )


#: Used by ``auto`` only, because a site with Osano needs its bridge.
PLATFORM = Platform("osano", "", (_COOKIE,), _read)
