"""The thread that sends: lease, sink, verdict, then ack, retry or bury."""

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
from typing import Protocol

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Retry, Verdict
from tiktok_middleware.core.events_api.requests import MAX_REQUEST_BYTES, MAX_REQUEST_EVENTS
from tiktok_middleware.delivery.histogram import Histogram
from tiktok_middleware.delivery.outbox.base import LeasedRecord, LeaseHolder, Outbox
from tiktok_middleware.delivery.sender.backoff import Backoff
from tiktok_middleware.delivery.sender.bisect import Bisection
from tiktok_middleware.delivery.sender.handoff import Batch, Handoff
from tiktok_middleware.delivery.sender.results import Results
from tiktok_middleware.delivery.sender.verdict_check import fault_of
from tiktok_middleware.errors import OutboxError

__all__ = ["Relay", "Sink"]

log: logging.Logger = own_logger(__name__)

_LEASE_S = 20.0  # also how long the rows of a killed process stay unsent
_LEASE_MARGIN_S = 16.0  # a lease that has less left is renewed before a further request
_MAX_BODIES_BYTES = MAX_REQUEST_BYTES - 1024  # the envelope has the rest
_SETTLE_S = 0.005
_IDLE_S = 5.0  # how soon a row is found whose process died between commit and lease
_PAUSED_S = 1.0  # how soon sending goes on once an operator resumes it
_GATHER_S = 0.01  # how long an event waits for company; as long again while more keep coming
_MAX_GATHER_S = 0.1


