"""What is shared with whom under which consent, told from a configuration: for whoever answers for it by law.

Every row is made from the options and from the constants that the code itself works by; nothing is read or sent.
"""

from __future__ import annotations

from typing import NamedTuple

from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.consent import OWN_COOKIE, bridges
from tiktok_middleware.core.pixel.redirect_cookie import CARRY, COOKIE_MAX_AGE_S, SEALED
from tiktok_middleware.core.pixel.signed_event import SEALED_LIFE_S
from tiktok_middleware.core.response.first_party_cookies import CONSENT_MAX_AGE_S
from tiktok_middleware.core.visitor import snapshot
from tiktok_middleware.core.visitor.click_ids import FRESH_COOKIE, LIFETIME_S, TTCLID, TTP

__all__ = ["DataMap", "Section", "data_map"]

_DAY_S = 86_400

GRANTED, UNKNOWN, REFUSED = "granted", "unknown", "refused"


class Section(NamedTuple):
    """One table.

    Attributes:
        title: what it is about.
        columns: names of the columns.
        rows: texts, one for each column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class DataMap(NamedTuple):
    """All tables of one configuration, in the order in which they are read."""

    sections: tuple[Section, ...]

    def as_json(self) -> dict[str, list[dict[str, str]]]:
        """A list of objects for each table, by title."""
        return {
            section.title: [dict(zip(section.columns, row, strict=True)) for row in section.rows]
            for section in self.sections
        }

    def as_markdown(self) -> str:
        """A document with one table a section."""
        parts = ["# What is shared with TikTok"]
        for section in self.sections:
            lines = [_line(section.columns), _line(("---",) * len(section.columns)), *map(_line, section.rows)]
            parts.append(f"## {section.title}\n\n" + "\n".join(lines))
        return "\n\n".join(parts) + "\n"


def data_map(config: Config) -> DataMap:
    """The tables of a configuration.

    Args:
        config: checked options.
    """
    return DataMap(
        (_recipients(config), _consent(config), _data(config), _own(config), _cookies(config), _kept(config))
    )


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _recipients(config: Config) -> Section:
    pixels = ", ".join(config.pixels) or "none"
    rows = (
        ("browser", config.pixel_url, pixels, _word(_browser_reason(config))),
        ("server", config.api_url, pixels, _word(_server_reason(config))),
        *(
            (f"server, {source} events", config.api_url, set_id, _word(_source_reason(config, source)))
            for source, set_id in (("offline", config.offline_id), ("crm", config.crm_id))
            if set_id
        ),
        (
            "this site's own endpoint",
            f"{config.endpoint}/collect",
            "none: nothing of it is TikTok's",
            "what a page confirms, its address, and the visitor's choice",
        ),
    )
    return Section("Who receives data", ("channel", "address", "pixels", "now"), rows)


def _consent(config: Config) -> Section:
    unknown = "cannot occur: consent is implied until somebody refuses" if config.consent == "implied" else ""
    limited = "; with limited data use" if config.limited_data_use else ""
    asked = bridges(config.consent)
    waiting = "nothing is requested from TikTok; events wait in the page, sealed"
    changed = ""
    if asked:
        changed = f"; our own script goes on asking {', '.join(asked)}, for a changed mind"
        waiting += f"; the page asks {', '.join(asked)} for the choice, and tells this site's own endpoint"
    gpc = {
        "deny": ("nothing is loaded", "ours are deleted", "nothing is sent"),
        "limit": ("as without it, with limited data use", "as without it", "as without it, with limited data use"),
        "ignore": ("as without it",) * 3,
    }[config.gpc]
    rows = (
        (GRANTED, f"the pixel is loaded{limited}", "set and renewed", f"events are sent{limited}"),
        (
            UNKNOWN,
            *(
                (unknown,) * 3
                if unknown
                else (
                    waiting,
                    "none are set",
                    "events go once the visitor agrees on this page, else never",
                )
            ),
        ),
        (REFUSED, f"nothing is loaded{changed}", "ours are deleted", "nothing is sent"),
        ("opted out by GPP or usprivacy", "nothing is loaded", "ours are deleted", "nothing is sent"),
        ("Global Privacy Control", *gpc),
    )
    return Section(
        f"What each answer of a visitor means (TIKTOK_CONSENT={_shown(config.consent)})",
        ("answer", "page", "cookies", "server"),
        rows,
    )


def _data(config: Config) -> Section:
    browser = "no" if _browser_reason(config) else "yes"
    server = "no" if _server_reason(config) else "yes"
    identify = "after identify() alone"
    rows = (
        ("event name, id, time", browser, server, "plain", "each event"),
        ("parameters such as value, currency, contents", browser, server, "plain", "as given to track()"),
        ("e-mail address, phone number, external id", browser, server, "SHA-256, hashed at once", identify),
        ("first name, last name, zip code", browser, server, "SHA-256, hashed at once", identify),
        ("city, state, country", browser, server, "plain, as TikTok takes them", identify),
        ("click id (ttclid)", browser, server, "plain, TikTok's own", "after a click on an advertisement"),
        ("browser id (_ttp)", browser, server, "plain, TikTok's own", "once the pixel has set it"),
        (
            "IP address",
            "yes, by the connection" if browser == "yes" else "no",
            server,
            f"plain; {_address_source(config)}",
            "each event",
        ),
        ("user agent", "yes, by the connection" if browser == "yes" else "no", server, "plain", "each event"),
        ("address of the page", "as it is" if browser == "yes" else "no", server, _address_form(config), "each event"),
        (
            "address of the page before",
            "as it is" if browser == "yes" else "no",
            server,
            _address_form(config),
            "if sent",
        ),
        (
            "events that a page's own script sends",
            browser,
            server,
            "names of TIKTOK_BROWSER_EVENTS alone"
            if config.browser_events
            else "none may: TIKTOK_BROWSER_EVENTS is empty",
            "as the script reports them" if config.browser_events else "never on the server channel",
        ),
        ("that a visitor is a crawler", "no", "no", "not sent", "the server's copy of a crawler's event is not sent"),
    )
    return Section("What is shared once consent is granted", ("data", "browser", "server", "form", "when"), rows)


def _address_form(config: Config) -> str:
    kept = ", ".join(["ttclid", "utm_*", *filter(None, config.url_allow.split(","))])
    cut = f"; always cut: {config.url_deny.replace(',', ', ')}" if config.url_deny else ""
    return f"server: query cut but for {kept}; what looks like a person or a secret redacted{cut}"


def _address_source(config: Config) -> str:
    if config.trusted_proxies == "0":
        return "that of the connection"
    return f"from {config.proxy_header}, as written by trusted proxies ({config.trusted_proxies.replace(',', ', ')})"


def _own(config: Config) -> Section:
    """What TikTok's script does by itself once it is loaded."""
    views = {
        "browser": "one for each page load, by the pixel",
        "matched": "one for each page load, on both channels, once the browser has confirmed it",
        "off": "none on page load",
    }
    rows: tuple[tuple[str, ...], ...] = (
        ("page views", views.get(config.page_view, config.page_view), "TIKTOK_PAGE_VIEW=off"),
        (
            "page views on route changes",
            _on(config.history_observer),
            "TIKTOK_HISTORY_OBSERVER=false, or Events Manager",
        ),
        (
            "clicks, page metadata (automatic events)",
            _on(config.auto_events),
            "TIKTOK_AUTO_EVENTS=false, or Events Manager",
        ),
        ("e-mail and phone from forms (automatic advanced matching)", "as set in Events Manager", "Events Manager"),
        ("performance and page data (expanded data sharing)", "as set in Events Manager", "Events Manager"),
        ("all of it on some paths", config.exclude.replace(",", ", ") or "no path is excluded", "TIKTOK_EXCLUDE"),
        (
            "pages whose own address holds an e-mail address, a phone number or the like",
            "load no pixel",
            "always so",
        ),
    )
    if config.snippet == "off":
        rows = (("everything below", "off: no page carries the pixel", "TIKTOK_SNIPPET=off"), *rows)
    return Section("What the pixel collects by itself, and how to turn it off", ("data", "now", "turned off by"), rows)


