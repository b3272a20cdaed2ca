"""Axeptio for brands: one cookie with a JSON record of the choice, another with a list of the authorised vendors."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    attempt,
    decoded,
    iso_ms,
    latest,
    most_careful,
    record,
    values_of,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE, _LIST = "axeptio_cookies", "axeptio_authorized_vendors"


def _read(header: str, setting: Setting) -> State:
    """Return granted if the choice is complete and neither cookie denies the vendor.

    Both cookies exist before the choice; only ``$$completed`` shows that the visitor has chosen.
    """
    vendor = setting.part()
    if _COOKIE not in header:
        return State.UNKNOWN
    records = values_of(header, _COOKIE)
    lists = values_of(header, _LIST)
    listed = [attempt(lambda value: _in_list(value, vendor), value) for value in lists]
    # If the record does not contain the vendor, the list decides. Without a list, that is a refusal.
    otherwise = most_careful(listed) if listed else State.DENIED
    chosen = [attempt(lambda value: _in_record(value, vendor, otherwise), value) for value in records]
    if State.UNKNOWN in chosen or not chosen:
        return State.UNKNOWN
    return most_careful(chosen + listed)


def _in_record(value: str, vendor: str, otherwise: State) -> State:
    found = record(value)
    if found.get("$$completed") is not True:
        return State.UNKNOWN
    return yes_or_no(found[vendor]) if vendor in found else otherwise


def _in_list(value: str, vendor: str) -> State:
    text = decoded(value)
    if len(text) < 2 or text[0] != "," or text[-1] != ",":
        raise ValueError("no whole list")
    return State.GRANTED if vendor in text[1:-1].split(",") else State.DENIED


def _changed_at_ms(header: str, _setting: Setting) -> int:
    return latest(header, _COOKIE, lambda value: iso_ms(record(value).get("$$date")))


PLATFORM = Platform(
    "axeptio:VENDOR",
    "VENDOR is TikTok's name in the Axeptio project, as the cookie axeptio_all_vendors lists it",
    (_COOKIE, _LIST),
    _read,
    _changed_at_ms,
    least=1,
    most=1,
)
