"""The events in a page's report, each as the event that it confirms or sends; it reads no body and stores nothing."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tiktok_middleware.core.envelope import Envelope, open_envelope
from tiktok_middleware.core.event import Channel, Channels, Event, Submission
from tiktok_middleware.core.event_ids import check_event_id, is_minted_now
from tiktok_middleware.core.names import event_name
from tiktok_middleware.core.page_facts import PageFacts
from tiktok_middleware.core.properties import clean_properties
from tiktok_middleware.core.submission import make_submission
from tiktok_middleware.core.tracker import ONCE_MAX_AGE_S, Tracker
from tiktok_middleware.errors import EventError, TokenError

__all__ = ["confirmed", "sent"]

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


def confirmed(tracker: Tracker, token: str, event_id: str, *, browser: bool) -> Submission | None:
    """What is to be stored for an event that a browser confirms; None where there is nothing to count.

    Args:
        tracker: who reports.
        token: the envelope.
        event_id: the browser's own where the envelope is a template, else the envelope's.
        browser: whether the browser fires its copy.
    """
    setup = tracker.setup
    now_s = setup.clock()
    try:
        envelope = open_envelope(token, setup.signer, setup.config.pixels, now_s)
    except TokenError as error:
        setup.notices.count(f"envelope_{error.reason}")
        return None
    if not (is_minted_now(event_id, now_s) if envelope.is_template else event_id == envelope.event_id):
        setup.notices.count("envelope_id")
        return None
    if envelope.once and now_s - envelope.event_time > ONCE_MAX_AGE_S:
        setup.notices.count("too_old")
        return None
    event = Event(
        event=envelope.event,
        event_id=event_id,
        event_time=envelope.event_time or int(now_s),
        properties=dict(envelope.properties),
        channels=_OPEN,
        once=envelope.once,
    )
    return _counted(event, _Confirmer(tracker, envelope), browser=browser)


def sent(
    tracker: Tracker, name: str, properties: Mapping[str, object], event_id: str, *, browser: bool
) -> Submission | None:
    """What is to be stored for an event that a page sends by itself; None where it may not, or cannot be sent.

    Args:
        tracker: who reports.
        name: as the page's script wrote it.
        properties: the same.
        event_id: the browser's.
        browser: whether the browser fires its copy.
    """
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
    cleaned = clean_properties(known, properties)
    for _ in cleaned.problems:
        setup.notices.count("invalid")
    event = Event(
        event=known, event_id=own_id, event_time=int(setup.clock()), properties=cleaned.properties, channels=_OPEN
    )
    submission = _counted(event, tracker, browser=browser)
    # A page may call its event as it likes: it claims nothing that is counted once by its order number.
    return msgspec.structs.replace(submission, event_id=f"page:{own_id}")


def _counted(event: Event, visitor: Tracker, *, browser: bool) -> Submission:
    """What is to be stored: whoever repeats the report, with the same id, adds nothing."""
    setup = visitor.setup
    setup.notices.count("confirmed")
    submission = make_submission(event, visitor, browser=browser, server=not setup.config.server_reason)
    return msgspec.structs.replace(submission, once=True)
