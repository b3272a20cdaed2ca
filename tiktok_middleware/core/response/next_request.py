"""Learn from a browser's next request whether it takes cookies.

A redirect or a download leaves its events in a cookie for the next page. A browser without cookies sends the next
request without any cookie: the browser copies are lost, which is counted, and sealed events are taken from memory.
Each process has its own memory: if another process answers the next request, nothing is counted or taken.

A sealed event holds hashes of one visitor, and must reach no other. It is taken only by a request to exactly the
address of the redirect, on the same host, that another site may have caused, and only if no second one waits for a
request that looks the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_headers import Headers
from tiktok_middleware.core.pixel.redirect_cookie import CARRY, RedirectToken
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.policy import Place
from tiktok_middleware.core.response.routed_event import RoutedEvent, is_sealed, references_of
from tiktok_middleware.core.tracking.request_state import RequestState

__all__ = ["await_next_request", "follow", "may_follow"]

_MAX_TARGET_CHARS = 2048
_CARRY_BYTES = CARRY.encode("ascii")


def await_next_request(output: BrowserOutput, headers: Headers, leaving: Sequence[RoutedEvent]) -> None:
    """Note the events that a response leaves for the browser's next request.

    Args:
        output: browser output of the response.
        headers: headers of the app.
        leaving: events that leave with the response.
    """
    state, runtime = output.state, output.runtime
    returned = state.returned
    if output.plan.place is not Place.CARRY:
        is_in_page = output.may_write_snippet and not output.is_shared
        is_settled = is_in_page or output.earlier.has_opened or state.consent.state is State.DENIED
        for _ in () if is_settled or returned is None else (*returned.signed_events, *returned.references):
            runtime.notices.count("no_cookies")  # no later request can bring them
        return
    sealed, references = returned or RedirectToken(), references_of(leaving)
    copies = len(leaving)
    if output.seals:
        copies = 0
        made = [output.entries.signed_event(choice.event) for choice in leaving if is_sealed(choice)]
        sealed = RedirectToken(made, references).behind(sealed)
    if copies or any(sealed):
        request = state.request
        target = _target(request, headers)
        key = (_browser(request), *(target or (request.hostname, "", "")))
        is_exact = target is not None and target[0] == request.hostname  # another host may have another pixel
        runtime.awaited.expect(key, copies, sealed, runtime.clock(), is_exact=is_exact)


def may_follow(headers: Mapping[Any, Any]) -> bool:
    """Return whether a request may be awaited: it has no cookies, or one of ours for the next request.

    Args:
        headers: headers of the request, by the names of its protocol.
    """
    cookies = headers.get("HTTP_COOKIE") or headers.get(b"cookie")
    return not cookies or (CARRY if isinstance(cookies, str) else _CARRY_BYTES) in cookies


def follow(state: RequestState) -> None:
    """Take what waits for a request. If it has no cookies, count lost copies, and keep sealed events for the response.

    If it has the cookie, what waits is forgotten, so that no other visitor's request can take it.
    """
    request, runtime = state.request, state.runtime
    now_s, browser = runtime.clock(), _browser(request)
    keys = [(browser, request.hostname, request.path, unquote(request.query))]
    if request.header("sec-fetch-mode") == "navigate" or "text/html" in request.header("accept"):
        keys.append((browser, request.hostname, "", ""))
    may_be_return = bool(request.cookie_header) or _may_be_return(request)
    found = [runtime.awaited.taken(key, now_s, may_be_return=may_be_return) for key in keys]
    if request.cookie_header:
        return
    for awaited in filter(None, found):
        for _ in range(awaited.copies):
            runtime.notices.count("browser_no_cookies")
        for _ in range(awaited.lost):
            runtime.notices.count("no_cookies")
        if any(awaited.sealed):
            state.returned = awaited.sealed


def _may_be_return(request: RequestView) -> bool:
    """Return whether a request may follow a redirect of another site's POST; browsers call that cross-site too."""
    if request.header("sec-fetch-site") not in {"", "cross-site"}:
        return False
    try:
        page = urlsplit(request.header("referer"))
    except ValueError:  # such as unbalanced brackets
        return False
    return not request.is_own(page.netloc.lower())


def _browser(request: RequestView) -> int:
    return hash((request.client, request.header("user-agent"), request.header("accept-language")))


def _target(request: RequestView, headers: Headers) -> tuple[str, str, str] | None:
    """Return host, decoded path and decoded query of the address that a response redirects to; None without one."""
    for name, value in headers:
        if len(name) != len("location"):
            continue
        texts = [part if isinstance(part, str) else part.decode("latin-1") for part in (name, value)]
        if texts[0].lower() == "location" and len(texts[1]) <= _MAX_TARGET_CHARS:
            try:
                url = urlsplit(urljoin(request.url, texts[1].strip()))
            except ValueError:  # such as unbalanced brackets
                return None
            return (url.hostname or ""), unquote(url.path) or "/", unquote(url.query)
    return None
