"""Write an event as a draft into the app's own transaction, and complete the draft when the response is decided.

A draft is a row that the app's connection inserts, so that it is committed or rolled back together with the app's own
rows. It claims nothing. The outbox stores the event once it sees the committed draft.
"""

from __future__ import annotations

from tiktok_middleware.core.events.event import DraftWriter, Event, OutboxEntry
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
from tiktok_middleware.core.tracking.server_event import make_entry
from tiktok_middleware.errors import EventError

__all__ = ["draft_statement", "new_draft"]

_REF_BYTES = 16
_NO_OUTBOX = "nothing unless TIKTOK_OUTBOX is postgresql://... or django:ALIAS, in the database of the app"


def new_draft(pending: TrackedEvent, state: RequestState, connection: object) -> TrackedEvent | None:
    """Write the draft of an event with the app's connection.

    Return the event with its draft; without one if it could not be written, so that it is stored as usual; None if the
    app's transaction has failed already, so that nothing of it will be committed.

    Raises:
        EventError: the outbox takes no drafts, or the connection is of a kind that cannot be used.
    """
    writer = _writer(state.runtime)
    if refusal := writer.refusal(connection):
        raise EventError("connection", f"of type {type(connection).__name__[:50]}", refusal)
    ref = _new_ref(state.runtime)
    reason = writer.write(connection, ref, _first_entry(pending, state))
    if not reason:
        return pending._replace(draft=ref)
    state.runtime.notices.count(reason)
    return None if reason == "rolled_back" else pending


def draft_statement(event: Event, state: RequestState, style: str) -> tuple[str, object] | None:
    """Turn an event that has not left yet into a draft that the app writes itself.

    Return the SQL statement and its parameters; None if no such event waits, or the outbox is not reached yet.

    Raises:
        EventError: the outbox takes no drafts, or ``style`` is unknown.
    """
    writer = _writer(state.runtime)
    for index, pending in enumerate(state.pending):
        if pending.event is event:
            ref = pending.draft or _new_ref(state.runtime)
            made = writer.statement(ref, _first_entry(pending, state), style)
            if made is None:
                state.runtime.notices.count("draft_failed")
                return None
            state.pending = [*state.pending[:index], pending._replace(draft=ref), *state.pending[index + 1 :]]
            return made
    return None


def _writer(runtime: Runtime) -> DraftWriter:
    writer = runtime.drafts()
    if writer is None:
        raise EventError("connection", "given, but the outbox is elsewhere", _NO_OUTBOX)
    return writer


def _new_ref(runtime: Runtime) -> str:
    return runtime.random_bytes(_REF_BYTES).hex()


def _first_entry(pending: TrackedEvent, state: RequestState) -> OutboxEntry:
    """Return the entry that counts if this process ends before it completes the draft."""
    has_server = not pending.server and state.may_send
    return make_entry(pending.event, state, browser=False, server=has_server)
