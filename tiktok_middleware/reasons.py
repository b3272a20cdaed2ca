"""Reason codes: why something was not done, what that means, and what to do about it.

Every skipped action is counted under one of these codes: in ``event.channels``, in ``Client.stats()``, in metrics and
in logs. A counter may carry a scope before the code, which names what was skipped: ``browser_too_large`` counts browser
copies that were ``too_large``. :func:`reason_of` finds the reason of a counter.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["COUNTERS", "SCOPES", "Reason", "reason_of"]

#: Counters of actions that were done, which are not reasons.
COUNTERS = frozenset({"tracked", "confirmed"})

#: What was skipped, by the scope of a counter.
SCOPES = {
    "browser_": "the browser's copy of an event",
    "server_": "the server's copy of an event",
    "page_": "the script in a page",
    "collect_": "a page's report to the endpoint",
    "carry_": "the events of a redirect cookie",
    "envelope_": "a signed event that a browser handed back",
    "snapshot_": "a visitor's snapshot",
}


class Reason(str, Enum):
    """One reason code. The value is the code itself, a snake_case word.

    Attributes:
        meaning: what happened, in one sentence.
        advice: what to do, in one sentence; empty if there is nothing to do.
        is_expected: whether it is part of normal operation: counted, but not logged.
    """

    meaning: str
    advice: str
    is_expected: bool

    def __new__(cls, code: str, meaning: str, advice: str = "", is_expected: bool = False) -> Reason:  # noqa: PYI034  # Self is new in Python 3.11
        self = str.__new__(cls, code)
        self._value_ = code
        self.meaning = meaning
        self.advice = advice
        self.is_expected = is_expected
        return self

    # Configuration

    NO_PIXEL = ("no_pixel", "No pixel is configured.", "Set TIKTOK_PIXEL_ID.")
    NO_PIXEL_FOR_HOST = (
        "no_pixel_for_host",
        "TIKTOK_PIXEL_BY_HOST names no pixel for the host; its own log line names it.",
        "",
        True,
    )
    NO_TOKEN = (
        "no_token",
        "No access token is configured, so that nothing is sent from the server.",
        "Set TIKTOK_ACCESS_TOKEN.",
    )
    NO_OFFLINE_ID = ("no_offline_id", "Offline events have no event set id.", "Set TIKTOK_OFFLINE_ID.")
    NO_CRM_ID = ("no_crm_id", "CRM events have no event set id.", "Set TIKTOK_CRM_ID.")
    NOT_PRODUCTION = (
        "not_production",
        "The environment is not production, and this would reach TikTok itself.",
        ("Set TIKTOK_TEST_EVENT_CODE, or the sandbox's addresses, or TIKTOK_ENVIRONMENT=production."),
    )
    SNIPPET_OFF = ("snippet_off", "TIKTOK_SNIPPET=off keeps events off the browser.", "", True)
    DISABLED = ("disabled", "TIKTOK_ENABLED=false switches the middleware off.", "", True)
    DISABLED_BY_APP = ("disabled_by_app", "The view called tiktok.disable().", "", True)
    UNREADABLE_REQUEST = (
        "unreadable_request",
        "The server passed on a request that does not follow its protocol, so that it could not be read.",
        "Report the logged error, and update the server.",
    )
    EXCLUDED = (
        "excluded",
        "An event was tracked on a path that TIKTOK_EXCLUDE excludes, and was dropped.",
        "Track it on another path, or let TIKTOK_EXCLUDE name fewer paths.",
    )

    # Consent

    DENIED = ("denied", "The visitor refused.", "", True)
    GPC = ("gpc", "The browser sends Global Privacy Control, and TIKTOK_GPC=deny.", "", True)
    GPP_OPT_OUT = ("gpp_opt_out", "The visitor opted out by the IAB's Global Privacy Platform.", "", True)
    USPRIVACY_OPT_OUT = ("usprivacy_opt_out", "The visitor opted out by the IAB's US Privacy string.", "", True)
    CONSENT_UNKNOWN = ("consent_unknown", "The visitor has not chosen yet, and consent is required.", "", True)
    COOKIES_TOO_LONG = (
        "cookies_too_long",
        "The request's Cookie header is longer than 32,768 characters and was not read: consent is unknown.",
        "",
        True,
    )
    COOKIES_ABSENT = (
        "cookies_absent",
        (
            "Another site posted this request, and browsers add no cookies to it: consent"
            " is read on the page that follows."
        ),
        "",
        True,
    )

    # Which copy may go

    BOT = (
        "bot",
        "The user agent is a crawler's or a tool's; client.stats()['bots'] counts each pattern.",
        "If a pattern matches people, allow it with TIKTOK_BOTS=auto,+PATTERN.",
        True,
    )
    KEPT_FROM_BROWSER = ("kept_from_browser", "The view called track(browser=False).", "", True)
    NO_BROWSER = ("no_browser", "Nothing that would fire the browser's copy made this request.", "", True)
    ALREADY_COUNTED = (
        "already_counted",
        "The conversion was counted before, as on a reload or by a webhook: its event and key have claimed it.",
        "If it is a new one, give it a key of its own; in development: tiktok-middleware outbox forget --once KEY.",
    )
    TOO_OLD = (
        "too_old",
        "A once event is older than 47 hours, and TikTok would count two copies of it twice.",
        "Track it when it happens; a late one gets a server copy alone, unless a copy was sent before.",
    )
    NO_HEADER_ROOM = (
        "no_header_room",
        "The app's own headers and cookies leave no room: with ours, a proxy could refuse the response.",
        "Make the session cookie smaller, or raise the proxy's buffers (nginx: proxy_buffer_size; uWSGI: buffer-size).",
    )
    TOO_LARGE = ("too_large", "The event does not fit into a header or a page.", "Track fewer or shorter properties.")
    LATE = (
        "late",
        "The event was tracked after the response had ended.",
        "Track before the view returns its response.",
    )
    SHARED = (
        "shared",
        "Caches may keep the response, and an event of one visitor must not be in it.",
        "Track on a page that is private, or as a template with request.tiktok.markup().",
    )
    PREFETCH = ("prefetch", "The browser fetches the page ahead of a visit.", "", True)
    OTHER_ORIGIN = (
        "other_origin",
        "A page of another origin asked, and its script cannot hear the answer.",
        ("Allow the origin by CORS and expose the header TikTok-Events, or accept the server's copy alone."),
    )
    ANSWER_UNHEARD = (
        "answer_unheard",
        (
            "The page could not read the events of an answer from another host, as in WebKit, or a worker asked, whose"
            " answers no page hears; their server copies count."
        ),
        "Pass such answers to the page's script: tiktok.receive(response), or its header TikTok-Events as text.",
    )
    NO_COOKIES = (
        "no_cookies",
        (
            "The browser sent no cookie after a redirect or a download, so that the copies in our cookie are lost;"
            " server copies count. Without the scope `browser_`: a sealed event of a bank's POST return is lost on both"
            " channels."
        ),
        "Normal for a few visitors. If most redirects count here, let proxies pass Set-Cookie and Cookie.",
    )
    OTHER_BASE_CODE = (
        "other_base_code",
        "A page holds another base code of TikTok's; ours uses its pixel and leaves the page view to it.",
        "Remove the other one: from the templates, the tag manager or the shop's plugin (docs/how-to/migrate.md).",
    )
    OTHER_BASE_CODE_LATE = (
        "other_base_code_late",
        "Another base code of TikTok's runs after TikTok's script has come, and counts each page view once more.",
        "Remove the other one, or set TIKTOK_SNIPPET=adopt until it is gone (docs/how-to/migrate.md).",
    )
    TTQ_IS_NO_QUEUE = (
        "ttq_is_no_queue",
        "A page sets window.ttq to a value that TikTok's script cannot use, so that only server copies arrive.",
        "Remove the code that sets window.ttq.",
    )
    TTQ_REPLACED = (
        "ttq_replaced",
        "A page puts an array of its own in the place of window.ttq; our events go on in that array.",
        "Remove the code that sets window.ttq.",
    )
    EVENTS_API_GATEWAY = (
        "events_api_gateway",
        "TikTok's script also reports to a host of the site's, an Events API Gateway that repeats these events.",
        "Switch the gateway off in Events Manager, or keep it with TIKTOK_ACCESS_TOKEN unset (docs/how-to/migrate.md).",
    )
    URL_HOLDS_IDENTITY = (
        "url_holds_identity",
        ("The page's address holds an e-mail address, a phone number or a secret, which the pixel would report."),
        "Keep identity out of addresses.",
    )
    ROLLED_BACK = ("rolled_back", "The transaction that the event waited for was rolled back.", "", True)
    UNCOMMITTED = (
        "uncommitted",
        "The transaction with the event was not committed when the response left; the page asks for its copy later.",
        "",
        True,
    )
    DRAFT_FAILED = (
        "draft_failed",
        "An event could not be written in the app's transaction, and was sent without waiting for its commit.",
        "Create the outbox's tables in the app's database, and let the app's role insert into them.",
    )
    NO_TRANSACTION = (
        "no_transaction",
        "No transaction was open on the connection given to track(); the event was sent without waiting for a commit.",
        "Track between the transaction's first statement and its commit; in autocommit mode begin a transaction first.",
    )
    REQUEST_FAILED = (
        "request_failed",
        "The view failed, and its events were discarded.",
        "Pass keep=True to track() for events that count all the same.",
    )
    JOB_FAILED = (
        "job_failed",
        "The block around a server-side tracker raised, and its events were discarded.",
        "Pass keep=True to track() for events that count all the same.",
    )
    UNDURABLE = (
        "undurable",
        "An event was not on disk within 250 ms. The response left; the event is stored when the disk answers.",
        "Harmless once, after a start or under load. If client.stats() counts more, the outbox's disk is slow.",
    )

    # Responses without a head end for the script

    PARTIAL = ("partial", "The response is a part of a resource (206).", "", True)
    INTERIM = ("interim", "The response is an interim one (1xx).", "", True)
    NOT_MODIFIED = ("not_modified", "The response is 304 and has no body.", "", True)
    HEAD_REQUEST = ("head_request", "The request is a HEAD and its response has no body.", "", True)
    EVENT_STREAM = ("event_stream", "The response is an event stream.", "", True)
    XHTML = (
        "xhtml",
        "The page is XHTML, where a script of ours would have to be well-formed XML.",
        "Serve the page as text/html.",
    )
    NO_TRANSFORM = (
        "no_transform",
        "Cache-Control: no-transform forbids changes of the page.",
        "Leave no-transform out for pages that are to carry the pixel.",
    )
    PACKAGE_MISSING = (
        "package_missing",
        ("Reading the page's content coding needs a package that is not installed; its own log line names it."),
        "Install the extra br or zstd.",
        True,
    )
    ENCODED = (
        "encoded",
        "The page has an unknown content coding.",
        "Let the server in front of the app compress instead of the app.",
    )
    CHARSET = (
        "charset",
        "The page is in an encoding whose ASCII characters are not single bytes, such as UTF-16.",
        "Serve the page as UTF-8.",
    )
    FRAGMENT = (
        "fragment",
        "The response says text/html and holds no HTML, such as compressed bytes under a wrong Content-Encoding.",
        "",
        True,
    )
    NO_HEAD_END = (
        "no_head_end",
        "The page's head does not end within its first 1 MiB, or the page ends inside it.",
        "Move large inline styles and scripts out of the head, and close it.",
    )
    CHARSET_AT_RISK = (
        "charset_at_risk",
        "The page names its encoding in a <meta> that no script can stand before without hiding it from browsers.",
        "Send the header Content-Type: text/html; charset=utf-8, or begin the head with the <meta>.",
    )
    HEAD_MEMORY_FULL = (
        "head_memory_full",
        "The heads of the pages that are being sent hold 32 MiB, and another one did not fit.",
        "Make the heads of pages smaller, or send pages without Content-Length.",
    )
    ALREADY_INJECTED = (
        "already_injected",
        "The page carries the script already: a cache, or another client of this package, has put it there.",
        "Wrap the app once.",
    )
    BODY_UNSEEN = (
        "body_unseen",
        "The server sends the page's body itself (http.response.pathsend), unseen by us.",
        "Switch that extension of the server off for pages.",
    )

    # Reports of pages, and signed values from browsers

    METHOD = ("method", "The report was not a POST.", "", True)
    ORIGIN = ("origin", "The report did not come from a page of this site.", "", True)
    MALFORMED = ("malformed", "What was handed back has the wrong shape.", "", True)
    FORGED = (
        "forged",
        "A signature does not fit: something was changed, or keys differ between processes.",
        "Give all processes the same TIKTOK_SECRET_KEY.",
    )
    EXPIRED = ("expired", "It came back too late.", "", True)
    PIXELS = ("pixels", "It was signed for a page with other pixels.", "", True)
    ID = ("id", "The browser's event id is not of the last 48 hours.", "", True)
    TOO_MANY = ("too_many", "One visitor or address reports too often.", "", True)
    HELPER_NEVER_ASKED = (
        "helper_never_asked",
        "Our script went out with 200 pages to 20 visitors, and no process got a request for the helper.",
        "Let proxies, CDNs and path rules forward /_tiktok/ (TIKTOK_ENDPOINT) to this app, for GET and POST.",
    )
    UNFINISHED = ("unfinished", "A report's body did not come within two seconds.", "", True)
    TOO_MANY_EVENTS = (
        "too_many_events",
        "A visitor, an address, or all of them together report more events than the endpoint takes.",
        "Behind a proxy, set TIKTOK_TRUSTED_PROXIES, so that visitors are told apart. Else somebody floods it.",
    )
    FAILED = ("failed", "An error of this package met the report; it is logged.", "", True)
    BROWSER_EVENT_REFUSED = (
        "browser_event_refused",
        "A page sent an event that pages may not send by themselves.",
        "Add its name to TIKTOK_BROWSER_EVENTS.",
    )

    # Problems of events that are sent anyway

    INVALID = ("invalid", "A parameter cannot be used and was left out; its own log line names it.", "", True)
    IGNORED_VALUE = ("ignored_value", "A ttclid or _ttp of the request has the wrong form and was ignored.", "", True)
    NO_USER_AGENT = ("no_user_agent", "A server copy has no user agent.", "", True)
    NOBODY = ("nobody", "A server copy tells nothing of its visitor, so that TikTok cannot match it.", "", True)
    NO_LEAD_ID = ("no_lead_id", "A CRM event has no lead_id; its own log line says what to do.", "", True)
    NO_PAGE = ("no_page", "A web event has no page address; its own log line says what to do.", "", True)
    EVENT_ID_REUSED = (
        "event_id_reused",
        ("One event_id was given to two events of one request; its own log line says what to do."),
        "",
        True,
    )

    # Delivery

    QUEUE_FULL = (
        "queue_full",
        "More events wait for the disk than memory may hold.",
        "Check the disk under the outbox: tiktok-middleware check names it.",
    )
    UNSTORABLE = ("unstorable", "An event could not be stored; its own log line has the error.", "", True)
    ONCE_UNDECIDED = (
        "once_undecided",
        "The outbox could not say until the process ended whether an event was counted; its server copy was not sent.",
        "Mend the disk or the database of the outbox: the log names the events.",
    )
    NOT_CANCELLED = (
        "not_cancelled",
        "An event could not be cancelled: the outbox gave client.cancel() no answer in time.",
        "Check the disk under the outbox: tiktok-middleware check names it.",
    )
    UNSENT = ("unsent", "The process ended with events in memory alone.", "Use an outbox on a disk: TIKTOK_OUTBOX.")
    OVERFLOW = (
        "overflow",
        "The outbox is full, and events were dropped.",
        "Find out why nothing is sent: tiktok-middleware outbox status.",
    )
    OVERFLOW_PAGE_VIEW = (
        "overflow_page_view",
        "The outbox is full, and page views were dropped before other events.",
        "Find out why nothing is sent: tiktok-middleware outbox status.",
    )
    OVERFLOW_REPORTED = (
        "overflow_reported",
        "The outbox is nearly full, and events that pages report were dropped before events of views.",
        "Find out why nothing is sent: tiktok-middleware outbox status.",
    )
    OVERFLOW_DEAD = (
        "overflow_dead",
        "The oldest dead letters were dropped, because there are too many.",
        "Read them: tiktok-middleware outbox list --state dead.",
    )
    REJECTED = (
        "rejected",
        "TikTok refused the event, and it is kept as a dead letter.",
        "Read TikTok's message: tiktok-middleware outbox list --state dead.",
    )

    def __str__(self) -> str:
        return str(self.value)


_BY_CODE: dict[str, Reason] = {reason.value: reason for reason in Reason}


#: Scopes of counters that are not explained in the log. Their callers log a line of their own, with more details.
OWN_LINES = frozenset({"snapshot_"})


def reason_of(counter: str) -> Reason | None:
    """Return the reason of a counter such as ``too_large`` or ``browser_too_large``; None for any other counter."""
    found = _BY_CODE.get(counter)
    if found is None:
        scope, _, code = counter.partition("_")
        if f"{scope}_" in SCOPES:
            found = _BY_CODE.get(code)
    return found
