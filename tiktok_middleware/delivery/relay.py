"""The thread that sends: lease, sink, verdict, then ack, retry or bury; it knows neither SQLite nor HTTP."""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from tiktok_middleware.core.event import Record
from tiktok_middleware.core.payload import (
    MAX_REQUEST_BYTES,
    MAX_REQUEST_EVENTS,
    Delivered,
    Halted,
    Rejected,
    Retry,
    Verdict,
)
from tiktok_middleware.delivery.culprit import CulpritSearch
from tiktok_middleware.delivery.handover import Batch, Handover
from tiktok_middleware.delivery.histogram import Histogram
from tiktok_middleware.delivery.outbox import Leased, Outbox, Taker
from tiktok_middleware.delivery.pace import Pace
from tiktok_middleware.errors import OutboxError

__all__ = ["IMPORTED_TTL_S", "PAIRED_TTL_S", "UNPAIRED_TTL_S", "Relay", "Sink", "ttl_s"]

log = logging.getLogger(__name__)

PAIRED_TTL_S = 47 * 3600
"""An hour before TikTok forgets the browser's copy and would count a late server copy anew (TikTok, 4)."""

UNPAIRED_TTL_S = 7 * 86400
"""TikTok's default click-through window; what is older is attributed to nothing (TikTok, 1.11)."""

IMPORTED_TTL_S = 28 * 86400
"""Offline and CRM events, which no browser sends too: TikTok's longest click-through window."""

