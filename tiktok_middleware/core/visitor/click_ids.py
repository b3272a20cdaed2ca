"""Read TikTok's ids of a visitor: ``ttclid`` of the ad click and ``_ttp`` of the browser. Both are opaque."""

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
#: Lists the visitor's cookies that were renewed within the last day, one initial for each.
FRESH_COOKIE = "_tt_fresh"
_TTCLID_INITIAL, _TTP_INITIAL = "c", "p"


# TikTok documents a length (1,000) for ttclid and nothing for _ttp, whose format has changed four times.
_TTCLID = re.compile(r"[A-Za-z0-9._~-]{1,1000}")
_TTP = re.compile(r"[A-Za-z0-9._-]{16,128}")
# The names under which other integrations keep a click id.
_TTCLID_COOKIES = (TTCLID, "_ttclid", "tiktok_ttclid")


def is_ttclid(text: str) -> bool:
    """Return whether the text has the form of a click id, and is not an unfilled macro such as ``__CLICKID__``."""
    return _TTCLID.fullmatch(text) is not None and not is_placeholder(text) and not identifier_reveals(text)


def is_ttp(text: str) -> bool:
    """Return whether the text has the form of a ``_ttp`` value."""
    return _TTP.fullmatch(text) is not None and not identifier_reveals(text)


class Visitor(NamedTuple):
    """The two ids, empty if the visitor has none, and the cookies to write.

    Attributes:
        ttclid: the newest click id: from the URL, else from a referrer of the same host, else from a cookie.
        ttp: TikTok's id of the browser.
        renew: names of the cookies that are new, changed or due for their daily renewal.
        fresh: the value of :data:`FRESH_COOKIE` after the renewal.
        ignored: the number of values that were ignored because they lack TikTok's form.
    """

    ttclid: str
    ttp: str
    renew: tuple[str, ...]
    fresh: str
    ignored: int

    def minted(self, ttp: str) -> Visitor:
        """Return the same visitor with a new ``_ttp``."""
        fresh = self.fresh.replace(_TTP_INITIAL, "") + _TTP_INITIAL
        return self._replace(ttp=ttp, renew=(*self.renew, TTP), fresh=fresh)


def may_be_due(request: RequestView) -> bool:
    """Return False if certainly no cookie has to be written. Cheap, because most requests of a visitor need none."""
    return TTCLID in request.query or cookies_may_be_due(request.cookie_header) or _KEY in request.header("referer")


def cookies_may_be_due(cookies: str) -> bool:
    """Return the same, judged by the ``Cookie`` header alone."""
    at = cookies.find(_FRESH)
    fresh = cookies[at + len(_FRESH) : at + len(_FRESH) + 2] if at >= 0 else ""
    return (TTCLID in cookies and (_TTCLID_INITIAL not in fresh or _OTHER_TTCLID in cookies)) or (
        TTP in cookies and _TTP_INITIAL not in fresh
    )


_FRESH = f"{FRESH_COOKIE}="
_KEY = f"{TTCLID}="
_OTHER_TTCLID = f"_{TTCLID}"


def read_visitor(request: RequestView) -> Visitor:
    """Return the visitor's ids from the URL, the referrer and the cookies of this request."""
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
    """Return the click id in the referrer if it is a page of the same host; empty if there is none.

    Consent may be given on the page after the landing page. TikTok's server tag reads the referrer too.
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
