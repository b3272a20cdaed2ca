"""Interface between the client and a delivery. `Delivery` implements it, and so does the recorder in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from tiktok_middleware.core.events.event import Claim, DraftWriter, Event, OutboxEntry

__all__ = ["DeliveryInterface"]


class DeliveryInterface(Protocol):
    """Stores events and sends them. No method raises."""

    @property
    def is_inline(self) -> bool:
        """Return whether ``submit`` stores and sends on the caller's thread, so that it may block."""
        ...

    @property
    def is_off(self) -> bool:
        """Return whether an operator has switched everything off: pages stay unchanged, nothing is tracked.

        Read on every request.
        """
        ...

    @property
    def drafts(self) -> DraftWriter | None:
        """Return what writes events into the app's own transactions; None if nothing does."""

    def submit(self, entries: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        """Return a future of one claim for each entry, resolved once they are stored."""
        ...

    def take(self, ref: str) -> Future[bytes | None]:
        """Return a future of the browser copy kept under a reference.

        None where there is none; `NOT_YET` if there may be one later, so that the page asks again.
        """
        ...

    def cancel(self, event_id: str) -> Future[bool]:
        """Return a future of whether the server copies of an event will never be sent."""
        ...

    def handed_out(self, events: Sequence[Event]) -> None:
        """Note that a response contains the browser copies of these events."""

    def wake(self) -> None:
        """Start sending the events that an earlier process left."""

    def flush(self, timeout_s: float) -> bool:
        """Return whether everything accepted so far is delivered or dead within ``timeout_s`` seconds."""
        ...

    def close(self, timeout_s: float) -> bool:
        """Store everything, and return whether it was also sent within ``timeout_s`` seconds."""
        ...

    def is_ready(self) -> bool:
        """Return whether events are stored where the configuration says. Never waits."""
        ...

    def stats(self) -> Mapping[str, Any]:
        """Return the counts of this process."""
        ...
