"""Build the server's copy of an event for the outbox: the event, its visitor and its page."""

from __future__ import annotations

import ipaddress
import re

import msgspec

from tiktok_middleware.core.events.event import Draft, Event, OutboxEntry, Record, channels_closed
from tiktok_middleware.core.events.sources import WEB
from tiktok_middleware.core.events_api.requests import encode_item
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.diagnostics import note_web_copy
from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
from tiktok_middleware.core.visitor.pii import scrubbed
from tiktok_middleware.core.visitor.url_redaction import server_address

__all__ = ["completed", "late_entries", "late_entry", "make_entry", "server_entry"]

_MAX_USER_AGENT_CHARS = 1024
_MAX_LANGUAGE_CHARS = 256

# The tags of RFC 5646 that browsers send.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,4}")

#: The first numbers of IPv4 addresses that may be private or reserved; with any other number an address is public.
_BLOCKS_WITH_PRIVATE = frozenset(map(str, (0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256))))


def make_entry(event: Event, tracker: RequestState, *, browser: bool, server: bool) -> OutboxEntry:
    """Return the entry that delivery stores and claims for one event.

    Args:
        event: the event.
        tracker: state of its request, with visitor and page.
        browser: whether a browser copy is about to leave.
        server: whether a server copy is wanted.
    """
    request, runtime = tracker.request, tracker.runtime
    records: tuple[Record, ...] = ()
    if server:
        source = tracker.source
        user = _user(tracker, request, runtime)
        page = _page(request, runtime) if source.is_web else None
        if page is not None:
            note_web_copy(user, page, runtime.notices)
        body = encode_item(
            event,
            user=user,
            page=page,
            limited_data_use=_is_limited(event, tracker) if source.is_web else None,
            lead={"lead_id": tracker.lead_id, "lead_event_source": tracker.lead_event_source},
        )
        records = tuple(
            [
                Record(pixel, source.name, event.event, event.event_id, event.event_time, body, browser)
                for pixel in (runtime.config.pixels if source is WEB else runtime.config.targets(source.name))
            ]
        )
    return OutboxEntry(
        event_id=event.event_id,
        records=records,
        browser=browser,
        once=event.once,
        pixels=runtime.pixels,
        passing=event.once_per != "",  # it can repeat only within its visit, which does not last for days
    )


def late_entry(pending: TrackedEvent, tracker: RequestState) -> OutboxEntry | None:
    """Return the entry of an event that the response cannot carry any more; None if it may not leave."""
    tracker.runtime.notices.count("late" if tracker.may_send else tracker.consent.reason or "disabled_by_app")
    event = pending.event
    event.channels = channels_closed("late", event.channels.server.reason)
    return server_entry(pending, tracker)


def late_entries(state: RequestState) -> list[tuple[Event, OutboxEntry]]:
    """Take the events that are left when a response has ended, and return those that may leave, with their entries."""
    made = [(pending.event, late_entry(pending, state)) for pending in state.take()]
    return [(event, entry) for event, entry in made if entry is not None]


def server_entry(pending: TrackedEvent, tracker: RequestState) -> OutboxEntry | None:
    """Return the entry of an event with a server copy alone; None if it may not leave and has no draft to remove."""
    may_leave = not pending.server and tracker.may_send
    entry = make_entry(pending.event, tracker, browser=False, server=True) if may_leave else None
    return completed(entry, pending.event, Draft(pending.draft)) if pending.draft else entry


def completed(entry: OutboxEntry | None, event: Event, draft: Draft) -> OutboxEntry:
    """Return the entry that completes a draft. Without an entry nothing is sent, and the draft is removed."""
    made = OutboxEntry(event.event_id) if entry is None else entry
    return msgspec.structs.replace(made, draft=draft, deferred=None)


def _is_limited(event: Event, tracker: RequestState) -> bool:
    """Return TikTok's limited data use flag: set by the event, the visitor's choice or the site's setting."""
    return event.limited_data_use or tracker.consent.limited_data_use


def _user(tracker: RequestState, request: RequestView, runtime: Runtime) -> dict[str, object]:
    visitor, taken, allowed = tracker.visitor, tracker.source.user_keys, runtime.match_keys
    user = {
        "ttclid": visitor.ttclid,
        "ttp": visitor.ttp,
        "ip": _address(request, runtime),
        "user_agent": scrubbed(request.header("user-agent")[:_MAX_USER_AGENT_CHARS]),
        "locale": _locale(request.header("accept-language")),
        **tracker.identity.user(),
    }
    return {key: value for key, value in user.items() if key in taken and (key in allowed or key == "locale")}


def _locale(accepted: str) -> str:
    """Return the first language of an ``Accept-Language`` header (RFC 9110, 12.5.4); empty without one."""
    first = accepted[:_MAX_LANGUAGE_CHARS].partition(",")[0].partition(";")[0].strip().replace("_", "-")
    return first if _LANGUAGE.fullmatch(first) else ""


def _address(request: RequestView, runtime: Runtime) -> str:
    """Return the visitor's IP address; empty if it is private and would go to TikTok, which cannot match it."""
    address = request.client
    if not address or not runtime.config.is_tiktok_api or _is_public(address):
        return address
    if request.header("x-forwarded-for") or request.header("forwarded"):
        runtime.notices.once(
            "private_peer",
            "a private address forwards requests: set TIKTOK_TRUSTED_PROXIES to the number of proxies in front of"
            " the app, so that TikTok gets the visitor's address",
        )
    return ""


def _is_public(address: str) -> bool:
    """Return whether an address, as ``ipaddress`` formats it, is public."""
    block, dot, _ = address.partition(".")
    return (dot and block not in _BLOCKS_WITH_PRIVATE) or ipaddress.ip_address(address).is_global


def _page(request: RequestView, runtime: Runtime) -> dict[str, str]:
    url = request.page_url
    if not url:
        return {}
    page = {"url": server_address(url, allow=runtime.url_allow, deny=runtime.url_deny)}
    referrer = request.header("referer")
    if referrer and referrer != url:  # the referrer of a fetch is the page itself
        page["referrer"] = server_address(referrer, allow=runtime.url_allow, deny=runtime.url_deny)
    return page