_LEASE_S = 20.0  # also how long the rows of a killed process stay unsent
_LEASE_MARGIN_S = 16.0  # a lease that has less left is renewed before a further request
_MAX_BODIES_BYTES = MAX_REQUEST_BYTES - 1024  # the envelope has the rest
_IDLE_S = 5.0  # how soon a row is found whose process died between commit and lease


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
    """

    def __init__(
        self,
        outboxes: Callable[[], Sequence[Outbox]],
        open_sink: Callable[[], Sink],
        clock: Callable[[], float],
        limit: int = MAX_REQUEST_EVENTS,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.buried: Counter[str] = Counter()
        self.batch_records = Histogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
        self.send_s = Histogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
        self.pace = Pace(random.random)
        self._outboxes = outboxes
        self._open_sink = open_sink
        self._clock = clock
        self._limit = limit
        self._owner = secrets.token_hex(8)
        self._sink: Sink | None = None
        self._handover = Handover()
        self._bell = threading.Event()
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # one round at a time: the thread's, or that of a `drain` at exit
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._failing: set[int] = set()
        self._resumes = 0

    def wake(self) -> None:
        """Look into the outboxes now."""
        if self._thread is None:
            self._start()
        self._bell.set()

    def taker(self) -> Taker | None:
        """Who takes rows while they are stored: us, as long as all goes well and not too much is in hand already."""
        if self._thread is None or self._is_stopping or self._handover.is_full or self.pace.is_troubled:
            return None
        return Taker(self._owner, self._clock() + _LEASE_S)

    def hand(self, outbox: Outbox, taker: Taker) -> None:
        """Send the rows that ``taker`` holds."""
        self._handover.put(outbox, taker)

    def stop(self, timeout_s: float) -> bool:
        """Whether the thread ended within ``timeout_s`` seconds; what it had on lease goes back."""
        self._is_stopping = True
        self._bell.set()
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
        """Send what is due on the caller's thread, where ours is not there; until monotonic second ``deadline``."""
        if self._thread is None or not self._thread.is_alive():
            while time.monotonic() < deadline and self.round():
                pass

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._is_stopping:
                thread = threading.Thread(target=self._run, name="tiktok-relay", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter shuts down: `close` drains, or the rows stay on disk
                    return
                self._thread = thread

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                while self.round() and not self._is_stopping:
                    pass
                self._bell.wait(self._idle_s())
            except Exception:
                log.exception("The relay failed, trying again")
                self._bell.wait(_IDLE_S)
            self._bell.clear()
        while self._send_handed():  # gives back what nobody will send any more
            pass

    def _idle_s(self) -> float:
        now = self._clock()
        blocked = self.pace.blocked(now)
        dues: list[float] = []
        for outbox in self._outboxes():
            with self._forbearing(outbox):
                dues += [due for due in (outbox.next_due(blocked),) if due is not None]
        if (opens_at := self.pace.opens_at()) is not None:
            dues.append(opens_at)
        return min(max(min(dues, default=now + _IDLE_S) - now, 0.0), _IDLE_S)

    def round(self) -> bool:
        """Whether there was a batch to send."""
        with self._turn:
            self._resume_if_asked()
            was_busy = self._send_handed()
            for outbox in self._outboxes():
                with self._forbearing(outbox):
                    was_busy |= self._send_due(outbox)
                    self._failing.discard(id(outbox))
        return was_busy

    def _resume_if_asked(self) -> None:
        if self.pace.halted and self._asked() != self._resumes:
            log.info("Asked to try again: %s", ", ".join(sorted(self.pace.halted)))
            self.pace.resume()

    def _asked(self) -> int:
        """How often operators have asked so far to try again."""
        asked = 0
        for outbox in self._outboxes():
            with self._forbearing(outbox):
                asked += outbox.resumes()
        return asked

    def _send_due(self, outbox: Outbox) -> bool:
        now = self._clock()
        rows = outbox.lease(
            self._owner,
            self._limit,
            limit_bytes=_MAX_BODIES_BYTES,
            for_s=_LEASE_S,
            now=now,
            pixels_blocked=self.pace.blocked(now),
        )
        if rows:
            self._send(Batch(outbox, now + _LEASE_S, rows))
        outbox.tidy(now)
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
        batches = self._handover.get(self._limit, _MAX_BODIES_BYTES)
        for batch in batches:
            with self._forbearing(batch.outbox):
                self._send(batch)
        return bool(batches)

    def _send(self, batch: Batch) -> None:
        """Send what is on lease; a batch that is refused as a whole goes again in parts until the culprit is alone."""
        outbox, pixel = batch.outbox, batch.rows[0].record.pixel
        rows = self._bury_expired(outbox, batch.rows, self._clock())
        limit = self.pace.limit(pixel, self._limit)
        self._release(outbox, rows[limit:])
        search = CulpritSearch(rows[:limit])
        while part := search.next_part():
            now = self._clock()
            if self._is_stopping or pixel in self.pace.blocked(now) or not self._holds(batch, part, now):
                self._release(outbox, part)
                continue
            verdicts = self._ask(part)
            if search.is_settled(part, verdicts):
                self._settle(outbox, part, verdicts)

    def _holds(self, batch: Batch, part: list[Leased], now: float) -> bool:
        """Whether ``part`` of a batch is ours for as long as a request may take."""
        if now + _LEASE_MARGIN_S <= batch.until:
            return True
        return batch.outbox.renew(self._owner, [row.id for row in part], now + _LEASE_S) == len(part)

    def _ask(self, rows: list[Leased]) -> Sequence[Verdict]:
        """The sink's verdicts; whatever goes wrong inside it is a reason to try again."""
        self.batch_records.observe(len(rows))
        began = time.perf_counter()
        try:
            if self._sink is None:
                self._sink = self._open_sink()
            verdicts = self._sink.send([row.record for row in rows])
            if len(verdicts) == len(rows):
                return verdicts
            reason = f"the sink gave {len(verdicts)} verdicts on {len(rows)} records"
        except Exception as error:  # noqa: BLE001 - the message may quote the request, so only the name is kept
            reason = f"the sink raised {type(error).__name__}"
        finally:
            self.send_s.observe(time.perf_counter() - began)
        return [Retry(None, reason)] * len(rows)

    def _settle(self, outbox: Outbox, rows: list[Leased], verdicts: Sequence[Verdict]) -> None:
        """Write down what became of each row."""
        now = self._clock()
        pixel = rows[0].record.pixel
        told = list(zip(rows, verdicts, strict=True))
        if delivered := [row.id for row, verdict in told if isinstance(verdict, Delivered)]:
            self.counts["delivered"] += outbox.ack(self._owner, delivered)
        rejected = [(row, verdict.reason) for row, verdict in told if isinstance(verdict, Rejected)]
        for row, reason in rejected:
            self._bury(outbox, [row], "rejected", reason, now)
        if delivered or rejected:
            self.pace.succeeded(pixel)
        if late := [(row, verdict) for row, verdict in told if isinstance(verdict, Retry)]:
            waits = [verdict.after_s for _, verdict in late if verdict.after_s is not None]
            self.pace.failed(pixel, now, max(waits, default=None), late[0][1].reason)
            self._retry(outbox, [row for row, _ in late], now, late[0][1].reason)
        if halted := [(row, verdict) for row, verdict in told if isinstance(verdict, Halted)]:
            if not self.pace.halted:
                self._resumes = self._asked()
            self.pace.halt(pixel, halted[0][1].reason)
            self._release(outbox, [row for row, _ in halted], halted[0][1].reason)

    def _retry(self, outbox: Outbox, rows: list[Leased], now: float, reason: str) -> None:
        """Put rows back in halves that are due apart, so that a row which alone makes them fail is soon alone."""
        tries = max(row.tries for row in rows)
        middle = len(rows) // 2 if tries else 0
        for half in (rows[:middle], rows[middle:]):
            if half:
                at = self.pace.due(half[0].record.pixel, now, tries)
                self.counts["retried"] += outbox.retry(self._owner, [row.id for row in half], at, reason)

    def _release(self, outbox: Outbox, rows: list[Leased], reason: str = "") -> None:
        if rows:
            outbox.release(self._owner, [row.id for row in rows], self._clock(), reason)

    def _bury_expired(self, outbox: Outbox, rows: list[Leased], now: float) -> list[Leased]:
        """The rows that may still be sent; the others are dead letters now."""
        expired = [row for row in rows if now - row.record.event_time > ttl_s(row.record.paired, row.record.source)]
        if not expired:
            return rows
        self._bury(outbox, expired, "expired", "expired", now)
        return [row for row in rows if now - row.record.event_time <= ttl_s(row.record.paired, row.record.source)]

    def _bury(self, outbox: Outbox, rows: list[Leased], kind: str, reason: str, now: float) -> None:
        self.buried[kind] += outbox.bury(self._owner, [row.id for row in rows], reason, now)
        first = rows[0].record
        log.warning("%d event(s) become dead letters, first %s %s: %s", len(rows), first.event, first.event_id, reason)


def ttl_s(is_paired: bool, source: str = "web") -> int:
    """Seconds after which an event is not sent any more, by whether its browser copy was handed out."""
    if source != "web":
        return IMPORTED_TTL_S
    return PAIRED_TTL_S if is_paired else UNPAIRED_TTL_S
