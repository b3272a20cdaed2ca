"""Who this is to TikTok: the ``ttclid`` of the ad click and the ``_ttp`` of the browser, opaque and never parsed."""

from __future__ import annotations

import re
from typing import NamedTuple

from tiktok_middleware.core.facts import RequestFacts

__all__ = ["FRESH_COOKIE", "LIFETIME_S", "TTCLID", "TTP", "Visitor", "is_ttclid", "is_ttp", "read_visitor"]

TTCLID = "ttclid"
TTP = "_ttp"
#: Names, by an initial each, the visitor's cookies that were renewed within the last day.
FRESH_COOKIE = "_tt_fresh"
_INITIALS = {TTCLID: "c", TTP: "p"}

#: Lifetimes in seconds: TikTok keeps ``_ttp`` for 13 months and asks to keep a click id for 28 days or more.
LIFETIME_S = {TTP: 34_190_000, TTCLID: 2_592_000, FRESH_COOKIE: 86_400}

# TikTok documents a length (1,000) for ttclid and nothing for _ttp, whose format has changed four times.
_TTCLID = re.compile(r"[A-Za-z0-9._~-]{1,1000}")
_TTP = re.compile(r"[A-Za-z0-9._-]{16,128}")
# The names under which other integrations keep a click id.
_TTCLID_COOKIES = (TTCLID, "_ttclid", "tiktok_ttclid")


def is_ttclid(text: str) -> bool:
    """Whether it is of a form that TikTok writes."""
    return _TTCLID.fullmatch(text) is not None


def is_ttp(text: str) -> bool:
    """Whether it is of a form that TikTok writes."""
    return _TTP.fullmatch(text) is not None


class Visitor(NamedTuple):
    """The two ids, empty where the visitor has none, and what is to be written back.

    Attributes:
        ttclid: the newest click id: the URL's, else a cookie's.
        ttp: the browser's id.
        renew: names of the cookies that are new, changed or due for their daily renewal.
        fresh: the value of :data:`FRESH_COOKIE` once they are renewed.
        ignored: how many values were not of a form that TikTok writes, and were ignored.
    """

    ttclid: str
    ttp: str
    renew: tuple[str, ...]
    fresh: str
    ignored: int


def read_visitor(facts: RequestFacts) -> Visitor:
    """The visitor's ids, from the URL and the cookies of this request."""
    cookies = facts.cookies
    landed = facts.query_value(TTCLID)
    kept = [cookies[name] for name in _TTCLID_COOKIES if cookies.get(name)]
    ttp = cookies.get(TTP, "")
    ignored = 0
    if landed and not _TTCLID.fullmatch(landed):
        landed, ignored = "", ignored + 1
    valid = [value for value in kept if _TTCLID.fullmatch(value)]
    ignored += len(kept) - len(valid)
    if ttp and not _TTP.fullmatch(ttp):
        ttp, ignored = "", ignored + 1
    ttclid = landed or (valid[0] if valid else "")
    fresh = cookies.get(FRESH_COOKIE, "")
    renew = []
    if ttclid and (_INITIALS[TTCLID] not in fresh or ttclid != cookies.get(TTCLID)):
        renew.append(TTCLID)
    if ttp and _INITIALS[TTP] not in fresh:
        renew.append(TTP)
    is_fresh = {*renew, *(name for name, initial in _INITIALS.items() if initial in fresh)}
    initials = "".join(sorted(_INITIALS[name] for name in is_fresh))
    return Visitor(ttclid, ttp, tuple(renew), initials, ignored)
