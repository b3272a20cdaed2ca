"""Shopify: the cookie ``_tracking_consent`` of version 2. Version 3 is not JSON and is undocumented."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, read_copies, record, record_in, yes_or_no
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "_tracking_consent"


def _read(header: str, _setting: Setting) -> State:
    return read_copies(header, _COOKIE, lambda value: _answer(record(value)))


def _answer(found: dict[str, object]) -> State:
    return yes_or_no(record_in(record_in(found, "con"), "CMP").get("m"), yes="1", no="0")


PLATFORM = Platform("shopify", "", (_COOKIE,), _read)
