"""Decide what may be done with a response: four independent columns, for both adapters.

``plan()`` reads the request and the response head, and returns the four values with their reasons.
A new case is a new value in a column, never a branch elsewhere.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from tiktok_middleware.core.http.media_type import media_type
from tiktok_middleware.core.http.request import Names, RequestView, Values
from tiktok_middleware.core.http.response_head import PLANNED, Head, seconds_left
from tiktok_middleware.core.page.charset import is_label
from tiktok_middleware.core.page.codings import has_coding, is_known, missing_packages
from tiktok_middleware.core.runtime import BoundedCache

__all__ = ["ASKED", "Audience", "Codec", "Place", "Plan", "Timing", "cache_life_s", "may_get_page", "plan"]


class Place(Enum):
    """Where a browser copy can go."""

    DOCUMENT = "document"  # inline, if the body begins like a document
    EMBEDDED = "embedded"  # like DOCUMENT but inside a frame: no page view
    ANSWER = "answer"  # a header that the helper reads
    ABROAD = "abroad"  # like ANSWER, for a page of another origin that the app allows and whose helper trusts our host
    ELSEWHERE = "elsewhere"  # an answer to a page of another origin without our helper: no copy leaves
    CARRY = "carry"  # not in this response: the redirect cookie takes it to the next page
    UNTOUCHABLE = "untouchable"  # not even a cookie


class Audience(Enum):
    """Whether a shared cache may keep the response."""

    ONE = "one"
    SHARED = "shared"


class Codec(Enum):
    """Whether the body can be read."""

    IDENTITY = "identity"
    CODED = "coded"  # gzip and the like: decoded and encoded again
    OPAQUE = "opaque"


class Timing(Enum):
    """Whether a person sees the response now."""

    LIVE = "live"
    PREFETCH = "prefetch"
    ABSENT = "absent"  # now, but browsers send no cookies with a POST from another site


class Plan(NamedTuple):
    """The four columns, with reasons for values other than the default.

    Attributes:
        place, audience, codec, timing: the columns.
        reasons: snake_case words, in the order of the columns.
        fragment: the place that applies instead if HTML does not begin like a document.
        is_charset_named: whether the response names its charset.
    """

    place: Place
    audience: Audience
    codec: Codec
    timing: Timing
    reasons: tuple[str, ...] = ()
    fragment: Place = Place.ANSWER
    is_charset_named: bool = True

    @property
    def takes_fragments(self) -> bool:
        """Whether HTML counts as a page even if it does not begin like a document."""
        return self.fragment is self.place


def plan(status: int, head: Head, request: RequestView, *, now_s: float, shared: bool | None = None) -> Plan:
    """Return what may be done with a response.

    Args:
        status: the HTTP status.
        head: its headers.
        request: its request.
        now_s: Unix seconds, compared with ``Expires``.
        shared: argument of the app's ``shared()``, which outranks the headers; None if not called.
    """
    # A site has few kinds of requests and responses: cache one plan for each combination of these values.
    method = request.method
    is_foreign = method == "POST" and _is_foreign(request)
    is_allowed = head.access_control_allow_origin != "" and _is_allowed(head.access_control_allow_origin, request)
    values = request.values(ASKED)
    alike = (status, head[:PLANNED], method, values, shared, is_foreign, is_allowed)
    made = _made.get(alike)
    if made is None:
        asked = _Asked.read(method, values, is_foreign=is_foreign, is_allowed=is_allowed)
        made = _decide(status, head, asked, shared, now_s)
        if not head.expires:  # the only header whose meaning depends on the time
            _made.keep(alike, made)
    return made


_made: BoundedCache[tuple[object, ...], Plan] = BoundedCache()


#: Request headers that the tables read.
ASKED = Names(
    *("sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "accept"),
    *("hx-request", "x-requested-with", "turbo-frame"),
    *("sec-purpose", "purpose", "x-moz", "x-purpose", "x-sec-purpose"),
)


class _Asked(NamedTuple):
    """Values of a request that the tables read."""

    is_head: bool
    destination: str
    mode: str
    site: str
    accepts_html: bool
    fragment: str
    purpose: str
    is_foreign: bool
    is_allowed: bool

    @classmethod
    def read(cls, method: str, values: Values, *, is_foreign: bool, is_allowed: bool) -> _Asked:
        texts = [value.decode("latin-1") if isinstance(value, bytes) else value or "" for value in values]
        destination, mode, site, accept, *rest = texts
        fragment, purpose = _fragment(mode, *rest[:3]), next(filter(None, rest[3:]), "")
        return cls(
            method == "HEAD", destination, mode, site, "text/html" in accept, fragment, purpose, is_foreign, is_allowed
        )


def _fragment(mode: str, hx_request: str, requested_with: str, turbo_frame: str) -> str:
    """Return the header value that marks a request for a part of a page; empty without one.

    ``X-Requested-With`` with a dot is none: Android WebViews, such as TikTok's, send their app's name
    (``com.example.app``) with every navigation.
    """
    if mode == "navigate":
        return ""
    return hx_request or turbo_frame or (requested_with if "." not in requested_with else "")


def _decide(status: int, head: Head, asked: _Asked, shared: bool | None, now_s: float) -> Plan:
    codec, codec_reason = _codec(head)
    audience, audience_reason = _audience(head, shared, now_s)
    place, place_reason = _place(status, head, asked, is_shared=audience is Audience.SHARED)
    if codec is Codec.OPAQUE and place in {Place.DOCUMENT, Place.EMBEDDED}:
        place, place_reason = Place.CARRY, codec_reason
    timing, timing_reason = _timing(asked)
    reasons = tuple(reason for reason in (place_reason, audience_reason, codec_reason, timing_reason) if reason)
    fragment = _fragment_place(place, head, asked, is_shared=audience is Audience.SHARED)
    return Plan(place, audience, codec, timing, reasons, fragment, is_label(media_type(head.content_type).charset))


_HTML, _XHTML, _EVENT_STREAM = "text/html", "application/xhtml+xml", "text/event-stream"
_FRAMES = frozenset({"iframe", "frame", "embed", "object"})
_NO_BODY = frozenset({204, 205, *range(300, 400)})


def _place(status: int, head: Head, asked: _Asked, *, is_shared: bool) -> tuple[Place, str]:
    untouchable = _untouchable(status, head, asked)
    if untouchable:
        return Place.UNTOUCHABLE, untouchable
    sealed = _sealed(head)
    if sealed:
        return (Place.CARRY if _is_navigation(asked) else Place.UNTOUCHABLE), sealed
    is_html = media_type(head.content_type).essence == _HTML
    if is_html and status not in _NO_BODY and not head.content_disposition.lstrip().lower().startswith("attachment"):
        if is_shared:
            return Place.DOCUMENT, ""  # for any request: a cache also sends it to windows, frames and scripts
        if asked.fragment:
            return Place.ANSWER, "fragment"
        return (Place.EMBEDDED, "embedded") if asked.destination in _FRAMES else (Place.DOCUMENT, "")
    if _is_navigation(asked):
        return Place.CARRY, "no_place_here"
    if 300 <= status < 400:
        return Place.CARRY, "redirect"  # a script cannot read the headers of a redirect
    if asked.site not in {"", "same-origin"}:
        return (Place.ABROAD, "allowed_origin") if asked.is_allowed else (Place.ELSEWHERE, "other_origin")
    return Place.ANSWER, ""


def _fragment_place(place: Place, head: Head, asked: _Asked, *, is_shared: bool) -> Place:
    """Return the place for HTML that does not begin like a document.

    After a navigation it is still a page: the browser shows it, and no script can read the headers of a navigation.
    """
    if is_shared or not _is_navigation(asked):
        return Place.ANSWER
    # With an unknown coding only the bytes can show that the body is a page.
    return Place.CARRY if head.content_encoding and not has_coding(head.content_encoding) else place


def _untouchable(status: int, head: Head, asked: _Asked) -> str:
    """Return why not even a header may be added; empty when one may."""
    if status < 200 or status == 206:
        return "partial" if status == 206 else "interim"
    if status == 304:
        return "not_modified"
    if asked.is_head:
        return "head_request"
    if media_type(head.content_type).essence == _EVENT_STREAM:
        return "event_stream"
    return ""


def _sealed(head: Head) -> str:
    """Return why the body must not be changed, even if a cookie may be added; empty when it may be changed."""
    if media_type(head.content_type).essence == _XHTML:
        return "xhtml"  # the script would have to be well-formed XML
    if "no-transform" in _directives(head.cache_control):
        return "no_transform"
    return ""


def may_get_page(destination: bytes, accept: bytes) -> bool:
    """Return whether the response may be a page, by the request's headers; not for an image or a style sheet.

    Args:
        destination: ``Sec-Fetch-Dest`` of the request.
        accept: ``Accept`` of the request.
    """
    return destination in _PAGE_DESTINATIONS if destination else b"text/html" in accept


_PAGE_DESTINATIONS = frozenset({b"document", b"iframe", b"frame", b"fencedframe", b"embed", b"object", b"empty"})


def _is_navigation(asked: _Asked) -> bool:
    if asked.mode:
        return asked.mode == "navigate" or asked.destination in _FRAMES
    # Browsers without Fetch Metadata accept HTML when they navigate.
    return asked.accepts_html and not asked.fragment


def _audience(head: Head, shared: bool | None, now_s: float) -> tuple[Audience, str]:
    if shared is not None:
        return (Audience.SHARED, "shared_by_app") if shared else (Audience.ONE, "")
    if head.targeted and _is_kept_by(_directives(head.targeted)):
        return Audience.SHARED, "targeted_cache_control"
    if head.x_accel_expires and not _ZERO.fullmatch(head.x_accel_expires.strip()):
        return Audience.SHARED, "x_accel_expires"
    directives = _directives(head.cache_control)
    if _is_private(directives):
        return Audience.ONE, ""
    if _is_kept_by(directives):
        return Audience.SHARED, "cache_control"
    if head.expires and not _LIFETIMES & directives.keys() and seconds_left(head.expires, now_s) > 0:
        return Audience.SHARED, "expires"
    return Audience.ONE, ""


# Directives that outrank Expires (RFC 9111 section 5.3).
_LIFETIMES = frozenset({"max-age", "s-maxage"})
# Directives that let a cache serve stale responses (RFC 5861).
_STALE = frozenset({"stale-while-revalidate", "stale-if-error"})


def _is_private(directives: dict[str, str]) -> bool:
    """Return whether no shared cache may keep the response; ``private="Set-Cookie"`` covers that header alone."""
    return "no-store" in directives or directives.get("private") == ""


def _is_kept_by(directives: dict[str, str]) -> bool:
    """Return whether a shared cache may serve the response to other visitors (RFC 9111 section 3).

    A lifetime of zero alone does not allow that: the cache has to revalidate each time, and our pages for one visitor
    have no validator.
    """
    if _is_private(directives):
        return False
    if "public" in directives or _STALE & directives.keys():
        return True
    seconds = directives.get("s-maxage", directives.get("max-age"))
    return seconds is not None and _ZERO.fullmatch(seconds) is None


_ZERO = re.compile(r"0*|-[0-9]+")


#: Assumed lifetime, in seconds, when the response states none. Caches choose one; some keep a page for months.
_UNSAID_LIFE_S = 30 * 86_400
_NUMBER = re.compile(r"[0-9]{1,12}")


def cache_life_s(head: Head, now_s: float) -> int:
    """Return the longest time that a cache may serve this response, in seconds.

    Args:
        head: head of a shared response.
        now_s: Unix seconds, compared with ``Expires``.
    """
    said = [_directives(head.cache_control), _directives(head.targeted)]
    lives = [
        sum(int(life[name]) for name in (lifetime, stale) if _NUMBER.fullmatch(life.get(name, "")))
        for life in said
        for lifetime in _LIFETIMES
        for stale in _STALE
    ]
    if _NUMBER.fullmatch(head.x_accel_expires.strip()):
        lives.append(int(head.x_accel_expires))
    if head.expires:
        lives.append(int(seconds_left(head.expires, now_s)))
    return max(lives) or _UNSAID_LIFE_S


# A quoted value may hold commas.
_DIRECTIVE = re.compile(r"(?:[^,\"]|\"[^\"]*(?:\"|$))+")


def _directives(header: str) -> dict[str, str]:
    if not header:
        return {}
    found: dict[str, str] = {}
    for part in _DIRECTIVE.findall(header):
        name, _, value = part.partition("=")
        found[name.strip().lower()] = value.strip().strip('"')
    return found


# Encodings whose bytes below 0x80 are not always ASCII (https://encoding.spec.whatwg.org/).
_NOT_ASCII = ("utf-16", "utf-32", "utf-7", "iso-2022-", "hz-gb-2312", "ucs-2", "ucs-4")


def _codec(head: Head) -> tuple[Codec, str]:
    coding = head.content_encoding
    if coding and not is_known(coding):
        return Codec.OPAQUE, "package_missing" if missing_packages(coding) else "encoded"
    if media_type(head.content_type).charset.startswith(_NOT_ASCII):
        return Codec.OPAQUE, "charset"
    return (Codec.CODED, "") if coding and has_coding(coding) else (Codec.IDENTITY, "")


def _timing(asked: _Asked) -> tuple[Timing, str]:
    if any(word in asked.purpose.lower() for word in ("prefetch", "prerender", "preview")):
        return Timing.PREFETCH, "prefetch"
    if asked.is_foreign and _is_navigation(asked):
        return Timing.ABSENT, "cookies_absent"
    return Timing.LIVE, ""


def _is_allowed(allowed: str, request: RequestView) -> bool:
    """Return whether the app allows the requesting page to read the answer, and the page's helper trusts our host.

    The helper trusts hosts below its own: ``api.shop.example`` on ``shop.example`` and ``www.shop.example``.
    """
    origin = request.header("origin")
    scheme, _, host = origin.lower().partition("://")
    if allowed.strip() not in {"*", origin} or scheme != request.scheme:
        return False
    return bool(host) and f".{request.hostname}".endswith("." + host.partition(":")[0].removeprefix("www."))


def _is_foreign(request: RequestView) -> bool:
    """Return whether another site has sent this POST, such as a bank that returns the visitor."""
    site = request.header("sec-fetch-site")
    if site:
        return site == "cross-site"
    origin = request.header("origin")
    if origin == "null":
        return not request.kept  # our own pages without referrers send this too, but with our cookies
    return bool(origin) and not request.is_own(origin.partition("://")[2].lower())