class Sink(Protocol):
    """Where batches go. It is made and used on the relay's thread only."""

    def send(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """One verdict a record, in order. All records are of one pixel and one source.

        Where every record of a batch is `Rejected`, the relay takes it for one answer to the whole and looks for
        the culprit by sending parts of it.
        """

    def close(self) -> None:
        """Let go of connections."""


class Relay:
    """Sends what is due and sleeps until something is, on a thread that starts with the first `wake`.

    Args:
        outboxes: gives those to serve; asked before each round.
        open_sink: makes the sink, on the relay's thread, before the first send.
        clock: Unix seconds.
        limit: events in one request at most.
        is_sending: whether no operator has paused sending; asked before each request.
        monotonic: seconds that are never set back.
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
    ) -> None:
        self.batch_records: Histogram = Histogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
        self.send_s: Histogram = Histogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
        self.backoff: Backoff = Backoff(random.random)
        self._outboxes = outboxes
        self._open_sink = open_sink
        self._clock = clock
        self._limit = limit
        self._is_sending = is_sending
        self._monotonic = monotonic
        self._owner = secrets.token_hex(8)
        self._results = Results(self._owner, self.backoff, clock, self._note_resumes)
        self._sink: Sink | None = None
        self._opening = threading.Lock()  # held during the first send
        self._is_held = False  # the same, by a fork
        self._handoff = Handoff()
        self._bell = threading.Event()
        self._hurry = threading.Event()  # gathering ends
        self._is_full = False  # the last round filled a request, so that more may wait
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # one round at a time: the thread's, or that of a `drain` at exit
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._until = inf  # the monotonic second after which no request begins
        self._failing: set[int] = set()
        self._resumes = 0

    @property
    def counts(self) -> Counter[str]:
        """Rows ``delivered``, and times that one was ``retried``."""
        return self._results.counts

    @property
    def buried(self) -> Counter[str]:
        """Rows that became dead letters, by what was the matter: ``rejected``, ``expired``."""
        return self._results.buried

    def wake(self) -> None:
        """Look into the outboxes, as soon as what comes together has gathered."""
        if self._thread is None:
            self._start()
        self._bell.set()

    def holder(self) -> LeaseHolder | None:
        """Who takes rows while they are stored: us, as long as all goes well and not too much is in hand already."""
        if self._thread is None or self._is_stopping or self._handoff.is_full or self.backoff.is_troubled:
            return None
        return LeaseHolder(self._owner, _LEASE_S, self._monotonic() + _LEASE_S) if self._is_sending() else None

    def hand(self, outbox: Outbox, holder: LeaseHolder) -> None:
        """Send the rows that ``holder`` holds."""
        self._handoff.put(outbox, holder)
        if self._handoff.waiting >= self._limit:
            self._hurry.set()

    def stop(self, timeout_s: float) -> bool:
        """Whether the thread ended within ``timeout_s`` seconds; what it had on lease goes back."""
        self._is_stopping = True
        self._bell.set()
        self._hurry.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        is_done = self._thread is None or not self._thread.is_alive()
        if is_done and self._sink is not None:
            sink, self._sink = self._sink, None
            try:
                sink.close()
            except Exception:  # a team's own may lack it or fail in it: what else is to be closed does not suffer
                log.exception("The sink could not be closed")
        return is_done

    def drain(self, deadline: float) -> None:
        """Send what is due on the caller's thread, where ours is not there; no request begins after ``deadline``.

        Args:
            deadline: a second of the monotonic clock.
        """
        if self._thread is None or not self._thread.is_alive():
            while time.monotonic() < deadline and self.round(deadline):
                pass

    def settle(self, deadline: float) -> None:
        """Wait until nothing is in hand, so that no lease is left behind; until monotonic second ``deadline``."""
        while self._handoff.waiting and time.monotonic() < deadline:
            time.sleep(_SETTLE_S)
        if self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._turn.release()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._is_stopping:
                thread = threading.Thread(
                    # A context of its own: tracing libraries would keep the request that started the thread in it.
                    target=contextvars.Context().run,
                    args=(self._run,),
                    name="tiktok-relay",
                    daemon=True,
                )
                try:
                    thread.start()
                except RuntimeError:  # the interpreter shuts down: `close` drains, or the rows stay on disk
                    return
                self._thread = thread

    def _run(self) -> None:
        is_busy = True
        while not self._is_stopping:
            is_busy = self._next_round(is_busy)
        while self._send_handed():  # gives back what nobody will send any more
            pass

    def _next_round(self, was_busy: bool) -> bool:
        """Whether there was a batch to send, once there was reason to look."""
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
        """Wait as long as more keeps coming, since a request costs the same with one event as with a hundred."""
        deadline = time.monotonic() + _MAX_GATHER_S
        while self._bell.is_set() and not self._is_full and time.monotonic() < deadline:
            self._bell.clear()
            if self._hurry.wait(_GATHER_S):
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
        """Whether there was a batch to send; False as well when another thread's round takes until that second."""
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
        """How often operators have asked so far to try again."""
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
        """An outbox that fails is said once, and does not hold up the other; leases on it expire."""
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
        """Send what is on lease; a batch that is refused as a whole goes again in parts until the culprit is alone."""
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
            verdicts = self._ask(part)
            if search.is_settled(part, verdicts):
                self._results.settle(outbox, part, verdicts)

    def _is_over(self) -> bool:
        return self._is_stopping or time.monotonic() > self._until or not self._is_sending()

    def _holds(self, batch: Batch, part: list[LeasedRecord]) -> bool:
        """Whether ``part`` of a batch is ours for as long as a request may take."""
        if self._monotonic() + _LEASE_MARGIN_S <= batch.until:
            return True
        return batch.outbox.renew(self._owner, [row.id for row in part], _LEASE_S) == len(part)

    def _ask(self, rows: list[LeasedRecord]) -> Sequence[Verdict]:
        """The sink's verdicts; whatever goes wrong inside it is a reason to try again."""
        self.batch_records.observe(len(rows))
        began = time.perf_counter()
        try:
            records = [row.record for row in rows]
            verdicts = self._sink.send(records) if self._sink is not None else self._send_first(records)
            reason = fault_of(verdicts, len(rows))
            if not reason:
                return verdicts
        # An exit that a team's own sink asks for would end this thread alone, without a word. The message may quote the
        # request, so only the name is kept.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            reason = f"the sink raised {type(error).__name__}"
        finally:
            self.send_s.observe(time.perf_counter() - began)
        return [Retry(None, reason)] * len(rows)

    def _send_first(self, records: list[Record]) -> Sequence[Verdict]:
        with self._opening:
            self._sink = self._open_sink()
            return self._sink.send(records)

    def before_fork(self, timeout_s: float) -> None:
        """Wait for what the first send imports: an import that a fork cuts off is locked in the child for ever."""
        self._is_held = self._opening.acquire(timeout=timeout_s)

    def after_fork(self) -> None:
        """Go on, in the parent."""
        if self._is_held:
            self._is_held = False
            self._opening.release()
