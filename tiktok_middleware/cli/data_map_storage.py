"""Tables of what is stored: cookies in the browser, and data on the side of the site."""

from __future__ import annotations

from tiktok_middleware.cli.data_map_sharing import GRANTED, Section, browser_reason
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.consent import OWN_COOKIE
from tiktok_middleware.core.consent.precedence import SAID_COOKIE
from tiktok_middleware.core.pixel.redirect_cookie import CARRY, COOKIE_MAX_AGE_S, SEALED
from tiktok_middleware.core.pixel.signed_event import SEALED_LIFE_S
from tiktok_middleware.core.response.first_party_cookies import CONSENT_MAX_AGE_S, LIFETIME_S
from tiktok_middleware.core.visitor import snapshot
from tiktok_middleware.core.visitor.click_ids import FRESH_COOKIE, TTCLID, TTP
from tiktok_middleware.core.visitor.visits import VISIT_COOKIE, VISIT_MAX_AGE_S
from tiktok_middleware.delivery.outbox.location import is_shared

__all__ = ["cookies", "kept", "pixel_cookies"]

_DAY_S = 86_400


def cookies(config: Config) -> Section:
    """Return our cookies."""
    domain = {"auto": "registrable domain", "host": "host"}.get(config.cookie_domain, config.cookie_domain)
    ttp = {
        "refresh": "TikTok's browser id, set by the pixel and renewed by us once a day",
        "mint": "TikTok's browser id, made by us where the pixel has set none, renewed once a day",
        "off": "TikTok's browser id, set by the pixel alone",
    }[config.ttp]
    rows = (
        (TTCLID, _days(LIFETIME_S[TTCLID]), domain, GRANTED, "TikTok's click id of the page the visitor landed on"),
        (TTP, _days(LIFETIME_S[TTP]), domain, GRANTED, ttp),
        (FRESH_COOKIE, _days(LIFETIME_S[FRESH_COOKIE]), "host", GRANTED, "which of the two were renewed today"),
        (
            VISIT_COOKIE,
            f"{VISIT_MAX_AGE_S // 60} minutes",
            "host",
            GRANTED,
            "random: the visit in which an event counts once, where track(once_per=...) is used",
        ),
        (
            f"{CARRY}.*",
            f"{COOKIE_MAX_AGE_S // 60} minutes",
            "host",
            GRANTED,
            "signed: events on their way to the next page",
        ),
        (
            SEALED,
            f"{COOKIE_MAX_AGE_S // 60} minutes",
            "host",
            "not refused",
            "signed: events of a return from another site, until the next page knows the visitor",
        ),
        (OWN_COOKIE, _days(CONSENT_MAX_AGE_S), domain, "any", "what the visitor said on this site: g or d"),
        (
            SAID_COOKIE,
            _days(CONSENT_MAX_AGE_S),
            domain,
            "any",
            "when that was, and what the consent platform said then",
        ),
    )
    return Section(
        "Cookies (first-party, SameSite=Lax, Secure on https; one that the page stores, from its renewal on)",
        ("name", "kept for", "domain", "consent", "purpose"),
        rows,
    )


def pixel_cookies(config: Config) -> Section:
    """Return what TikTok's script stores by itself; TikTok defines its names and times and may change them."""
    when = "never: no page carries the pixel" if browser_reason(config) else "once the pixel is loaded, after consent"
    off = "Events Manager: first-party cookies off"
    rows = (
        (TTP, "first-party", when, "TikTok's browser id", off),
        ("_tt_enable_cookie", "first-party", when, "whether cookies can be set", off),
        ("ttcsid", "first-party", when, "TikTok's id of the visit", off),
        *((f"ttcsid_{pixel}", "first-party", when, "the same for this pixel", off) for pixel in config.pixels),
        (
            "cookies of tiktok.com",
            "third-party",
            when,
            "TikTok's ids across sites; on by default, and blocked by some browsers",
            "Events Manager: third-party cookies off",
        ),
    )
    return Section("Cookies that TikTok's own script sets", ("name", "kind", "when", "purpose", "turned off by"), rows)


def kept(config: Config) -> Section:
    """Return what is kept on the site's side."""
    where = "memory of the process" if config.outbox == "memory://" else "a file on this host (mode 0600)"
    if is_shared(config.outbox):
        where = f"the shared PostgreSQL database; while it does not answer, {where}, else memory of the process"
    browser = "the visitor's browser: the page, and sessionStorage for what could not be reported yet"
    rows = (
        (
            "events that wait",
            where,
            "until TikTok takes them: seconds; in an outage 47 hours with a browser's copy, else 7 days (imports: 28)",
            "hashes as above",
        ),
        (
            "dead letters",
            where,
            f"{config.dead_letter_days} days, or until 'tiktok-middleware outbox purge' or 'erase'",
            "hashes as above",
        ),
        (
            "the ledger of delivered events",
            where,
            f"{config.ledger_days} days, bounded",
            "event, id, order, value, time and TikTok's request id; nothing of the visitor",
        ),
        ("which ids are counted", where, "400 days, bounded", "event ids alone"),
        ("copies too large for a header", where, "a day, under a random name", "hashes as above"),
        (
            "events that wait for a browser's word (envelopes)",
            browser,
            f"{_days(SEALED_LIFE_S)}, signed; in a page that a cache keeps, its life and a day",
            "hashes as above; nobody's in a page that a cache keeps",
        ),
        (
            "snapshot() of a visitor",
            "where you store it: an order's row, payment metadata",
            f"as you keep it; taken for {_days(snapshot.SNAPSHOT_MAX_AGE_S)}, signed, not encrypted",
            "hashes as above, IP address, user agent, click id; without consent none of these",
        ),
        *(
            (("messages to Celery", "your broker", "until a worker takes them", "hashes as above"),)
            * _is_celery(config)
        ),
        ("log lines", "your logging", "as you keep them", "no identity, no tokens"),
    )
    return Section("What is kept on your side", ("data", "where", "how long", "identity in it"), rows)


def _days(seconds: int) -> str:
    days = round(seconds / _DAY_S)
    return "1 day" if days == 1 else f"{days} days"


def _is_celery(config: Config) -> bool:
    return config.sink == "celery"
