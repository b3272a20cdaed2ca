"""Thread that sends: leases rows, passes them to the sink, then acknowledges, retries or buries them by verdict."""

from __future__ import annotations

import contextvars
import logging
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events_api.requests import MAX_REQUEST_BYTES, MAX_REQUEST_EVENTS
from tiktok_middleware.delivery.outbox.base import LeasedRecord, LeaseHolder, Outbox
from tiktok_middleware.delivery.sender.backoff import Backoff
from tiktok_middleware.delivery.sender.bisect import Bisection
from tiktok_middleware.delivery.sender.handoff import Batch, Handoff
from tiktok_middleware.delivery.sender.results import Results
from tiktok_middleware.delivery.sender.sink import Sink, SinkInUse
from tiktok_middleware.errors import OutboxError

__all__ = ["Relay", "Sink"]

log: logging.Logger = own_logger(__name__)

_LEASE_S = 20.0  # the rows of a killed process also stay unsent for this time
_LEASE_MARGIN_S = 16.0  # a lease with less time left is renewed before the next request
_MAX_BODIES_BYTES = MAX_REQUEST_BYTES - 1024  # the rest is for the JSON around the bodies
_SETTLE_S = 0.005
_IDLE_S = 5.0  # longest sleep; finds rows whose process died between commit and lease
_PAUSED_S = 1.0  # sending goes on within this time after an operator resumes it
_MAX_GATHER_S = 0.1


