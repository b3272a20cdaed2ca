"""Route of one event: direct, server copy alone, sealed, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from tiktok_middleware.core.events.event import DeferredPayload, Draft, Event, OutboxEntry, browser_properties
from tiktok_middleware.core.pixel.snippet import BrowserCopy
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_event import completed, make_entry

__all__ = ["Route", "RoutedEvent", "direct_copies", "is_direct", "is_sealed", "references_of"]


class Route(Enum):
    """Route of an event's two copies."""

    DIRECT = "direct"  # the browser copy leaves with this response; a server copy, if any, is stored before
    SERVER = "server"  # the server copy alone
    SEALED = "sealed"  # both wait in a signed event until a browser confirms it
    NOWHERE = "nowhere"


class RoutedEvent(NamedTuple):
    """One event and its route.

    Attributes:
        event: the event.
        way: its route.
        has_server: whether a server copy is stored now.
        deferred: the browser copy or signed event, if it is too large for the response and waits in the outbox.
        visitor: state of the event's visitor, if it is not the request's own state.
        draft: the event's draft in the app's transaction; None without one.
    """

    event: Event
    way: Route
    has_server: bool = False
    deferred: DeferredPayload | None = None
    visitor: RequestState | None = None
    draft: Draft | None = None

    def submission(self, state: RequestState) -> OutboxEntry | None:
        """Return the entry that delivery stores and claims; None when there is none."""
        made = self._entry(state)
        return made if self.draft is None else completed(made, self.event, self.draft)

    def by_reference(self) -> RoutedEvent:
        """Return the event with its browser copy, or signed event, under the reference of its draft."""
        return self if self.draft is None else self._replace(deferred=DeferredPayload(self.draft.ref, b""))

    def _entry(self, state: RequestState) -> OutboxEntry | None:
        if self.way is Route.SEALED:
            if self.draft is not None:
                return OutboxEntry(f"parcel:{self.draft.ref}", browser=True)
            if self.deferred is None:
                return None
            return OutboxEntry(f"parcel:{self.deferred.ref}", browser=True, deferred=self.deferred)
        if self.way is Route.NOWHERE:
            return None
        visitor = self.visitor if self.visitor is not None else state
        is_direct = self.way is Route.DIRECT
        made = make_entry(self.event, visitor, browser=is_direct, server=self.has_server)
        if self.visitor is not None:
            # A signed event that is opened twice, such as in two tabs, counts once.
            made = msgspec.structs.replace(made, once=True, passing=not self.event.once)
        return made if self.deferred is None else msgspec.structs.replace(made, deferred=self.deferred)


def is_sealed(choice: RoutedEvent) -> bool:
    """Return whether the event is in this response as a signed event."""
    return choice.way is Route.SEALED and choice.deferred is None


def is_direct(choice: RoutedEvent) -> bool:
    """Return whether the browser copy of the event is in this response."""
    return choice.way is Route.DIRECT and choice.deferred is None


def direct_copies(choices: Sequence[RoutedEvent]) -> list[BrowserCopy]:
    """Return the browser copies that are in this response."""
    events = [choice.event for choice in choices if is_direct(choice)]
    return [(event.event, browser_properties(event), event.event_id) for event in events]


def references_of(choices: Sequence[RoutedEvent]) -> list[str]:
    """Return the references to copies that wait in the outbox."""
    return [choice.deferred.ref for choice in choices if choice.deferred is not None]
