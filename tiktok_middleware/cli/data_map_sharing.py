"""Tables of what TikTok receives: by which channel, under which consent, and what its pixel collects by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.bridge_settings import bridges

__all__ = ["GRANTED", "PURPOSES", "Section", "browser_reason", "consent", "data", "own", "purposes", "recipients"]

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


def recipients(config: Config) -> Section:
    """Return who receives data."""
    by_host = f" (those that {config.pixel_by_host} names for the host)" if config.pixel_by_host else ""
    pixels = (", ".join(config.pixels) or "none") + by_host
    rows = (
        ("browser", config.pixel_url, pixels, _word(browser_reason(config))),
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


def consent(config: Config) -> Section:
    """Return what each answer of a visitor means."""
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


def purposes(config: Config) -> Section:
    """Return the events by purpose."""
    sent_to = [
        name
        for name, reason in (("the browser's pixel", browser_reason(config)), ("the server", _server_reason(config)))
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


def data(config: Config) -> Section:
    """Return what is shared once consent is granted."""
    browser = "no" if browser_reason(config) else "yes"
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


def own(config: Config) -> Section:
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
            f"{_on(config.history_observer)}; by the Navigation API, addresses with identity are left out",
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
    if config.snippet == "gtm":
        rows = (("everything below", "as the site's Tag Manager loads the pixel", "the site's container"), *rows)
    if config.snippet == "off":
        rows = (("everything below", "off: no page carries the pixel", "TIKTOK_SNIPPET=off"), *rows)
    return Section("What the pixel collects by itself, and how to turn it off", ("data", "now", "turned off by"), rows)


def browser_reason(config: Config) -> str:
    """Return why the browser channel is off; empty if it is on."""
    return config.browser_reason if config.is_on else "off"


def _source_reason(config: Config, source: str) -> str:
    return config.source_reason(source) if config.is_on else "off"


def _server_reason(config: Config) -> str:
    return config.server_reason if config.is_on else "off"


def _word(reason: str) -> str:
    return reason or "on"


def _on(value: bool) -> str:
    return "on" if value else "off"


def _shown(consent: str) -> str:
    return consent if len(consent) <= 60 else consent[:57] + "..."
