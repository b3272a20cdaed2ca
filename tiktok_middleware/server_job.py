"""Track conversions of webhooks, jobs and imports in a ``with`` block, which stores them at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tiktok_middleware.core.events.event import Claim, Event, OutboxEntry
from tiktok_middleware.core.response.actions import Commit
from tiktok_middleware.core.tracking.counted_before import note_claim
from tiktok_middleware.core.tracking.server_event import server_entry
from tiktok_middleware.delivery.process.event_loop import is_in_event_loop

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

    from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
    from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["JOB_WAIT_S", "ServerJob"]

#: How long the end of a block waits for its events to be on disk, in seconds; longer than a response may wait.
JOB_WAIT_S = 5.0


class EntryTaker(Protocol):
    """Methods of the client that a job uses."""

    def submit(self, commit: Commit) -> Future[list[Claim]]:
        """Store the events; return the future of their claims."""
        ...

    def wait(self, future: Future[list[Claim]], timeout_s: float | None = None) -> Sequence[Claim] | None:
        """Return the claims; None if storing takes longer."""

    async def wait_async(self, future: Future[list[Claim]], timeout_s: float | None = None) -> Sequence[Claim] | None:
        """Do the same on an event loop."""

    async def prepare(self) -> None:
        """Wait until events can join the app's own transactions."""

    def take_late(self, state: RequestState, pending: TrackedEvent) -> None:
        """Take an event that is tracked after the end of the block."""


class ServerJob:
    """``with client.tracker(...) as tiktok:``, or ``async with`` on an event loop.

    At the end of the block its events are on disk. If that takes longer than five seconds, they stay in memory and are
    counted as ``undurable``. If the block raises, they are dropped and counted as ``job_failed``, except those tracked
    with ``keep=True``; the exception propagates.

    Args:
        tracker: tracker of the block.
        client: takes the events.
        wait_s: how long the end of the block waits for its events to be on disk, in seconds.
    """

    def __init__(self, tracker: Tracker, client: EntryTaker, wait_s: float = JOB_WAIT_S) -> None:
        self._tracker = tracker
        self._client = client
        self._wait_s = wait_s
        self._made: list[tuple[Event, OutboxEntry]] = []

    def __enter__(self) -> Tracker:
        return self._tracker

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stored = self._hand_over(has_failed=kind is not None)
        if stored is not None:
            # Do not block an event loop for longer than a response may.
            self._note(self._client.wait(stored, None if is_in_event_loop() else self._wait_s))

    async def __aenter__(self) -> Tracker:
        await self._client.prepare()
        return self._tracker

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stored = self._hand_over(has_failed=kind is not None)
        if stored is not None:
            self._note(await self._client.wait_async(stored, self._wait_s))

    def _note(self, claims: Sequence[Claim] | None) -> None:
        """Write into the events whether they were counted before."""
        notices = self._tracker.state.runtime.notices
        try:
            for (event, entry), claim in zip(self._made, claims or (), strict=False):
                note_claim(event, entry, claim, notices)
        except Exception as failure:  # noqa: BLE001  # our failures never reach the app
            notices.failure("claims", failure)

    def _hand_over(self, *, has_failed: bool) -> Future[list[Claim]] | None:
        """Store the events of the ``with`` block, and return a future of their claims.

        Return None if there are no events, or if they could not be handed over.
        """
        state = self._tracker.state
        notices = state.runtime.notices
        try:
            for _ in range(state.discard() if has_failed else 0):
                notices.count("job_failed")
            made = [(pending.event, server_entry(pending, state)) for pending in state.take()]
            state.late = self._client.take_late
            self._made = [(event, entry) for event, entry in made if entry is not None]
            return self._client.submit(Commit(tuple([entry for _, entry in self._made]))) if self._made else None
        except Exception as failure:  # noqa: BLE001  # our failures never reach the app
            notices.failure("job", failure)
            return None
