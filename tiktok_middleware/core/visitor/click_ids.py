"""Who this is to TikTok: the ``ttclid`` of the ad click and the ``_ttp`` of the browser, opaque and never parsed."""

from __future__ import annotations

import re
from typing import NamedTuple

from tiktok_middleware.core.http.request import RequestView, query_value
from tiktok_middleware.core.visitor.pii import identifier_reveals
from tiktok_middleware.core.visitor.placeholders import is_placeholder

__all__ = [
    "FRESH_COOKIE",
    "TTCLID",
    "TTP",
    "Visitor",
    "cookies_may_be_due",
    "is_ttclid",
    "is_ttp",
    "may_be_due",
    "read_visitor",
]

TTCLID = "ttclid"
TTP = "_ttp"
#: Names, by an initial each, the visitor's cookies that were renewed within the last day.
FRESH_COOKIE = "_tt_fresh"
_TTCLID_INITIAL, _TTP_INITIAL = "c", "p"


# TikTok documents a length (1,000) for ttclid and nothing for _ttp, whose format has changed four times.
_TTCLID = re.compile(r"[A-Za-z0-9._~-]{1,1000}")
_TTP = re.compile(r"[A-Za-z0-9._-]{16,128}")
# The names under which other integrations keep a click id.
_TTCLID_COOKIES = (TTCLID, "_ttclid", "tiktok_ttclid")


def is_ttclid(text: str) -> bool:
    """Whether it is of a form that TikTok writes, and no unfilled macro such as ``__CLICKID__``."""
    return _TTCLID.fullmatch(text) is not None and not is_placeholder(text) and not identifier_reveals(text)


def is_ttp(text: str) -> bool:
    """Whether it is of a form that TikTok writes."""
    return _TTP.fullmatch(text) is not None and not identifier_reveals(text)


class Visitor(NamedTuple):
    """The two ids, empty where the visitor has none, and what is to be written back.

    Attributes:
        ttclid: the newest click id: the URL's, else that of a referrer of the same host, else a cookie's.
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

    def minted(self, ttp: str) -> Visitor:
        """The same visitor with a ``_ttp`` that is new."""
        fresh = self.fresh.replace(_TTP_INITIAL, "") + _TTP_INITIAL
        return self._replace(ttp=ttp, renew=(*self.renew, TTP), fresh=fresh)


def may_be_due(request: RequestView) -> bool:
    """Whether a cookie may have to be written: a cheap look, for the many requests of a day after the first."""
    return TTCLID in request.query or cookies_may_be_due(request.cookie_header) or _KEY in request.header("referer")


def cookies_may_be_due(cookies: str) -> bool:
    """The same by the ``Cookie`` header alone."""
    at = cookies.find(_FRESH)
    fresh = cookies[at + len(_FRESH) : at + len(_FRESH) + 2] if at >= 0 else ""
    return (TTCLID in cookies and (_TTCLID_INITIAL not in fresh or _OTHER_TTCLID in cookies)) or (
        TTP in cookies and _TTP_INITIAL not in fresh
    )


_FRESH = f"{FRESH_COOKIE}="
_KEY = f"{TTCLID}="
_OTHER_TTCLID = f"_{TTCLID}"


def read_visitor(request: RequestView) -> Visitor:
    """The visitor's ids, from the URL and the cookies of this request."""
    cookies = request.kept
    ignored = 0
    ttclid = ""
    for value in (request.query_value(TTCLID), _of_referrer(request), *map(cookies.get, _TTCLID_COOKIES)):
        if not value:
            continue
        if not is_ttclid(value):
            ignored += 1
        elif not ttclid:
            ttclid = value
    ttp = cookies.get(TTP, "")
    if ttp and not is_ttp(ttp):
        ttp, ignored = "", ignored + 1
    fresh = cookies.get(FRESH_COOKIE, "")
    is_ttclid_fresh, is_ttp_fresh = _TTCLID_INITIAL in fresh, _TTP_INITIAL in fresh
    renew: tuple[str, ...] = ()
    if ttclid and (not is_ttclid_fresh or ttclid != cookies.get(TTCLID)):
        renew = (TTCLID,)
        is_ttclid_fresh = True
    if ttp and not is_ttp_fresh:
        renew = (*renew, TTP)
        is_ttp_fresh = True
    initials = (_TTCLID_INITIAL if is_ttclid_fresh else "") + (_TTP_INITIAL if is_ttp_fresh else "")
    return Visitor(ttclid, ttp, renew, initials, ignored)


def _of_referrer(request: RequestView) -> str:
    """The click id in the address of the page before, where that is of the same host; empty where there is none.

    TikTok's server tag reads it too: consent may be given on the page after the one that the ad led to.
    """
    referrer = request.header("referer")
    if _KEY not in referrer:
        return ""
    scheme, separator, rest = referrer.partition("#")[0].partition("://")
    place, _, query = rest.partition("?")
    host = place.partition("/")[0].lower()
    if not separator or scheme.lower() not in {"http", "https"} or not request.is_own(host):
        return ""
    return query_value(query, TTCLID)
