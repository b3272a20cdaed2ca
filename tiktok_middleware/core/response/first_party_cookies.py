"""The cookies that one response sets or deletes: who the visitor is to TikTok, and what they said; it sends nothing."""

from __future__ import annotations

from tiktok_middleware.core.consent.consent import OWN_COOKIE, State
from tiktok_middleware.core.http.cookies import delete_cookie, set_cookie
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.redirect_cookie import SEALED, carry_names
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.visitor.click_ids import FRESH_COOKIE, LIFETIME_S, TTCLID, TTP, may_be_due

__all__ = ["CONSENT_MAX_AGE_S", "Header", "choice_cookies", "site_cookie", "visitor_cookies"]

#: How long a visitor's own word is remembered: six months, the French authority's recommendation.
CONSENT_MAX_AGE_S = 15_552_000

_DENIED = State.DENIED

#: Name and value.
Header = tuple[str, str]


def site_cookie(request: RequestView, name: str, value: str, max_age_s: int, domain: str = "") -> Header:
    """A cookie for the whole site, over the visitor's own scheme.

    Args:
        request: the request.
        name: its name.
        value: its value.
        max_age_s: its lifetime in seconds.
        domain: empty for this host alone.
    """
    secure = request.scheme == "https"
    return "Set-Cookie", set_cookie(name, value, max_age_s=max_age_s, domain=domain, secure=secure)


def choice_cookies(request: RequestView, runtime: Runtime, state: RequestState) -> list[Header]:
    """The visitor's word, and after a refusal the end of our cookies."""
    word = state.consent_word
    cookies = [site_cookie(request, OWN_COOKIE, word, CONSENT_MAX_AGE_S)] if word else []
    return [*cookies, *_deletions(request, runtime)] if state.consent.state is _DENIED else cookies


def visitor_cookies(request: RequestView, runtime: Runtime, state: RequestState) -> list[Header]:
    """The visitor's ids where they are due, and what says that they are fresh, last.

    Args:
        request: the request.
        runtime: the configuration.
        state: of the request.
    """
    if not runtime.mints and not may_be_due(request):
        return []
    visitor = state.visitor
    if not visitor.renew:
        return []
    domain = runtime.cookie_domain(request.hostname)
    values = {TTCLID: visitor.ttclid, TTP: visitor.ttp}
    # What is left alone counts as fresh all the same: a page that many visitors share asks for what is not.
    renew = [name for name in visitor.renew if name != TTP or runtime.config.ttp != "off"]
    cookies = [site_cookie(request, name, values[name], LIFETIME_S[name], domain) for name in renew]
    return [*cookies, site_cookie(request, FRESH_COOKIE, visitor.fresh, LIFETIME_S[FRESH_COOKIE])]


def _deletions(request: RequestView, runtime: Runtime) -> list[Header]:
    """Our cookies of who said no; a domain cookie and a host-only one of one name are two cookies."""
    domain = runtime.cookie_domain(request.hostname)
    present = [name for name in (TTCLID, TTP, FRESH_COOKIE, SEALED) if name in request.kept] + carry_names(request)
    return [
        ("Set-Cookie", delete_cookie(name, domain=scope))
        for name in present
        for scope in ({"", domain} if name in {TTCLID, TTP} else {""})
    ]
