"""How one event leaves: at once, by the server alone, in an envelope, or not at all; it decides nothing itself."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec

from tiktok_middleware.core.events.event import DeferredPayload, Event, OutboxEntry
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_event import make_entry

__all__ = ["Route", "RoutedEvent"]


class Route(Enum):
    """What happens to an event's two copies."""

    DIRECT = "direct"  # the browser's goes with this response, the server's, if there is one, is stored before
    SERVER = "server"  # the server's alone
    SEALED = "sealed"  # both wait, in an envelope, for the browser's word
    NOWHERE = "nowhere"


class RoutedEvent(NamedTuple):
    """One event and its way.

    Attributes:
        event: the event.
        way: its way.
        has_server: whether a server copy is stored now.
        deferred: the browser's copy or the envelope, where it is too large to travel and waits with us.
        visitor: whose event it is, where that is not the request's own state.
    """

    event: Event
    way: Route
    has_server: bool = False
    deferred: DeferredPayload | None = None
    visitor: RequestState | None = None

    def submission(self, state: RequestState) -> OutboxEntry | None:
        """What delivery is to store and claim; None where there is nothing."""
        if self.way is Route.SEALED:
            if self.deferred is None:
                return None
            return OutboxEntry(f"parcel:{self.deferred.ref}", browser=True, deferred=self.deferred)
        if self.way is Route.NOWHERE:
            return None
        visitor = self.visitor if self.visitor is not None else state
        is_direct = self.way is Route.DIRECT
        made = make_entry(self.event, visitor, browser=is_direct, server=self.has_server)
        if self.visitor is not None:
            # Whoever opens the same envelope twice, in two tabs, counts once.
            made = msgspec.structs.replace(made, once=True, passing=not self.event.once)
        return made if self.deferred is None else msgspec.structs.replace(made, deferred=self.deferred)
