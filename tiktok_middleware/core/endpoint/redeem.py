"""Turn each event of a page's report into the entry to store and the copy to fire; stores nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from tiktok_middleware.core.events.event import Event, OutboxEntry, browser_properties
from tiktok_middleware.core.events.event_names import event_name, fired_name
from tiktok_middleware.core.events.ids import is_browser_id
from tiktok_middleware.core.events.track_call import is_true
from tiktok_middleware.core.events.validation import clean_properties
from tiktok_middleware.core.pixel.signed_event import SignedEvent, open_signed_event
from tiktok_middleware.core.pixel.snippet import BrowserCopy
from tiktok_middleware.core.tracking.opened_event import OPEN_CHANNELS, opened_event
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_event import make_entry
from tiktok_middleware.errors import EventError, TokenError

__all__ = ["ReportedEvent", "confirmed", "redeemed", "sent"]


class ReportedEvent(NamedTuple):
    """Result for one event of a report.

    Attributes:
        event_id: its id in the browser.
        submission: the entry to store; None if the event does not count.
        copy: the copy that the browser fires after storing, if it does not have it yet.
        waiting: the event whose copy the page holds until the answer.
    """

    event_id: str
    submission: OutboxEntry | None
    copy: BrowserCopy | None = None
    waiting: Event | None = None


def confirmed(
    tracker: RequestState, token: str, event_id: str, *, browser: bool, with_copy: bool = False
) -> ReportedEvent:
    """Return the result for an event that a browser confirms.

    Args:
        tracker: state of the reporting visitor.
        token: the signed event.
        event_id: the browser's own id if the signed event is a template, else the signed id.
        browser: whether the browser fires its copy.
        with_copy: whether the answer brings the copy.
    """
    signed_event = _opened(tracker, token)
    happened = opened_event(tracker, signed_event, event_id) if signed_event is not None else None
    if happened is None:
        return ReportedEvent(event_id, None)
    event = happened[0]
    copy = (event.event, browser_properties(event), event.event_id) if with_copy else None
    return ReportedEvent(event_id, _counted(*happened, browser=browser), copy, event)


def redeemed(tracker: RequestState, token: str, *, browser: bool) -> ReportedEvent:
    """Return the same for a signed event that was too large for the page and waited in the outbox."""
    signed_event = _opened(tracker, token)
    if signed_event is None:
        return ReportedEvent("", None)
    happened = opened_event(tracker, signed_event, signed_event.event_id)
    if happened is None:
        return ReportedEvent("", None)
    event, visitor = happened
    copy = (event.event, browser_properties(event), event.event_id)
    return ReportedEvent(event.event_id, _counted(event, visitor, browser=browser), copy)


def sent(
    tracker: RequestState, name: str, properties: Mapping[str, object], event_id: str, *, browser: bool
) -> ReportedEvent:
    """Return the result for an event that a page sends by itself.

    Args:
        tracker: state of the reporting visitor.
        name: event name from the page's script.
        properties: parameters from the page's script.
        event_id: id from the browser.
        browser: whether the browser fires its copy.
    """
    event = _own_event(tracker, name, properties, event_id)
    if event is None:
        return ReportedEvent("", None)
    submission = _counted(event, tracker, browser=browser)
    # A page chooses the id. The prefix keeps it from claiming the id of a `once` event, such as an order.
    return ReportedEvent(event_id, msgspec.structs.replace(submission, event_id=f"page:{event.event_id}"))


def _opened(tracker: RequestState, token: str) -> SignedEvent | None:
    runtime = tracker.runtime
    event = runtime.page_events.get(token)
    if event is not None:  # of a rule, or a route change; the token is not signed, as it can name nothing else
        return SignedEvent(event, {}, tracker.request.path, 0, limited_data_use=runtime.limited_data_use)
    try:
        return open_signed_event(token, runtime.signer, runtime.config.pixels, runtime.clock())
    except TokenError as error:
        runtime.notices.count(f"envelope_{error.reason}")
        return None


def _own_event(tracker: RequestState, name: str, properties: Mapping[str, object], event_id: str) -> Event | None:
    """Return the event that the browser has fired; None if it is invalid or not allowed."""
    runtime = tracker.runtime
    try:
        known = event_name(name)[0]
    except EventError:
        known = ""
    if not known or not is_browser_id(event_id):
        runtime.notices.count("invalid")
        return None
    if known not in runtime.browser_events:
        runtime.notices.count("browser_event_refused")
        return None
    given = dict(properties)
    limited = is_true(given.pop("limited_data_use", None), unreadable=True)
    cleaned = clean_properties(known, given, is_fired=True)
    for _ in cleaned.problems:
        runtime.notices.count("invalid")
    return Event(
        event=fired_name(name, known),
        event_id=event_id,
        event_time=int(runtime.clock()),
        properties=cleaned.properties,
        channels=OPEN_CHANNELS,
        limited_data_use=limited,
    )


def _counted(event: Event, visitor: RequestState, *, browser: bool) -> OutboxEntry:
    """Return the entry to store. It counts once, so that a repeated report adds nothing."""
    runtime = visitor.runtime
    runtime.notices.count("confirmed")
    server = not (runtime.config.server_reason or visitor.is_bot)
    submission = make_entry(event, visitor, browser=browser, server=server)
    return msgspec.structs.replace(submission, once=True, passing=not event.once, reported=True)
