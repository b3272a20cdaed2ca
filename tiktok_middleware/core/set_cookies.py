"""The cookies that one response sets or deletes: who the visitor is to TikTok, and what they said; it sends nothing."""

from __future__ import annotations

from tiktok_middleware.core.carry import CARRY
from tiktok_middleware.core.consent import OWN_COOKIE, State
from tiktok_middleware.core.cookies import delete_cookie, set_cookie
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.setup import Setup
from tiktok_middleware.core.tracker import Tracker
from tiktok_middleware.core.visitor import FRESH_COOKIE, LIFETIME_S, TTCLID, TTP, may_be_due

__all__ = ["CONSENT_MAX_AGE_S", "Header", "choice_cookies", "site_cookie", "visitor_cookies"]

#: How long a visitor's own word is remembered: six months, the French authority's recommendation.
CONSENT_MAX_AGE_S = 15_552_000

_DENIED = State.DENIED

#: Name and value.
Header = tuple[str, str]


def site_cookie(facts: RequestFacts, name: str, value: str, max_age_s: int, domain: str = "") -> Header:
    """A cookie for the whole site, over the visitor's own scheme.

    Args:
        facts: the request.
        name: its name.
        value: its value.
        max_age_s: its lifetime in seconds.
        domain: empty for this host alone.
    """
    secure, http_only = facts.scheme == "https", name == FRESH_COOKIE
    return "Set-Cookie", set_cookie(name, value, max_age_s=max_age_s, domain=domain, secure=secure, http_only=http_only)


def choice_cookies(facts: RequestFacts, setup: Setup, tracker: Tracker) -> list[Header]:
    """The visitor's word, and after a refusal the end of our cookies."""
    word = tracker.consent_word
    cookies = [site_cookie(facts, OWN_COOKIE, word, CONSENT_MAX_AGE_S)] if word else []
    return [*cookies, *_deletions(facts, setup)] if tracker.consent.state is _DENIED else cookies


def visitor_cookies(facts: RequestFacts, setup: Setup, tracker: Tracker, *, may_mint: bool) -> list[Header]:
    """The visitor's ids where they are due, and what says that they are fresh, last.

    Args:
        facts: the request.
        setup: the configuration.
        tracker: of the request.
        may_mint: whether a visitor without a ``_ttp`` may get one, where the configuration wants that.
    """
    ttp_setting = setup.config.ttp
    if ttp_setting != "mint" and not may_be_due(facts):
        return []
    visitor = tracker.visitor
    ttp = visitor.ttp
    renew = list(visitor.renew) if ttp_setting != "off" else [name for name in visitor.renew if name != TTP]
    if may_mint and ttp_setting == "mint" and not ttp:
        ttp = setup.random_bytes(14).hex()[:27]
        renew.append(TTP)
    if not renew:
        return []
    domain = setup.cookie_domain(facts.hostname)
    values = {TTCLID: visitor.ttclid, TTP: ttp}
    cookies = [site_cookie(facts, name, values[name], LIFETIME_S[name], domain) for name in renew]
    fresh = visitor.fresh if TTP not in renew or "p" in visitor.fresh else visitor.fresh + "p"
    return [*cookies, site_cookie(facts, FRESH_COOKIE, fresh, LIFETIME_S[FRESH_COOKIE])]


def _deletions(facts: RequestFacts, setup: Setup) -> list[Header]:
    """Our cookies of who said no; a domain cookie and a host-only one of one name are two cookies."""
    domain = setup.cookie_domain(facts.hostname)
    present = [name for name in (TTCLID, TTP, FRESH_COOKIE, CARRY) if name in facts.kept]
    return [
        ("Set-Cookie", delete_cookie(name, domain=scope))
        for name in present
        for scope in ({"", domain} if name in {TTCLID, TTP} else {""})
    ]
