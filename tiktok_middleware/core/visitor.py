"""Who this is to TikTok: the ``ttclid`` of the ad click and the ``_ttp`` of the browser, opaque and never parsed."""

from __future__ import annotations

import re
from typing import NamedTuple

from tiktok_middleware.core.facts import RequestFacts

__all__ = ["FRESH_COOKIE", "LIFETIME_S", "TTCLID", "TTP", "Visitor", "read_visitor"]

TTCLID = "ttclid"
TTP = "_ttp"
#: Present for a day after the visitor's cookies were renewed, so that they are renewed once a day.
FRESH_COOKIE = "_tt_fresh"

#: Lifetimes in seconds: TikTok keeps ``_ttp`` for 13 months and asks to keep a click id for 28 days or more.
LIFETIME_S = {TTP: 34_190_000, TTCLID: 2_592_000, FRESH_COOKIE: 86_400}

# TikTok documents a length (1,000) for ttclid and nothing for _ttp, whose format has changed four times.
_TTCLID = re.compile(r"[A-Za-z0-9._~-]{1,1000}")
_TTP = re.compile(r"[A-Za-z0-9._-]{16,128}")
# The names under which other integrations keep a click id.
_TTCLID_COOKIES = (TTCLID, "_ttclid", "tiktok_ttclid")


class Visitor(NamedTuple):
    """The two ids, empty where the visitor has none, and what is to be written back.

    Attributes:
        ttclid: the newest click id: the URL's, else a cookie's.
        ttp: the browser's id.
        renew: names of the cookies that are new, changed or due for their daily renewal.
        ignored: how many values were not of a form that TikTok writes, and were ignored.
    """

    ttclid: str
    ttp: str
    renew: tuple[str, ...]
    ignored: int


def read_visitor(facts: RequestFacts) -> Visitor:
    """The visitor's ids, from the URL and the cookies of this request."""
    cookies = facts.cookies
    landed = facts.query_value(TTCLID)
    kept = next((cookies[name] for name in _TTCLID_COOKIES if cookies.get(name)), "")
    ttp = cookies.get(TTP, "")
    ignored = 0
    if landed and not _TTCLID.fullmatch(landed):
        landed, ignored = "", ignored + 1
    if kept and not _TTCLID.fullmatch(kept):
        kept, ignored = "", ignored + 1
    if ttp and not _TTP.fullmatch(ttp):
        ttp, ignored = "", ignored + 1
    ttclid = landed or kept
    is_due = FRESH_COOKIE not in cookies
    renew: list[str] = []
    if ttclid and (is_due or ttclid != cookies.get(TTCLID)):
        renew.append(TTCLID)
    if ttp and is_due:
        renew.append(TTP)
    return Visitor(ttclid, ttp, tuple(renew), ignored)
