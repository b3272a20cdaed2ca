"""Orejime: the cookie ``eu-consent`` (version 2: ``orejime``), a JSON object with a boolean for each purpose."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    attempt,
    most_careful,
    record,
    values_by_name,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_NAMES = ("eu-consent", "orejime")


def _read(header: str, setting: Setting) -> State:
    purpose = setting.part()
    found = values_by_name(header, *((setting.cookie,) if setting.cookie else _NAMES))
    values = [value for values in found.values() for value in values]
    return most_careful([attempt(lambda value: yes_or_no(record(value).get(purpose)), value) for value in values])


PLATFORM = Platform(
    "orejime:PURPOSE",
    "PURPOSE is the id of the TikTok purpose in the purposes of Orejime's configuration",
    _NAMES,
    _read,
    least=1,
    most=1,
    has_cookie_name=True,
)
