"""Store the events of requests and jobs, and wait for their claims: the part of the client that uses the delivery."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from tiktok_middleware._log import NoticeLog
from tiktok_middleware.core.events.event import Claim, Event, OutboxEntry
from tiktok_middleware.core.events.event_names import read_name
from tiktok_middleware.core.events.ids import once_event_id, read_once
from tiktok_middleware.core.response.actions import Commit, Forward, Step
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.tracking.counted_before import note_claim
from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
from tiktok_middleware.core.tracking.server_event import late_entries, late_entry
from tiktok_middleware.delivery.delivery import FLUSH_S
from tiktok_middleware.delivery.interface import DeliveryInterface
from tiktok_middleware.delivery.process.event_loop import in_thread, is_in_event_loop, wait_for

__all__ = ["COMMIT_WAIT_S", "Storing", "deliver_to"]

_T = TypeVar("_T")

#: How long a response waits for its events to be on disk, in seconds; after that it leaves, and they stay in memory.
COMMIT_WAIT_S = 0.25

#: Deliveries that replace those of all clients of this process; the last one applies.
_instead: list[DeliveryInterface] = []


@contextlib.contextmanager
def deliver_to(delivery: DeliveryInterface) -> Iterator[None]:
    """Make every client of this process, also new ones, use ``delivery`` while the block runs."""
    _instead.append(delivery)
    try:
        yield
    finally:
        _instead.remove(delivery)


class Storing:
    """The part of :class:`~tiktok_middleware.Client` that stores events and waits for their claims."""

    delivery: DeliveryInterface
    is_prepared: bool = False
    _log: NoticeLog

    def carry_out(self, exchange: Exchange, step: Commit) -> Forward | None:
        """Store the events of a step, and return what is to be sent then."""
        try:
            claims = self.wait(self.submit(step))
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            self._log.failure("commit", error)
            return exchange.failed()
        return _sendable(exchange.committed(claims))

    async def carry_out_async(self, exchange: Exchange, step: Commit) -> Forward | None:
        """Do the same on an event loop."""
        try:
            claims = await self.wait_async(self.submit(step))
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("commit", error)
            return exchange.failed()
        return _sendable(exchange.committed(claims))

    def submit(self, commit: Commit) -> Future[list[Claim]]:
        """Store events, and with ``TIKTOK_FLUSH=request`` send them; return the future of their claims."""
        return self._submit(commit.submissions)

    def wait(self, future: Future[_T], timeout_s: float | None = None) -> _T | None:
        """Return the result of delivery; None after the timeout, by default :data:`COMMIT_WAIT_S`."""
        try:
            return future.result(COMMIT_WAIT_S if timeout_s is None else timeout_s)
        except Exception as error:  # noqa: BLE001  # a slow or failing disk must not fail the response
            self._undurable(error)
            return None

    async def wait_async(self, future: Future[_T], timeout_s: float | None = None) -> _T | None:
        """Do the same on an event loop of asyncio or trio, without blocking it."""
        try:
            if not future.done():
                flush_s = FLUSH_S if self.delivery.is_inline else 0.0
                await wait_for(future, flush_s + (COMMIT_WAIT_S if timeout_s is None else timeout_s))
            return future.result(0)
        except Exception as error:  # noqa: BLE001  # as above
            self._undurable(error)
            return None

    async def prepare(self) -> None:
        """Wait until the database of the app's transactions is known, on an event loop; once for a process.

        Until then ``insert_statement`` cannot give a statement: if the tables did not exist, it would abort the
        app's transaction. Requests that run at the same time wait together, each for what is left of the limit.
        """
        try:
            reach = getattr(self._delivery_in_use, "reach_drafts", None)
            if reach is None:
                return
            if (reached := reach()) is not None:
                await wait_for(*reached)
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            self._log.failure("prepare", error)
        self.is_prepared = True  # not before the wait, and not if the request was cancelled

    def take_late(self, state: RequestState, pending: TrackedEvent) -> None:
        """Store an event that was tracked after its response had ended; never raise into the app."""
        with self._guard("late"):
            entry = late_entry(pending, state)
            if entry is not None:
                self._submit_and_note([(pending.event, entry)])

    def cancel(self, *, once: object, event: str = "Purchase", timeout_s: float = 2.0) -> bool:
        """Cancel the server copy of an event, such as of an order that was cancelled within TIKTOK_DELAY.

        Return True if the server copy will never be sent, even if the event is only tracked later; False if it was
        sent already, is being sent now, or the outbox did not answer in time. A browser copy cannot be cancelled: it
        left with its page, unless the view passed ``browser=False``. This call waits for the outbox: on an event loop
        await `cancel_async`.

        Args:
            once: the key that was passed to ``track(once=...)``, or the ``order_id`` of a ``Purchase``.
            event: name of the event.
            timeout_s: seconds to wait for the outbox.

        Raises:
            EventError: ``once`` is empty or no text, number or UUID; or ``event`` is no event name.
        """
        event_id = once_event_id(read_name(event).name, read_once(once))
        try:
            return self._cancel(event_id).result(timeout_s)
        except Exception as error:  # noqa: BLE001  # a slow or failing outbox
            return self._not_cancelled(event, error)

    async def cancel_async(self, *, once: object, event: str = "Purchase", timeout_s: float = 2.0) -> bool:
        """Do the same on an event loop."""
        event_id = once_event_id(read_name(event).name, read_once(once))
        try:
            future = self._cancel(event_id)
            await wait_for(future, timeout_s)
            return future.result(0)
        except Exception as error:  # noqa: BLE001  # as above
            return self._not_cancelled(event, error)

    def _cancel(self, event_id: str) -> Future[bool]:
        delivery = self._delivery_in_use
        if delivery.is_inline and is_in_event_loop():
            return in_thread(lambda: delivery.cancel(event_id).result(0))
        return delivery.cancel(event_id)

    def _not_cancelled(self, event: str, error: Exception) -> bool:
        self._log.count("not_cancelled")
        why = str(error) or type(error).__name__
        self._log.once("not_cancelled", f"a {event} could not be cancelled ({why}) and is sent when its delay is over")
        return False

    def _submit_late(self, state: RequestState) -> Future[list[Claim]] | None:
        try:
            made = late_entries(state)
            future = self._submit_and_note(made) if made else None
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("submit", error)
            return None
        return future if self._delivery_in_use.is_inline else None

    @property
    def _delivery_in_use(self) -> DeliveryInterface:
        return _instead[-1] if _instead else self.delivery

    def _handed_out(self, events: Sequence[Event]) -> None:
        self._delivery_in_use.handed_out(events)

    def _submit(self, submissions: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        delivery = self._delivery_in_use
        if delivery.is_inline and is_in_event_loop():
            return in_thread(lambda: delivery.submit(submissions).result(0))
        return delivery.submit(submissions)

    def _submit_and_note(self, made: Sequence[tuple[Event, OutboxEntry]]) -> Future[list[Claim]]:
        """Store events that nothing waits for; their claims are noted once they are known."""
        future = self._submit([entry for _, entry in made])
        future.add_done_callback(lambda stored: self._note(made, stored))
        return future

    def _note(self, made: Sequence[tuple[Event, OutboxEntry]], stored: Future[list[Claim]]) -> None:
        if stored.cancelled() or stored.exception() is not None:
            return
        with self._guard("claims"):
            for (event, entry), claim in zip(made, stored.result(), strict=True):
                note_claim(event, entry, claim, self._log)

    def _take(self, ref: str) -> Future[bytes | None]:
        delivery = self._delivery_in_use
        if delivery.is_inline and is_in_event_loop():
            return in_thread(lambda: delivery.take(ref).result(0))
        return delivery.take(ref)

    def _undurable(self, error: Exception) -> None:
        self._log.count("undurable")
        # By name: in Python 3.10 the time-outs of asyncio and concurrent.futures are classes of their own.
        if type(error).__name__ != "TimeoutError":
            self._log.once("undurable", f"an event was not on disk in time: {type(error).__name__}; it waits in memory")

    @contextlib.contextmanager
    def _guard(self, part: str) -> Any:
        try:
            yield
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            self._log.failure(part, error)


def _sendable(step: Step) -> Forward | None:
    return step if isinstance(step, Forward) else None
