"""The events in a page's report, each as the event that it confirms or sends; it reads no body and stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from tiktok_middleware.core.envelope import Envelope, open_envelope
from tiktok_middleware.core.event import Channel, Channels, Event, Submission
from tiktok_middleware.core.event_ids import check_event_id, is_minted_now
from tiktok_middleware.core.names import event_name
from tiktok_middleware.core.page_facts import PageFacts
from tiktok_middleware.core.properties import clean_properties
from tiktok_middleware.core.snippet import Copy
from tiktok_middleware.core.submission import make_submission
from tiktok_middleware.core.tracker import ONCE_MAX_AGE_S, Tracker
from tiktok_middleware.errors import EventError, TokenError

__all__ = ["Verdict", "confirmed", "redeemed", "sent", "unsealed"]

_OPEN = Channels(Channel(sends=True), Channel(sends=True))


class _Confirmer(Tracker):
    """Who reports, on the page and with the identity that an envelope names."""

    def __init__(self, reporter: Tracker, envelope: Envelope) -> None:
        facts = reporter.facts
        super().__init__(facts.at(envelope.path) if isinstance(facts, PageFacts) else facts, reporter.setup)
        self.identity = envelope.identity
        self._visitor = reporter.visitor
        limited = reporter.consent.limited_data_use or envelope.limited_data_use
        self._consent = reporter.consent._replace(limited_data_use=limited)


class Verdict(NamedTuple):
    """What becomes of one event of a report.

    Attributes:
        event_id: its id in the browser.
        submission: what is to be stored; None where it does not count.
        copy: what the browser is to fire once that is stored, where it does not have it.
    """

    event_id: str
    submission: Submission | None
    copy: Copy | None = None


def confirmed(tracker: Tracker, token: str, event_id: str, *, browser: bool) -> Verdict:
    """What becomes of an event that a browser confirms.

    Args:
        tracker: who reports.
        token: the envelope.
        event_id: the browser's own where the envelope is a template, else the envelope's.
        browser: whether the browser fires its copy.
    """
    envelope = _opened(tracker, token)
    happened = unsealed(tracker, envelope, event_id) if envelope is not None else None
    return Verdict(event_id, _counted(*happened, browser=browser) if happened is not None else None)


def redeemed(tracker: Tracker, token: str, *, browser: bool) -> Verdict:
    """The same for an event whose envelope was too large for the page, and waited with us."""
    envelope = _opened(tracker, token)
    if envelope is None:
        return Verdict("", None)
    happened = unsealed(tracker, envelope, envelope.event_id)
    if happened is None:
        return Verdict("", None)
    event, visitor = happened
    copy = (event.event, event.properties, event.event_id)
    return Verdict(event.event_id, _counted(event, visitor, browser=browser), copy)


def unsealed(tracker: Tracker, envelope: Envelope, event_id: str) -> tuple[Event, Tracker] | None:
    """The event of an envelope as it happened to this visitor; None, and counted, where it cannot have.

    Args:
        tracker: the visitor as they are now.
        envelope: as it was opened.
        event_id: as for :func:`confirmed`.
    """
    notices, now_s = tracker.setup.notices, tracker.setup.clock()
    if not (is_minted_now(event_id, now_s) if envelope.is_template else event_id == envelope.event_id):
        notices.count("envelope_id")
        return None
    if envelope.once and now_s - envelope.event_time > ONCE_MAX_AGE_S:
        notices.count("too_old")
        return None
    event = Event(
        event=envelope.event,
        event_id=event_id,
        event_time=envelope.event_time or int(now_s),
        properties=dict(envelope.properties),
        channels=_OPEN,
        once=envelope.once,
    )
    return event, _Confirmer(tracker, envelope)


def sent(tracker: Tracker, name: str, properties: Mapping[str, object], event_id: str, *, browser: bool) -> Verdict:
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
        return Verdict("", None)
    submission = _counted(event, tracker, browser=browser)
    # A page may call its event as it likes: it claims nothing that is counted once by its order number.
    return Verdict(event_id, msgspec.structs.replace(submission, event_id=f"page:{event.event_id}"))


def _opened(tracker: Tracker, token: str) -> Envelope | None:
    setup = tracker.setup
    try:
        return open_envelope(token, setup.signer, setup.config.pixels, setup.clock())
    except TokenError as error:
        setup.notices.count(f"envelope_{error.reason}")
        return None


def _own_event(tracker: Tracker, name: str, properties: Mapping[str, object], event_id: str) -> Event | None:
    """The event; None where it may not be sent, or nothing of it can be."""
    setup = tracker.setup
    try:
        known, _ = event_name(name)
        if known not in setup.browser_events:
            setup.notices.count("browser_event_refused")
            return None
        own_id = check_event_id(event_id)
    except EventError:
        setup.notices.count("invalid")
        return None
    cleaned = clean_properties(known, properties, is_fired=True)
    for _ in cleaned.problems:
        setup.notices.count("invalid")
    return Event(
        event=known, event_id=own_id, event_time=int(setup.clock()), properties=cleaned.properties, channels=_OPEN
    )


def _counted(event: Event, visitor: Tracker, *, browser: bool) -> Submission:
    """What is to be stored: whoever repeats the report, with the same id, adds nothing."""
    setup = visitor.setup
    setup.notices.count("confirmed")
    server = not (setup.config.server_reason or visitor.is_bot)
    submission = make_submission(event, visitor, browser=browser, server=server)
    return msgspec.structs.replace(submission, once=True, passing=not event.once)
