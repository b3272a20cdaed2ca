"""iubenda: a cookie with a JSON record for each site id, and another for the opt-outs of the United States."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import (
    State,
    attempt,
    iso_ms,
    latest,
    most_careful,
    pairs_of,
    record,
    record_in,
    yes_or_no,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_NAME = re.compile(r"_iub_cs-s?[0-9]{1,12}(-uspr)?")
_MARKETING = "5"  # the fifth of iubenda's purposes: necessary, functionality, experience, measurement, marketing


def _read(header: str, _setting: Setting) -> State:
    """Return granted if purpose 5 is on, or if the site has a single question for all purposes and it was accepted."""
    answers, opt_outs = [], []
    for name, value in pairs_of(header, "_iub_cs-"):
        found = _NAME.fullmatch(name)
        if found and found[1]:
            opt_outs.append(attempt(_opt_out, value))
        elif found:
            answers.append(attempt(_answer, value))
    if State.DENIED in opt_outs or not answers:
        return most_careful([*opt_outs, State.UNKNOWN])
    return most_careful(answers + opt_outs)


def _answer(value: str) -> State:
    found = record(value)
    whole = yes_or_no(found.get("consent"))
    if whole is State.DENIED or "purposes" not in found:
        return whole
    purposes = record_in(found, "purposes")
    return yes_or_no(purposes.get(_MARKETING, False))


def _opt_out(value: str) -> State:
    """Return denied if any flag is off. Granted only means that the visitor has not opted out."""
    flags = [yes_or_no(flag) for key, flag in record(value).items() if key in {"s", "sh", "adv"}]
    return most_careful(flags)


def _changed_at_ms(header: str, _setting: Setting) -> int:
    names = {name for name, _ in pairs_of(header, "_iub_cs-") if _NAME.fullmatch(name)}
    return max(
        [latest(header, name, lambda value: iso_ms(record(value).get("timestamp"))) for name in names], default=0
    )


PLATFORM = Platform("iubenda", "", ("_iub_cs-",), _read, _changed_at_ms)
