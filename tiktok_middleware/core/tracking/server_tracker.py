"""Make a tracker without a request, for webhooks, jobs and imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tiktok_middleware.core.consent.consent import Consent, State
from tiktok_middleware.core.events.sources import SOURCES, WEB, Source
from tiktok_middleware.core.events.track_call import is_true
from tiktok_middleware.core.http.proxies import parsed_address
from tiktok_middleware.core.http.request import query_value
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.core.visitor.click_ids import TTCLID, is_ttclid, is_ttp
from tiktok_middleware.core.visitor.placeholders import is_placeholder
from tiktok_middleware.core.visitor.snapshot import Snapshot, SnapshotRequest, read_snapshot
from tiktok_middleware.core.visitor.url_redaction import server_address
from tiktok_middleware.errors import EventError, TokenError

__all__ = ["Context", "server_tracker"]

_MAX_LEAD_CHARS = 256
_MAX_USER_AGENT_CHARS = 1024
_NO_LEAD = (
    "a CRM event has no lead_id: it is sent, and TikTok can match it by e-mail, phone or external id alone; give"
    " client.tracker() the lead_id of the lead"
)


class Context(NamedTuple):
    """Context arguments of ``client.tracker()``, not validated yet; each outranks the snapshot's value.

    Attributes:
        url: address of the page.
        ttclid: TikTok's click id; if not given, the one in ``url``.
        ttp: value of the ``_ttp`` cookie.
        ip: the visitor's address.
        user_agent: the visitor's browser.
        lead_id: TikTok's id of the lead, for ``crm``.
        lead_event_source: name of the CRM system, for ``crm``.
        limited_data_use: TikTok's flag for all events of the tracker.
    """

    url: object = None
    ttclid: object = None
    ttp: object = None
    ip: object = None
    user_agent: object = None
    lead_id: object = None
    lead_event_source: object = None
    limited_data_use: object = None


def server_tracker(
    runtime: Runtime,
    token: object,
    *,
    source: object = "web",
    consent: object = None,
    context: Context = Context(),  # noqa: B008  # immutable
) -> Tracker:
    """Return the tracker of one visitor, or of an unknown one.

    Args:
        runtime: the configuration.
        token: a snapshot; None or empty without one.
        source: ``web``, ``offline`` or ``crm``.
        consent: whether the visitor agreed, by the caller's records; see :func:`_consent_of`.
        context: context from the caller, beside the snapshot. Invalid values are left out.

    Raises:
        EventError: an argument is invalid, in strict mode; otherwise it is logged once and counted.
    """
    problems: list[EventError] = []
    snapshot, trouble = _read(runtime, token)
    kind = _source(source, problems)
    limited = runtime.config.limited_data_use or is_true(context.limited_data_use, unreadable=True)
    allowed = _consent_of(runtime, snapshot, trouble, _vouched(consent, problems), limited=limited)
    known = _with_context(snapshot if snapshot is not None else Snapshot(allowed), context, runtime, problems)
    if runtime.by_host is not None and kind.is_web:
        runtime = runtime.by_host(urlsplit(known.url).hostname or "")
    state = _state(known, runtime, allowed)
    state.source = kind
    state.lead_id = _short_text("lead_id", context.lead_id, problems)
    state.lead_event_source = _short_text("lead_event_source", context.lead_event_source, problems)
    tracker = Tracker(state)
    if unset := _unset_option(runtime, kind):
        runtime.notices.count(f"no_{kind.name}_id")
        tracker.refuse(unset)
    elif kind.has_leads and not state.lead_id:
        runtime.notices.count("no_lead_id")
        runtime.notices.once("no lead_id", _NO_LEAD)
    tracker.report(problems)
    return tracker


def _state(snapshot: Snapshot, runtime: Runtime, consent: Consent) -> RequestState:
    """Return the state of a tracker without a request, whose events only get a server copy."""
    state = RequestState(SnapshotRequest(snapshot), runtime)
    state.has_browser = False
    state.identity = snapshot.identity
    state.remember(consent, snapshot.visitor)
    return state


_UNREADABLE = "no text"


def _read(runtime: Runtime, token: object) -> tuple[Snapshot | None, str]:
    """Return the snapshot, and why it is missing although there is a token."""
    if not issubclass(type(token), str):  # isinstance() would run code of the object
        token = None if token is None else _UNREADABLE
    if not token:
        return None, ""
    try:
        return read_snapshot(token, runtime.signer), ""
    except TokenError as error:
        trouble = f"snapshot_{error.reason}"
        runtime.notices.count(trouble)
        runtime.notices.once(
            trouble,
            f"a snapshot is {error.reason}: its visitor is unknown, and events go only where the code vouches for"
            " consent; were keys changed without keeping the old one in TIKTOK_SECRET_KEY?",
        )
        return None, trouble


def _consent_of(
    runtime: Runtime, snapshot: Snapshot | None, trouble: str, vouched: State | None, *, limited: bool
) -> Consent:
    """Return the consent that events are sent under.

    A refusal in the snapshot always applies. Otherwise the caller's statement applies; without one, the snapshot's
    consent; a snapshot that cannot be read means unknown. Without a snapshot the same applies as in a request without
    cookies: granted under implied consent, else unknown.
    """
    limited = limited or (snapshot is not None and snapshot.consent.limited_data_use)
    if snapshot is not None and snapshot.consent.state is State.DENIED:
        return snapshot.consent._replace(limited_data_use=limited)
    if vouched is not None:
        return Consent(vouched, limited, _REASONS[vouched])
    if snapshot is not None:
        return snapshot.consent._replace(limited_data_use=limited)
    if trouble:
        return Consent(State.UNKNOWN, limited, trouble)
    if runtime.config.consent == "implied":
        return Consent(State.GRANTED, limited)
    return Consent(State.UNKNOWN, limited, "consent_unknown")


_REASONS = {State.GRANTED: "", State.DENIED: "denied", State.UNKNOWN: "consent_unknown"}
_AGREED = frozenset({"true", "yes", "y", "1", "on", "granted", "g"})
_REFUSED = frozenset({"false", "no", "n", "0", "off", "denied", "d", "refused"})


def _vouched(consent: object, problems: list[EventError]) -> State | None:
    """Return the caller's statement; None without one. A value that cannot be read counts as unknown."""
    if consent is None:
        return None
    try:
        if isinstance(consent, State):
            return consent
        word = str(consent).strip().lower() if isinstance(consent, (str, int)) else ""
    except Exception:  # noqa: BLE001 -- reading an object of the app may raise anything
        word = ""
    if word in _AGREED or word in _REFUSED:
        return State.GRANTED if word in _AGREED else State.DENIED
    problems.append(EventError("consent", f"of type {type(consent).__name__[:50]}", "True, False or None"))
    return State.UNKNOWN


