"""A tracker that no request made, for webhooks, jobs and imports: whose leave it has, and who the visitor was."""

from __future__ import annotations

from tiktok_middleware.core.consent.consent import Consent, State
from tiktok_middleware.core.events.sources import SOURCES, Source
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.core.visitor.snapshot import Snapshot, SnapshotRequest, read_snapshot
from tiktok_middleware.errors import EventError, TokenError

__all__ = ["server_tracker"]

_MAX_LEAD_CHARS = 256


def server_tracker(
    runtime: Runtime,
    token: str | None,
    *,
    source: str = "web",
    lead_id: str | int | None = None,
    consent: bool | None = None,
) -> Tracker:
    """The tracker of one visitor, or of nobody.

    Args:
        runtime: the configuration.
        token: a snapshot; None or empty where there is none.
        source: ``web``, ``offline`` or ``crm``.
        lead_id: TikTok's id of the lead, which ``crm`` needs.
        consent: what the caller vouches for, see :func:`_leave`.

    Raises:
        EventError: source or lead cannot be right, in strict mode; otherwise the events are refused.
    """
    snapshot, trouble = _read(runtime, token)
    leave = _leave(runtime, snapshot, trouble, consent)
    state = _state(snapshot if snapshot is not None else Snapshot(leave), runtime, leave)
    tracker = Tracker(state)
    try:
        state.source = _source(runtime, source)
        state.lead_id = _lead(lead_id, is_needed=state.source.needs_lead)
    except EventError as error:
        tracker.refuse(error)
    return tracker


def _state(snapshot: Snapshot, runtime: Runtime, consent: Consent) -> RequestState:
    """The state of a tracker without a request: its events go by the server channel alone."""
    state = RequestState(SnapshotRequest(snapshot), runtime)
    state.has_browser = False
    state.identity = snapshot.identity
    state.remember(consent, snapshot.visitor)
    return state


def _read(runtime: Runtime, token: str | None) -> tuple[Snapshot | None, str]:
    """The snapshot, and why there is none although there is a token."""
    if token is None or token == "":
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


def _leave(runtime: Runtime, snapshot: Snapshot | None, trouble: str, vouched: bool | None) -> Consent:
    """Whether events may go.

    A refusal stands, whoever made it. What the snapshot says counts, and the caller's word where it says that the
    visitor had not chosen yet, or where it cannot be read. Without a snapshot it is as in a request without
    cookies: implied consent is enough, required consent is not there.
    """
    limited = runtime.config.limited_data_use or (snapshot is not None and snapshot.consent.limited_data_use)
    if snapshot is not None and snapshot.consent.state is State.DENIED:
        return snapshot.consent._replace(limited_data_use=limited)
    if vouched is not None:
        return Consent(State.GRANTED, limited) if vouched else Consent(State.DENIED, limited, "denied")
    if snapshot is not None:
        return snapshot.consent._replace(limited_data_use=limited)
    if trouble:
        return Consent(State.UNKNOWN, limited, trouble)
    if runtime.config.consent == "implied":
        return Consent(State.GRANTED, limited)
    return Consent(State.UNKNOWN, limited, "consent_unknown")


def _source(runtime: Runtime, name: object) -> Source:
    source = SOURCES.get(name) if isinstance(name, str) else None
    if source is None:
        raise EventError("source", "none of them", ", ".join(map(repr, SOURCES)))
    if not source.is_web and not runtime.config.targets(source.name):
        variable = f"TIKTOK_{source.name.upper()}_ID"
        raise EventError("source", f"{source.name!r} without {variable}", f"{source.name!r} with {variable} set")
    return source


def _lead(lead_id: object, *, is_needed: bool) -> str:
    allowed = f"TikTok's id of the lead, a text of 1 to {_MAX_LEAD_CHARS} characters or a whole number"
    if lead_id is None and not is_needed:
        return ""
    if isinstance(lead_id, int) and not isinstance(lead_id, bool) and 0 <= lead_id < 10**_MAX_LEAD_CHARS:
        return str(lead_id)
    if isinstance(lead_id, str) and 0 < len(lead_id) <= _MAX_LEAD_CHARS:
        return str.__str__(lead_id)
    found = f"a str of {len(lead_id)} characters" if isinstance(lead_id, str) else f"of type {type(lead_id).__name__}"
    raise EventError("lead_id", "not given" if lead_id is None else found, allowed)
