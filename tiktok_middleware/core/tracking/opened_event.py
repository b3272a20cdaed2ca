"""Turn an opened signed event into an event of the visitor who reports it."""

from __future__ import annotations

from tiktok_middleware.core.events.event import Channel, Channels, Event
from tiktok_middleware.core.events.ids import is_minted_now
from tiktok_middleware.core.pixel.signed_event import SignedEvent
from tiktok_middleware.core.tracking.request_state import ONCE_MAX_AGE_S, RequestState

__all__ = ["OPEN_CHANNELS", "opened_event"]

#: Both channels are open: the event was allowed when it was signed.
OPEN_CHANNELS = Channels(Channel(sends=True), Channel(sends=True))


def _signed_visitor(reporter: RequestState, signed_event: SignedEvent) -> RequestState:
    """Return the state of the reporting visitor, with the page and identity of the signed event."""
    state = RequestState(reporter.request.at(signed_event.path), reporter.runtime)
    state.identity = signed_event.identity
    limited = reporter.consent.limited_data_use or signed_event.limited_data_use
    state.remember(reporter.consent._replace(limited_data_use=limited), reporter.visitor)
    return state


def opened_event(state: RequestState, signed_event: SignedEvent, event_id: str) -> tuple[Event, RequestState] | None:
    """Return the event of a signed event and its visitor; None, and counted, if it is not valid for this visitor.

    Args:
        state: current state of the visitor.
        signed_event: the opened signed event.
        event_id: the browser's own id for a template, else the id in the signed event.
    """
    notices, now_s = state.runtime.notices, state.runtime.clock()
    if not (is_minted_now(event_id, now_s) if signed_event.is_template else event_id == signed_event.event_id):
        notices.count("envelope_id")
        return None
    if signed_event.once and now_s - signed_event.event_time > ONCE_MAX_AGE_S:
        notices.count("too_old")
        return None
    event = Event(
        event=signed_event.event,
        event_id=event_id,
        event_time=signed_event.event_time or int(now_s),
        properties=dict(signed_event.properties),
        channels=OPEN_CHANNELS,
        once=signed_event.once,
        limited_data_use=signed_event.limited_data_use,
    )
    return event, _signed_visitor(state, signed_event)
