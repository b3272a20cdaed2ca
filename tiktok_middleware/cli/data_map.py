"""Tables for a privacy review: what a configuration shares, with whom and under which consent.

The rows come from the options and from the constants that the code itself uses. Nothing is read or sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from html import escape
from typing import NamedTuple

from tiktok_middleware import __version__
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.bridge_settings import bridges
from tiktok_middleware.core.consent.consent import OWN_COOKIE
from tiktok_middleware.core.consent.precedence import SAID_COOKIE
from tiktok_middleware.core.pixel.redirect_cookie import CARRY, COOKIE_MAX_AGE_S, SEALED
from tiktok_middleware.core.pixel.signed_event import SEALED_LIFE_S
from tiktok_middleware.core.response.first_party_cookies import CONSENT_MAX_AGE_S, LIFETIME_S
from tiktok_middleware.core.visitor import snapshot
from tiktok_middleware.core.visitor.click_ids import FRESH_COOKIE, TTCLID, TTP
from tiktok_middleware.core.visitor.visits import VISIT_COOKIE, VISIT_MAX_AGE_S

__all__ = ["DataMap", "Section", "data_map"]

_DAY_S = 86_400

GRANTED, UNKNOWN, REFUSED = "granted", "unknown", "refused"


class Section(NamedTuple):
    """One table.

    Attributes:
        title: subject of the table.
        columns: names of the columns.
        rows: one text for each column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class DataMap(NamedTuple):
    """All tables of one configuration.

    Attributes:
        sections: in the order in which they are read.
        made: a sentence with the day and the version of this package.
    """

    sections: tuple[Section, ...]
    made: str = ""

    def as_json(self) -> dict[str, list[dict[str, str]]]:
        """Return a list of objects for each table, keyed by its title."""
        return {
            section.title: [dict(zip(section.columns, row, strict=True)) for row in section.rows]
            for section in self.sections
        }

    def as_markdown(self) -> str:
        """Return a Markdown document with one table in each section."""
        parts = ["# What is shared with TikTok", *filter(None, [self.made])]
        for section in self.sections:
            lines = [_line(section.columns), _line(("---",) * len(section.columns)), *map(_line, section.rows)]
            parts.append(f"## {section.title}\n\n" + "\n".join(lines))
        return "\n\n".join(parts) + "\n"

    def as_html(self) -> str:
        """Return a complete HTML page with one table in each section."""
        parts = [_HTML_HEAD, f"<h1>What is shared with TikTok</h1>\n<p>{escape(self.made)}</p>"]
        for section in self.sections:
            head = "".join(f"<th scope=col>{escape(column)}</th>" for column in section.columns)
            rows = ("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows)
            body = "\n".join(rows)
            parts.append(f"<h2>{escape(section.title)}</h2>\n<table>\n<tr>{head}</tr>\n{body}\n</table>")
        return "\n".join(parts) + "\n"


_HTML_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What is shared with TikTok</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; overflow-wrap: anywhere }
th, td { border: 1px solid #8888; padding: .4rem .6rem; text-align: left; vertical-align: top }
</style>"""


def data_map(config: Config, day: date | None = None) -> DataMap:
    """Return the tables of a configuration.

    Args:
        config: checked options.
        day: the day of the tables; None leaves it out.
    """
    made = f"Made by tiktok-middleware {__version__} from this process's configuration"
    return DataMap(
        (
            _recipients(config),
            _consent(config),
            _purposes(config),
            _data(config),
            _own(config),
            _cookies(config),
            _pixel_cookies(config),
            _kept(config),
        ),
        f"{made}{f' on {day.isoformat()}' if day else ''}.",
    )


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _recipients(config: Config) -> Section:
    by_host = f" (those that {config.pixel_by_host} names for the host)" if config.pixel_by_host else ""
    pixels = (", ".join(config.pixels) or "none") + by_host
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


#: Why a site sends each kind of event, and which events are of the kind.
PURPOSES = (
    ("Measure visits that ads bring", ("Pageview", "ViewContent", "Search")),
    ("Measure interest, and show ads again to those who had it", ("AddToCart", "AddToWishlist", "CustomizeProduct")),
    ("Measure steps of an order", ("InitiateCheckout", "AddPaymentInfo", "PlaceAnOrder")),
    ("Measure sales and their value", ("Purchase", "Subscribe", "StartTrial")),
    ("Measure leads and what becomes of them", ("Lead", "CompleteRegistration", "SubmitApplication",
                                                "ApplicationApproval", "Schedule")),
    ("Measure contacts and other steps", ("Contact", "FindLocation", "Download", "ClickButton")),
)  # fmt: skip


def _purposes(config: Config) -> Section:
    sent_to = [
        name
        for name, reason in (("the browser's pixel", _browser_reason(config)), ("the server", _server_reason(config)))
        if not reason
    ]
    receiver = f"TikTok, by {' and '.join(sent_to)}" if sent_to else "nobody: both channels are off"
    before = receiver if config.consent == "implied" else "nobody"
    keys = "event data, and the visitor's keys of the table below"
    rows = tuple((purpose, ", ".join(events), before, receiver, keys) for purpose, events in PURPOSES)
    custom = ("What the site's own code tracks for", "any other name", before, receiver, keys)
    return Section(
        "Events by purpose, and who receives them",
        ("purpose", "events", "before a choice", "after consent", "what goes along"),
        (*rows, custom),
    )


_IDENTITY = (
    ({"email": "e-mail address", "phone": "phone number", "external_id": "external id"}, "SHA-256, hashed at once"),
    ({"first_name": "first name", "last_name": "last name", "zip_code": "zip code"}, "SHA-256, hashed at once"),
    ({"city": "city", "state": "state", "country": "country"}, "plain, as TikTok takes them"),
)


def _identity(config: Config, browser: str, server: str) -> Iterator[tuple[str, ...]]:
    """Yield the match keys that ``identify()`` takes: those that are sent and those that are not."""
    when = "after identify() alone"
    for names, form in _IDENTITY:
        sent = [name for key, name in names.items() if key in config.allowed_match_keys]
        kept = [name for key, name in names.items() if key not in config.allowed_match_keys]
        if sent:
            yield ", ".join(sent), browser, server, form, when
        if kept:
            yield ", ".join(kept), "no", "no", "not sent: TIKTOK_MATCH_KEYS", when


def _data(config: Config) -> Section:
    browser = "no" if _browser_reason(config) else "yes"
    server = "no" if _server_reason(config) else "yes"
    by_connection = "yes, by the connection" if browser == "yes" else "no"

    def of(key: str) -> str:
        return server if key in config.allowed_match_keys else "no"

    rows = (
        ("event name, id, time", browser, server, "plain", "each event"),
        ("parameters such as value, currency, contents", browser, server, "plain", "as given to track()"),
        *_identity(config, browser, server),
        ("click id (ttclid)", browser, of("ttclid"), "plain, TikTok's own", "after a click on an advertisement"),
        ("browser id (_ttp)", browser, of("ttp"), "plain, TikTok's own", "once the pixel has set it"),
        ("IP address", by_connection, of("ip"), f"plain; {_address_source(config)}", "each event"),
        ("user agent", by_connection, of("user_agent"), "plain", "each event"),
        ("the browser's first language", by_connection, server, "plain, such as en-US", "each event"),
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
        *(
            [("clicks, submits and inputs that rules name", browser, server, "the event's name", "no parameters")]
            if config.rules
            else ()
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
    """Return what TikTok's script does by itself once it is loaded."""
    views = {
        "browser": "one for each page load, by the pixel",
        "matched": "one for each page load, on both channels, once the browser has confirmed it",
        "off": "none on page load",
    }
    rows: tuple[tuple[str, ...], ...] = (
        ("page views", views.get(config.page_view, config.page_view), "TIKTOK_PAGE_VIEW=off"),
        (
            "page views on route changes",
            f"{_on(config.history_observer)}; with the Navigation API only for addresses without identity",
            "TIKTOK_HISTORY_OBSERVER=false, or Events Manager",
        ),
        (
            "clicks, page metadata (automatic events)",
            _on(config.auto_events),
            "TIKTOK_AUTO_EVENTS=false, or Events Manager",
        ),
        ("e-mail and phone from forms (automatic advanced matching)", "as set in Events Manager", "Events Manager"),
        (
            (
                "microdata, titles, product details, window.dataLayer, button texts, form clicks, scrolling and media"
                " (Enhanced Data Postback, also called expanded data sharing; said to be on by default)"
            ),
            "as set in Events Manager",
            "Events Manager",
        ),
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
        "Cookies (first-party, SameSite=Lax, Secure on https)",
        ("name", "kept for", "domain", "consent", "purpose"),
        rows,
    )


def _pixel_cookies(config: Config) -> Section:
    """Return what TikTok's script stores by itself; TikTok defines its names and times and may change them."""
    when = "never: no page carries the pixel" if _browser_reason(config) else "once the pixel is loaded, after consent"
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
