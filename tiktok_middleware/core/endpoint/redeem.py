"""The events in a page's report, each as the event that it confirms or sends; it reads no body and stores nothing."""

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
    """What becomes of one event of a report.

    Attributes:
        event_id: its id in the browser.
        submission: what is to be stored; None where it does not count.
        copy: what the browser is to fire once that is stored, where it does not have it.
    """

    event_id: str
    submission: OutboxEntry | None
    copy: BrowserCopy | None = None


def confirmed(
    tracker: RequestState, token: str, event_id: str, *, browser: bool, with_copy: bool = False
) -> ReportedEvent:
    """Return what becomes of an event that a browser confirms.

    Args:
        tracker: who reports.
        token: the signed event.
        event_id: the browser's own where the signed event is a template, else the signed one.
        browser: whether the browser fires its copy.
        with_copy: whether it gets the copy from the answer.
    """
    signed_event = _opened(tracker, token)
    happened = opened_event(tracker, signed_event, event_id) if signed_event is not None else None
    if happened is None:
        return ReportedEvent(event_id, None)
    event = happened[0]
    copy = (event.event, event.properties, event.event_id) if with_copy else None
    return ReportedEvent(event_id, _counted(*happened, browser=browser), copy)


def redeemed(tracker: RequestState, token: str, *, browser: bool) -> ReportedEvent:
    """The same for an event whose envelope was too large for the page, and waited with us."""
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
    """What becomes of an event that a page sends by itself.

    Args:
        tracker: who reports.
        name: as the page's script wrote it.
        properties: the same.
        event_id: the browser's.
        browser: whether the browser fires its copy.
    """
    event = _own_event(tracker, name, properties, event_id)
    if event is None:
        return ReportedEvent("", None)
    submission = _counted(event, tracker, browser=browser)
    # A page may call its event as it likes: it claims nothing that is counted once by its order number.
    return ReportedEvent(event_id, msgspec.structs.replace(submission, event_id=f"page:{event.event_id}"))


def _opened(tracker: RequestState, token: str) -> SignedEvent | None:
    runtime = tracker.runtime
    try:
        return open_signed_event(token, runtime.signer, runtime.config.pixels, runtime.clock())
    except TokenError as error:
        runtime.notices.count(f"envelope_{error.reason}")
        return None


def _own_event(tracker: RequestState, name: str, properties: Mapping[str, object], event_id: str) -> Event | None:
    """The event as the browser has fired it; None where it may not be sent, or nothing of it can be."""
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
    """What is to be stored: whoever repeats the report, with the same id, adds nothing."""
    runtime = visitor.runtime
    runtime.notices.count("confirmed")
    server = not (runtime.config.server_reason or visitor.is_bot)
    submission = make_entry(event, visitor, browser=browser, server=server)
    return msgspec.structs.replace(submission, once=True, passing=not event.once, reported=True)