def _source(name: object, problems: list[EventError]) -> Source:
    """Return the event source; ``web``, and a problem, for an unknown name."""
    if name is None:
        return WEB
    word = name.strip().lower() if type(name) is str else ""
    if word not in SOURCES:
        problems.append(EventError("source", "none of them", ", ".join(map(repr, SOURCES))))
        return WEB
    return SOURCES[word]


def _unset_option(runtime: Runtime, source: Source) -> EventError | None:
    """Return the error for a source whose event set is not configured; None otherwise."""
    if source.is_web or runtime.config.targets(source.name):
        return None
    variable = f"TIKTOK_{source.name.upper()}_ID"
    return EventError("source", f"{source.name!r} without {variable}", f"{source.name!r} with {variable} set")


def _short_text(field: str, value: object, problems: list[EventError]) -> str:
    """Return a text or a whole number as text; empty, and a problem, for anything else."""
    allowed = f"a text of 1 to {_MAX_LEAD_CHARS} characters or a whole number"
    if value is None:
        return ""
    if type(value) is int and 0 <= value < 10**_MAX_LEAD_CHARS:
        return str(value)
    if not issubclass(type(value), str):
        problems.append(EventError(field, f"of type {type(value).__name__[:50]}", allowed))
        return ""
    text = str.__str__(value).strip()  # pyright: ignore[reportArgumentType]
    fault = ""
    if not 0 < len(text) <= _MAX_LEAD_CHARS:
        fault = f"a str of {len(text)} characters"
    elif is_placeholder(text):
        fault = "a word for a missing value"
    elif not text.isprintable():
        fault = "a str with control characters"
    if fault:
        problems.append(EventError(field, fault, allowed))
    return "" if fault else text


def _with_context(snapshot: Snapshot, context: Context, runtime: Runtime, problems: list[EventError]) -> Snapshot:
    """Return the snapshot with the context arguments that can be used."""
    given = {field: getattr(context, field) for field in _READERS if getattr(context, field) is not None}
    known: dict[str, Any] = {}
    for field, value in given.items():
        read, allowed = _READERS[field]
        text = str.__str__(value).strip() if issubclass(type(value), str) else None
        found = read(text, runtime) if text is not None else ""
        if found:
            known[field] = found
        elif text != "":
            what = f"of type {type(value).__name__[:50]}" if text is None else f"a str of {len(text)} characters"
            problems.append(EventError(field, what, allowed))
    if "url" in known and "ttclid" not in known and (click_id := _click_id(str(given["url"]))):
        known["ttclid"] = click_id
    return snapshot._replace(**known)


def _url(text: str, runtime: Runtime) -> str:
    return server_address(text, allow=runtime.url_allow, deny=runtime.url_deny)


def _ip(text: str, _: Runtime) -> str:
    return str(parsed_address(text) or "")


def _click_id(url: str) -> str:
    """Return the click id in an address; empty without one."""
    try:
        found = query_value(urlsplit(url.strip()).query, TTCLID)
    except ValueError:
        return ""
    return found if is_ttclid(found) else ""


_READERS: Mapping[str, tuple[Callable[[str, Runtime], str], str]] = {
    "url": (_url, "an absolute http or https address"),
    "ttclid": (lambda text, _: text if is_ttclid(text) else "", "TikTok's click id, as the landing page's URL has it"),
    "ttp": (lambda text, _: text if is_ttp(text) else "", "the value of the _ttp cookie"),
    "ip": (_ip, "an IPv4 or IPv6 address"),
    "user_agent": (
        lambda text, _: text[:_MAX_USER_AGENT_CHARS] if text.isprintable() else "",
        "the text of the User-Agent header",
    ),
}