class Relay:
    """Sends due rows and sleeps until the next are due, on a thread that starts with the first `wake`.

    Args:
        outboxes: returns the outboxes to send from; called before each round.
        open_sink: makes the sink, on the relay's thread, before the first send.
        clock: returns Unix seconds.
        limit: largest number of events in one request.
        is_sending: returns False while an operator has paused sending; called before each request.
        monotonic: returns seconds of a clock that is never set back.
        gather_s: how long an event waits for others to share its request, in seconds; again while more arrive.

    Attributes:
        sink: the sink in use.
        backoff: waits of each pixel after failures.
    """

    def __init__(
        self,
        outboxes: Callable[[], Sequence[Outbox]],
        open_sink: Callable[[], Sink],
        clock: Callable[[], float],
        limit: int = MAX_REQUEST_EVENTS,
        *,
        is_sending: Callable[[], bool] = lambda: True,
        monotonic: Callable[[], float] = time.monotonic,
        gather_s: float = 0.01,
    ) -> None:
        self.sink: SinkInUse = SinkInUse(open_sink)
        self.backoff: Backoff = Backoff(random.random)
        self._outboxes = outboxes
        self._clock = clock
        self._limit = limit
        self._is_sending = is_sending
        self._monotonic = monotonic
        self._gather_s = gather_s
        self._owner = secrets.token_hex(8)
        self._results = Results(self._owner, self.backoff, clock, self._note_resumes)
        self._handoff = Handoff()
        self._bell = threading.Event()
        self._hurry = threading.Event()  # ends the gathering
        self._is_full = False  # the last round filled a request, so more rows may wait
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # allows one round at a time: the thread's, or that of a `drain` at exit
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._until = inf  # monotonic seconds; no request starts after this time
        self._failing: set[int] = set()
        self._resumes = 0

    @property
    def counts(self) -> Counter[str]:
        """Return the numbers of rows ``delivered`` and of retries (``retried``)."""
        return self._results.counts

    @property
    def buried(self) -> Counter[str]:
        """Return the number of rows that became dead letters, by cause: ``rejected``, ``expired``."""
        return self._results.buried

    def wake(self) -> None:
        """Start a round, after a short wait that gathers events into one request."""
        if self._thread is None:
            self._start()
        self._bell.set()

    def holder(self) -> LeaseHolder | None:
        """Return a lease for rows that are being stored, so that the relay sends them without reading the disk.

        None if the relay is not running or is stopping, the handoff is full, a pixel has failures, or sending is
        paused.
        """
        if self._thread is None or self._is_stopping or self._handoff.is_full or self.backoff.is_troubled:
            return None
        return LeaseHolder(self._owner, _LEASE_S, self._monotonic() + _LEASE_S) if self._is_sending() else None

    def hand(self, outbox: Outbox, holder: LeaseHolder) -> None:
        """Queue the rows that ``holder`` leased for sending."""
        self._handoff.put(outbox, holder)
        if self._handoff.waiting >= self._limit:
            self._hurry.set()

    def stop(self, timeout_s: float) -> bool:
        """Return whether the thread ended within ``timeout_s`` seconds; it releases its leased rows."""
        self._is_stopping = True
        self._bell.set()
        self._hurry.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        is_done = self._thread is None or not self._thread.is_alive()
        if is_done:
            self.sink.close()
        return is_done

    def drain(self, deadline: float) -> None:
        """Send due rows on the caller's thread, unless the relay's thread runs; no request starts after ``deadline``.

        Args:
            deadline: seconds of the monotonic clock.
        """
        if self._thread is None or not self._thread.is_alive():
            while time.monotonic() < deadline and self.round(deadline):
                pass

    def settle(self, deadline: float) -> None:
        """Wait until the relay has no leased rows, at most until ``deadline``, in monotonic seconds."""
        while self._handoff.waiting and time.monotonic() < deadline:
            time.sleep(_SETTLE_S)
        if self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._turn.release()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._is_stopping:
                thread = threading.Thread(
                    # An empty context: otherwise tracing libraries would keep the first request in this thread.
                    target=contextvars.Context().run,
                    args=(self._run,),
                    name="tiktok-relay",
                    daemon=True,
                )
                try:
                    thread.start()
                except RuntimeError:  # the interpreter shuts down; `close` drains, or the rows stay on disk
                    return
                self._thread = thread

    def _run(self) -> None:
        is_busy = True
        while not self._is_stopping:
            is_busy = self._next_round(is_busy)
        while self._send_handed():  # while stopping, this only releases the rows
            pass

    def _next_round(self, was_busy: bool) -> bool:
        """Wait until a round is due, run it, and return whether there was a batch to send."""
        try:
            if not was_busy:
                self._bell.wait(self._idle_s())
            self._gather()
            self._bell.clear()
            self._hurry.clear()
            return self.round()
        except Exception:
            log.exception("The relay failed, trying again")
            self._bell.wait(_IDLE_S)
            return True

    def _gather(self) -> None:
        """Wait while more events keep coming: TikTok counts requests, so one event costs as much as a hundred."""
        deadline = time.monotonic() + _MAX_GATHER_S
        while self._bell.is_set() and not self._is_full and time.monotonic() < deadline:
            self._bell.clear()
            if self._hurry.wait(self._gather_s):
                return

    def _idle_s(self) -> float:
        if not self._is_sending():
            return _PAUSED_S
        now = self._clock()
        blocked = self.backoff.blocked(now)
        dues: list[float] = []
        for outbox in self._outboxes():
            with self._forbearing(outbox):
                dues += [due_in_s for due_in_s in (outbox.due_in_s(blocked),) if due_in_s is not None]
        if (opens_at := self.backoff.opens_at()) is not None:
            dues.append(opens_at - now)
        return min(max(min(dues, default=_IDLE_S), 0.0), _IDLE_S)

    def round(self, until: float = inf) -> bool:
        """Run a round and return whether there was a batch to send.

        Return False if another thread's round is still running at ``until``, in monotonic seconds.
        """
        if not self._turn.acquire(timeout=min(max(until - time.monotonic(), 0.0), threading.TIMEOUT_MAX)):
            return False
        try:
            self._until = until
            self._is_full = False
            self._resume_if_asked()
            was_busy = self._send_handed()
            for outbox in self._outboxes():
                with self._forbearing(outbox):
                    was_busy |= self._send_due(outbox)
                    self._failing.discard(id(outbox))
        finally:
            self._turn.release()
        return was_busy

    def _resume_if_asked(self) -> None:
        if self.backoff.halted and self._asked() != self._resumes:
            log.info("Asked to try again: %s", ", ".join(sorted(self.backoff.halted)))
            self.backoff.resume()

    def _note_resumes(self) -> None:
        self._resumes = self._asked()

    def _asked(self) -> int:
        """Return how often operators have run `outbox retry` so far, over all outboxes."""
        asked = 0
        for outbox in self._outboxes():
            with self._forbearing(outbox):
                asked += outbox.resumes()
        return asked

    def _send_due(self, outbox: Outbox) -> bool:
        rows: list[LeasedRecord] = []
        if self._is_sending():
            until = self._monotonic() + _LEASE_S
            rows = outbox.lease(
                self._owner,
                self._limit,
                limit_bytes=_MAX_BODIES_BYTES,
                for_s=_LEASE_S,
                pixels_blocked=self.backoff.blocked(self._clock()),
            )
            if rows:
                self._send(Batch(outbox, until, rows))
        outbox.tidy()
        return bool(rows)

    @contextmanager
    def _forbearing(self, outbox: Outbox) -> Iterator[None]:
        """Log a failing outbox once and continue with the others; its leases expire."""
        try:
            yield
        except OutboxError as error:
            if id(outbox) not in self._failing:
                self._failing.add(id(outbox))
                log.warning("The outbox cannot be read, trying again: %s", error)

    def _send_handed(self) -> bool:
        batches = self._handoff.get(self._limit, _MAX_BODIES_BYTES)
        for batch in batches:
            with self._forbearing(batch.outbox):
                self._send(batch)
        return bool(batches)

    def _send(self, batch: Batch) -> None:
        """Send leased rows; send a batch that is rejected as a whole again in parts, to find the invalid events."""
        outbox, pixel = batch.outbox, batch.rows[0].record.pixel
        rows = self._results.bury_expired(outbox, batch.rows)
        limit = self.backoff.limit(pixel, self._limit)
        self._is_full |= len(rows) >= limit or sum([len(row.record.body) for row in rows]) > _MAX_BODIES_BYTES // 2
        self._results.release(outbox, rows[limit:])
        search = Bisection(rows[:limit])
        while part := search.next_part():
            is_blocked = self._is_over() or pixel in self.backoff.blocked(self._clock())
            if is_blocked or not self._holds(batch, part):
                self._results.release(outbox, part)
                continue
            verdicts = self.sink.send(part)
            if search.is_settled(part, verdicts):
                self._results.settle(outbox, part, verdicts)

    def _is_over(self) -> bool:
        return self._is_stopping or time.monotonic() > self._until or not self._is_sending()

    def _holds(self, batch: Batch, part: list[LeasedRecord]) -> bool:
        """Return whether the lease on ``part`` lasts as long as a request may take; renew it if needed."""
        if self._monotonic() + _LEASE_MARGIN_S <= batch.until:
            return True
        return batch.outbox.renew(self._owner, [row.id for row in part], _LEASE_S) == len(part)
