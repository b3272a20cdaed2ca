"""c15t: the cookie ``c15t``, a comma-separated list of ``key:value``. Keys ``c.NAME`` are the enabled categories."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, decoded, latest, number_ms, read_copies
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]


def _read(header: str, setting: Setting) -> State:
    category = setting.part("marketing")
    return read_copies(header, setting.cookie or "c15t", lambda value: _answer(_fields(decoded(value)), category))


def _answer(fields: dict[str, str], category: str) -> State:
    number_ms(fields.get("i.t"))  # the time of the choice; without it the visitor has not chosen
    answer = fields.get(f"c.{category}", "0")
    return {"1": State.GRANTED, "0": State.DENIED}.get(answer, State.UNKNOWN)


def _fields(value: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for pair in value.split(","):
        key, met, text = pair.partition(":")
        if not met or key in fields:
            raise ValueError("no list of different keys with values")
        fields[key] = text
    return fields


def _changed_at_ms(header: str, setting: Setting) -> int:
    return latest(header, setting.cookie or "c15t", lambda value: number_ms(_fields(decoded(value)).get("i.t")))


PLATFORM = Platform(
    "c15t[:CATEGORY]",
    "CATEGORY is one of c15t's consent categories (without it marketing)",
    ("c15t",),
    _read,
    _changed_at_ms,
    most=1,
    has_cookie_name=True,
)
