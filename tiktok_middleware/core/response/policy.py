"""Decide what may be done with a response: four independent columns, for both adapters.

``plan()`` reads the request and the response head, and returns the four values with their reasons.
A new case is a new value in a column, never a branch elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from tiktok_middleware.core.http.media_type import media_type
from tiktok_middleware.core.http.request import Names, RequestView, Values
from tiktok_middleware.core.http.response_head import PLANNED, Head
from tiktok_middleware.core.page.charset import is_label
from tiktok_middleware.core.page.codings import has_coding, is_known, missing_packages
from tiktok_middleware.core.response.columns import Audience, Codec, Place, Plan, Timing
from tiktok_middleware.core.response.shared_caches import audience_of, cache_life_s, directives_of
from tiktok_middleware.core.runtime import BoundedCache

__all__ = ["ASKED", "Audience", "Codec", "Place", "Plan", "Timing", "cache_life_s", "may_get_page", "plan"]


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
    audience, audience_reason = audience_of(head, shared, now_s)
    place, place_reason = _place(status, head, asked, is_shared=audience is Audience.SHARED)
    if codec is Codec.OPAQUE and place in {Place.DOCUMENT, Place.EMBEDDED}:
        place, place_reason = Place.CARRY, codec_reason
    timing, timing_reason = _timing(asked)
    found = (place_reason, audience_reason, codec_reason, timing_reason)
    reasons = tuple(dict.fromkeys(filter(None, found)))  # an unreadable body explains two columns
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
    if _is_page(status, head):
        if is_shared:
            return Place.DOCUMENT, ""  # for any request: a cache also sends it to windows, frames and scripts
        if asked.fragment:
            return Place.ANSWER, "fragment"
        return (Place.EMBEDDED, "embedded") if asked.destination in _FRAMES else (Place.DOCUMENT, "")
    if _is_navigation(asked):
        return Place.CARRY, "no_place_here"
    if 300 <= status < 400 or head.file_order:
        # A script cannot read the headers of a redirect, and a proxy that sends a file keeps few of them.
        return Place.CARRY, "redirect" if status >= 300 else "no_place_here"
    if asked.site not in {"", "same-origin"}:
        return (Place.ABROAD, "allowed_origin") if asked.is_allowed else (Place.ELSEWHERE, "other_origin")
    return Place.ANSWER, ""


def _is_page(status: int, head: Head) -> bool:
    """Return whether a browser shows the body that the app sends as a page."""
    is_download = head.content_disposition.lstrip().lower().startswith("attachment")
    is_html = media_type(head.content_type).essence == _HTML
    return is_html and status not in _NO_BODY and not is_download and not head.file_order


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
    if "no-transform" in directives_of(head.cache_control):
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