def _cookies(config: Config) -> Section:
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
            f"{CARRY}.*",
            f"{COOKIE_MAX_AGE_S // 60} minutes",
            "host",
            GRANTED,
            "signed: events on their way over a redirect",
        ),
        (
            SEALED,
            f"{COOKIE_MAX_AGE_S // 60} minutes",
            "host",
            "not refused",
            "signed: events of a return from another site, until the next page knows the visitor",
        ),
        (
            SEALED,
            f"{COOKIE_MAX_AGE_S // 60} minutes",
            "host",
            "any but refused",
            "signed: events of a return from another site's page, such as a bank's, until this one knows who it is",
        ),
        (OWN_COOKIE, _days(CONSENT_MAX_AGE_S), "host", "any", "what the visitor said on this site: g or d"),
    )
    return Section(
        "Cookies (first-party, SameSite=Lax, Secure on https)",
        ("name", "kept for", "domain", "consent", "purpose"),
        rows,
    )


def _kept(config: Config) -> Section:
    where = "memory of the process" if config.outbox == "memory://" else "a file on this host (mode 0600)"
    browser = "the visitor's browser: the page, and sessionStorage for what could not be reported yet"
    rows = (
        (
            "events that wait",
            where,
            "until TikTok takes them: seconds; in an outage 47 hours with a browser's copy, else 7 days (imports: 28)",
            "hashes as above",
        ),
        ("dead letters", where, "until 'tiktok-middleware outbox purge'; the oldest make room", "hashes as above"),
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
            "hashes as above, IP address, user agent, click id; of who has not agreed nothing but that",
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


def _browser_reason(config: Config) -> str:
    return config.browser_reason if config.is_on else "off"


def _source_reason(config: Config, source: str) -> str:
    return config.source_reason(source) if config.is_on else "off"


def _is_celery(config: Config) -> bool:
    return config.sink == "celery"


def _server_reason(config: Config) -> str:
    return config.server_reason if config.is_on else "off"


def _word(reason: str) -> str:
    return reason or "on"


def _on(value: bool) -> str:
    return "on" if value else "off"


def _shown(consent: str) -> str:
    return consent if len(consent) <= 60 else consent[:57] + "..."
