"""Tell the application which copies of an event are not sent because the conversion was counted before."""

from __future__ import annotations

from datetime import datetime, timezone

from tiktok_middleware.core.events.event import Channel, Channels, Claim, Event, OutboxEntry
from tiktok_middleware.core.runtime import Notices

__all__ = ["note_claim"]

_CODE = "already_counted"


def note_claim(event: Event, entry: OutboxEntry, claim: Claim, notices: Notices) -> None:
    """Write the outbox's answer into ``event.channels``, count it, and log it with the time of the first claim.

    Args:
        event: the event that ``track()`` returned.
        entry: what was to be stored for it.
        claim: the outbox's answer.
        notices: takes the count and the log line.
    """
    if not event.once or not claim.is_decided:
        return
    is_browser_lost = entry.browser and not claim.browser
    # Without a time, the server copy was not stored for another reason, such as a full outbox.
    is_server_lost = bool(entry.records) and not claim.server and (claim.first_at > 0 or is_browser_lost)
    if not (is_browser_lost or is_server_lost):
        return
    lost, channels = Channel(sends=False, reason=_CODE, first_at=claim.first_at), event.channels
    event.channels = Channels(
        lost if is_browser_lost else channels.browser, lost if is_server_lost else channels.server
    )
    notices.count(_CODE)
    copies = " and ".join([*["browser"] * is_browser_lost, *["server"] * is_server_lost])
    notices.detail(
        f"{_CODE}: {event.event} {event.event_id} was counted first{_at(claim.first_at)}; not sent again: {copies} copy"
    )


def _at(first_at: float) -> str:
    """Return the time for a message; empty if it is unknown or is no time."""
    try:
        return f" at {datetime.fromtimestamp(first_at, timezone.utc):%Y-%m-%dT%H:%M:%SZ}" if first_at > 0 else ""
    except (ValueError, OverflowError, OSError):
        return ""
