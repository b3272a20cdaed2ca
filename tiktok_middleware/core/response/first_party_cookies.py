"""Make the cookies that one response sets or deletes: the visitor's ids and consent choice."""

from __future__ import annotations

from tiktok_middleware.core.consent.consent import OWN_COOKIE, State, is_superseded
from tiktok_middleware.core.consent.precedence import SAID_COOKIE, said_value
from tiktok_middleware.core.http.cookies import delete_cookie, set_cookie
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.redirect_cookie import SEALED, carry_names
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.visitor.click_ids import FRESH_COOKIE, TTCLID, TTP, may_be_due
from tiktok_middleware.core.visitor.visits import VISIT_COOKIE, VISIT_MAX_AGE_S

__all__ = [
    "CONSENT_MAX_AGE_S",
    "LIFETIME_S",
    "Header",
    "choice_cookies",
    "site_cookie",
    "visit_cookie",
    "visitor_cookies",
]

#: Lifetimes in seconds: TikTok keeps ``_ttp`` for 13 months and asks to keep a click id for 28 days or more.
LIFETIME_S = {TTP: 34_190_000, TTCLID: 2_592_000, FRESH_COOKIE: 86_400}
#: How long a visitor's choice is remembered, in seconds: six months, the French authority's recommendation.
CONSENT_MAX_AGE_S = 15_552_000

_DENIED = State.DENIED

#: Name and value of a header.
Header = tuple[str, str]


def site_cookie(request: RequestView, name: str, value: str, max_age_s: int, domain: str = "") -> Header:
    """Return the header that sets a cookie for the whole site, ``Secure`` under https.

    Args:
        request: the request.
        name: name of the cookie.
        value: value of the cookie.
        max_age_s: lifetime in seconds.
        domain: domain of the cookie; empty for this host alone.
    """
    secure = request.scheme == "https"
    return "Set-Cookie", set_cookie(name, value, max_age_s=max_age_s, domain=domain, secure=secure)


def choice_cookies(request: RequestView, runtime: Runtime, state: RequestState) -> list[Header]:
    """Return the cookies that store the visitor's choice; after a refusal also the deletions of our cookies."""
    domain = runtime.cookie_domain(request.hostname)
    cookies: list[Header] = []
    if state.consent_word:
        cookies = _word_cookies(request, state, domain)
    elif is_superseded(request, runtime.reader):
        cookies = [*_ends(OWN_COOKIE, {"", domain}), *_ends(SAID_COOKIE, {"", domain})]
    return [*cookies, *_deletions(request, domain)] if state.consent.state is _DENIED else cookies


def _word_cookies(request: RequestView, state: RequestState, domain: str) -> list[Header]:
    """Return the choice as cookies for all hosts of the visitor's ids, and delete older copies for this host alone."""
    letter, word = state.consent_word, state.word
    narrow = {""} if domain and OWN_COOKIE in request.cookie_header else set()
    cookies = [*_ends(OWN_COOKIE, narrow), site_cookie(request, OWN_COOKIE, letter, CONSENT_MAX_AGE_S, domain)]
    if word is None or word.platform is None:  # no platform's record to compare the choice with
        return cookies + (_ends(SAID_COOKIE, {"", domain}) if SAID_COOKIE in request.cookie_header else [])
    said = said_value(letter, word.at_ms, word.platform)
    return [*cookies, *_ends(SAID_COOKIE, narrow), site_cookie(request, SAID_COOKIE, said, CONSENT_MAX_AGE_S, domain)]


def _ends(name: str, scopes: set[str]) -> list[Header]:
    return [("Set-Cookie", delete_cookie(name, domain=scope)) for scope in sorted(scopes)]


def visit_cookie(request: RequestView, state: RequestState) -> list[Header]:
    """Return the cookie with the id of the visit, if an event of this response is counted once per visit."""
    return [site_cookie(request, VISIT_COOKIE, state.visit, VISIT_MAX_AGE_S)] if state.visit else []


def visitor_cookies(request: RequestView, runtime: Runtime, state: RequestState) -> list[Header]:
    """Return the due cookies of the visitor's ids, and last the cookie that states that they are fresh.

    Args:
        request: the request.
        runtime: the configuration.
        state: state of the request.
    """
    if not runtime.mints and not may_be_due(request):
        return []
    visitor = state.visitor
    if not visitor.renew:
        return []
    attributes = _attributes(request, runtime)
    values = {TTCLID: visitor.ttclid, TTP: visitor.ttp}
    # With ``ttp`` off, ``_ttp`` still counts as fresh: otherwise the script of a shared page would request it.
    renew = [name for name in visitor.renew if name != TTP or runtime.config.ttp != "off"]
    # Both ids are checked when they are read, so every character is valid in a cookie.
    cookies = [("Set-Cookie", f"{name}={values[name]}{attributes[name]}") for name in renew]
    return [*cookies, ("Set-Cookie", f"{FRESH_COOKIE}={visitor.fresh}{attributes[FRESH_COOKIE]}")]


def _attributes(request: RequestView, runtime: Runtime) -> dict[str, str]:
    """Return the attributes of the visitor's cookies, by the cookie's name; made once for each scheme and host."""
    place = request.place
    known = runtime.cookie_attributes.get(place)
    if known is None:
        domains = {TTCLID: runtime.cookie_domain(request.hostname)}
        domains[TTP] = domains[TTCLID]
        setting = runtime.config.cookie_domain
        if not domains[TTCLID] and setting not in {"auto", "host"}:
            runtime.notices.once(
                "cookie_domain",
                f"TIKTOK_COOKIE_DOMAIN={setting} does not include the host {request.hostname[:100]}, so that a browser"
                " would drop its cookies: they are set for that host alone (logged once)",
            )
        known = {
            name: site_cookie(request, name, "", age_s, domains.get(name, ""))[1].removeprefix(f"{name}=")
            for name, age_s in LIFETIME_S.items()
        }
        runtime.cookie_attributes.keep(place, known)
    return known


def _deletions(request: RequestView, domain: str) -> list[Header]:
    """Return the deletions of our cookies. A domain cookie and a host-only cookie of one name are two cookies."""
    present = [
        name for name in (TTCLID, TTP, FRESH_COOKIE, VISIT_COOKIE, SEALED) if name in request.kept
    ] + carry_names(request)
    return [
        ("Set-Cookie", delete_cookie(name, domain=scope))
        for name in present
        for scope in ({"", domain} if name in {TTCLID, TTP} else {""})
    ]
