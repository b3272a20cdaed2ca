"""Outbox in memory: bounded, and lost when the process ends."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import inf

import msgspec

from tiktok_middleware.core.events.event import PAGE_VIEW, Claim, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.admission import Admission, Space
from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S, RUNNING, LeasedRecord, LeaseHolder, Limits, Switches
from tiktok_middleware.delivery.outbox.deferred import MemoryDeferred, handed_out
from tiktok_middleware.delivery.outbox.memory_claims import ClaimKey, MemoryClaims
from tiktok_middleware.delivery.outbox.memory_queue import MemoryQueue, row_id
from tiktok_middleware.delivery.outbox.store_clock import StoreClock

__all__ = ["MEMORY_LIMITS", "Dead", "MemoryOutbox"]

MEMORY_LIMITS = Limits(rows=100_000, bytes=64 * 1024 * 1024, dead=1_000, claims=300_000, deferred=500)

_KEPT_PUTS = 1000
_DOUBT_S = 5.0


class Dead(msgspec.Struct, frozen=True, gc=False):
    """Dead letter: a record and the reason."""

    record: Record
    reason: str


class _Held(msgspec.Struct, gc=False):
    """Leased row."""

    owner: str
    until: float
    row: LeasedRecord


class MemoryOutbox:
    """Implements the `Outbox` contract in the process's memory.

    Args:
        limits: size limits.
        pixels: pixels of this process's pages; if empty, all pixels count as one.
        sends: pixels whose records this process sends; empty for all.
        clock: returns Unix seconds.
        monotonic: returns seconds of a clock that is never set back.
    """

    def __init__(
        self,
        limits: Limits = MEMORY_LIMITS,
        *,
        pixels: Sequence[str] = (),
        sends: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self.duplicates: int = 0
        self.dead: deque[Dead] = deque()
        self._limits = limits
        self._pixels = tuple(pixels)
        self._sends = tuple(sends)
        self._clock = StoreClock(clock, monotonic)
        self._lock = threading.Lock()
        self._queues: dict[tuple[str, str], MemoryQueue] = {}
        self._held: dict[int, _Held] = {}
        self._claims = MemoryClaims(limits.claims, self._pixels)
        self._puts: OrderedDict[bytes, list[Claim]] = OrderedDict()
        self._deferreds = MemoryDeferred(limits.deferred)
        self._last_id = 0
        self._usage: dict[str, list[int]] = {}  # rows and bytes of each pixel

    def put(
        self,
        entries: Sequence[OutboxEntry],
        *,
        put_id: bytes = b"",
        holder: LeaseHolder | None = None,  # noqa: ARG002 - leasing is cheap
    ) -> list[Claim]:
        with self._lock:
            if put_id in self._puts:
                return self._puts[put_id]
            now = self._clock.now()
            admission = self._admission(entries)
            self._claims.now, self._claims.too_old = now, self._clock.cutoff(PAIRED_TTL_S)
            claims = [admission.decide(entry, self._claims) for entry in entries]
            for record in admission.stored:
                self._store(record)
            for delay_s, record in admission.delayed:
                self._store(record, now + delay_s)
            self._deferreds.keep(handed_out(entries, claims), now)
            self.dropped.update(admission.dropped)
            self.duplicates += admission.duplicates
            if put_id:
                self._puts[put_id] = claims
                if len(self._puts) > _KEPT_PUTS:
                    self._puts.popitem(last=False)
            return claims

    def stored(self, put_id: bytes) -> list[Claim] | None:
        with self._lock:
            return self._puts.get(put_id)

    def take(self, ref: str) -> bytes | None:
        with self._lock:
            return self._deferreds.take(ref, self._clock.now())

    def _admission(self, entries: Sequence[OutboxEntry]) -> Admission:
        pixels = {record.pixel for entry in entries for record in entry.records}
        space: dict[str, Space] = {}
        for pixel in pixels:
            rows, size = self._usage.get(pixel, (0, 0))
            space[pixel] = Space(self._limits, rows, size)
        admission = Admission(space, self._pixels)
        for pixel in pixels:
            self._make_room(admission, pixel, entries)
        return admission

    def _store(self, record: Record, due: float | None = None) -> None:
        queue = self._queues.setdefault((record.pixel, record.source), MemoryQueue())
        self._last_id += 1
        row = LeasedRecord(self._last_id, 0, record)
        self._note(record, 1)
        if due is not None:
            queue.put_back([row], due)
        else:
            (queue.views if record.event == PAGE_VIEW else queue.events).append(row)

    def _note(self, record: Record, rows: int) -> None:
        """Count an added (1) or removed (-1) record."""
        usage = self._usage.setdefault(record.pixel, [0, 0])
        usage[0] += rows
        usage[1] += rows * len(record.body)

    def _make_room(self, admission: Admission, pixel: str, entries: Sequence[OutboxEntry]) -> None:
        rows, size = admission.missing(pixel, entries)
        for queue in [queue for key, queue in self._queues.items() if key[0] == pixel]:
            while queue.views and (rows > 0 or size > 0):
                record = queue.views.popleft().record
                self._note(record, -1)
                admission.freed(pixel, 1, len(record.body))
                rows, size = rows - 1, size - len(record.body)

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[LeasedRecord]:
        with self._lock:
            now = self._clock.now()
            if self._clock.is_in_doubt:
                return []
            self._take_back(now)
            due = [(at, key) for key, at in self._dues(pixels_blocked) if at <= now]
            if not due:
                return []
            queue = self._queues[min(due)[1]]
            batch: list[LeasedRecord] = []
            size = 0
            while len(batch) < limit and (row := queue.pop(now)):
                size += len(row.record.body)
                if batch and size > limit_bytes:
                    queue.put_back([row], now)
                    break
                row = self._ready(row, now)
                batch.append(row)
                self._held[row.id] = _Held(owner, now + for_s, row)
            return batch

    def _ready(self, row: LeasedRecord, now: float) -> LeasedRecord:
        """Return the row with its age, and marked as paired if a later entry has handed out a browser copy."""
        record = row.record
        if not record.paired and self._claims.has(record, "browser"):
            record = msgspec.structs.replace(record, paired=True)
        return LeasedRecord(row.id, row.tries, record, now - record.event_time)

    def _dues(self, pixels_blocked: Collection[str]) -> Iterator[tuple[tuple[str, str], float]]:
        for key, queue in self._queues.items():
            if self._is_ours(key[0]) and key[0] not in pixels_blocked and (due := queue.due()) is not None:
                yield key, due

    def _is_ours(self, pixel: str) -> bool:
        return not self._sends or pixel in self._sends

    def _take_back(self, now: float) -> None:
        self._put_back([held.row for held in self._held.values() if held.until <= now], now)

    def _put_back(self, rows: list[LeasedRecord], at: float, tries: int = 0) -> None:
        """End the lease on rows, let them wait until ``at``, and add ``tries`` to their tries."""
        by_queue: dict[tuple[str, str], list[LeasedRecord]] = {}
        for row in rows:
            del self._held[row.id]
            older = LeasedRecord(row.id, row.tries + tries, row.record)
            by_queue.setdefault((row.record.pixel, row.record.source), []).append(older)
        for key, part in by_queue.items():
            self._queues[key].put_back(part, at)

    def _mine(self, owner: str, ids: Collection[int]) -> list[LeasedRecord]:
        return [held.row for id_ in ids if (held := self._held.get(id_)) and held.owner == owner]

    def ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str = "") -> int:  # noqa: ARG002 - no ledger here
        with self._lock:
            return len(self._remove(owner, rows))

    def _remove(self, owner: str, rows: Sequence[LeasedRecord]) -> list[LeasedRecord]:
        mine = self._mine(owner, [row.id for row in rows])
        for row in mine:
            del self._held[row.id]
            self._note(row.record, -1)
        return mine

    def retry(self, owner: str, ids: Collection[int], after_s: float, reason: str = "") -> int:  # noqa: ARG002 - memory has no listings
        with self._lock:
            rows = self._mine(owner, ids)
            self._put_back(rows, self._clock.now() + after_s, tries=1)
            return len(rows)

    def renew(self, owner: str, ids: Collection[int], for_s: float) -> int:
        with self._lock:
            rows = self._mine(owner, ids)
            for row in rows:
                self._held[row.id].until = self._clock.now() + for_s
            return len(rows)

    def release(self, owner: str, ids: Collection[int], reason: str = "") -> int:  # noqa: ARG002 - memory has no listings
        with self._lock:
            rows = self._mine(owner, ids)
            self._put_back(rows, self._clock.now())
            return len(rows)

    def bury(self, owner: str, rows: Sequence[LeasedRecord], reason: str) -> int:
        with self._lock:
            mine = self._remove(owner, rows)
            for row in mine:
                self.dead.append(Dead(row.record, reason))
                if len(self.dead) > self._limits.dead:
                    self.dead.popleft()
                    self.dropped["overflow_dead"] += 1
            return len(mine)

    def cancel(self, event_id: str) -> bool:
        with self._lock:
            self._take_back(self._clock.now())
            in_flight = any(held.row.record.event_id == event_id for held in self._held.values())
            found = [record for queue in self._queues.values() for record in queue.remove(event_id)]
            for record in found:
                self._note(record, -1)
            dead = [letter for letter in self.dead if letter.record.event_id == event_id]
            for letter in dead:
                self.dead.remove(letter)
            self._claims.now, self._claims.too_old = self._clock.now(), self._clock.cutoff(PAIRED_TTL_S)
            is_new = self._claims.wins(event_id, self._pixels, "server", passing=False)
            return not in_flight and bool(found or dead or is_new)

    def due_in_s(self, pixels_blocked: Collection[str] = ()) -> float | None:
        with self._lock:
            now = self._clock.now()
            dues = [due for _, due in self._dues(pixels_blocked)]
            dues += [held.until for held in self._held.values() if held.row.record.pixel not in pixels_blocked]
            if not dues:
                return None
            return max(min(dues) - now, _DOUBT_S) if self._clock.is_in_doubt else min(dues) - now

    def last_id(self) -> int:
        return self._last_id

    def holds(self, up_to: int, pixels_blocked: Collection[str] = (), within_s: float | None = None) -> bool:
        with self._lock:
            until = inf if within_s is None else self._clock.now() + within_s
            return any(
                row.id <= up_to and (at <= until or row.id in self._held)
                for at, row in self._heads_and_leased()
                if self._is_ours(row.record.pixel) and row.record.pixel not in pixels_blocked
            )

    def _heads_and_leased(self) -> Iterator[tuple[float, LeasedRecord]]:
        """Yield the oldest row of each queue and of each group with a later due time, and every leased row.

        Each row comes with its due time, a leased row with the end of its lease.
        """
        for queue in self._queues.values():
            yield from queue.heads()
        yield from ((held.until, held.row) for held in self._held.values())

    def counts(self) -> dict[str, int]:
        with self._lock:
            rows = sum(usage[0] for usage in self._usage.values())
            size = sum(usage[1] for usage in self._usage.values())
            return {"waiting": rows, "bytes": size, "dead": len(self.dead)}

    def oldest_s(self) -> float | None:
        with self._lock:
            row = min((row for _, row in self._heads_and_leased()), key=row_id, default=None)
            return self._clock.now() - row.record.event_time if row else None

    def left(self) -> list[Record]:
        """Return the records that are not leased, oldest first."""
        with self._lock:
            queues = self._queues.values()
            rows = [row for queue in queues for row in (*queue.events, *queue.views, *queue.waiting_later())]
            return [row.record for row in sorted(rows, key=row_id)]

    def unload(self, most: int) -> tuple[list[tuple[float, Record]], dict[ClaimKey, float]]:
        """Remove and return records, so that the caller can store them elsewhere, each with the rest of its delay.

        Once no record is left, not even a leased one, also remove and return claims with their times.

        Args:
            most: largest number of each.
        """
        with self._lock:
            now = self._clock.now()
            records: list[tuple[float, Record]] = []
            for queue in self._queues.values():
                while len(records) < most:
                    due, row = queue.pop_any(now)
                    if row is None:
                        break
                    delay_s = 0.0 if row.tries else max(due - now, 0.0)
                    records.append((delay_s, self._ready(row, 0.0).record))
                    self._note(row.record, -1)
            is_empty = not any(usage[0] for usage in self._usage.values())
            return records, self._claims.unload(most) if is_empty else {}

    def recall(self) -> None:
        """End all leases, since their owner ends with the process and may never acknowledge the rows."""
        with self._lock:
            self._put_back([held.row for held in self._held.values()], 0.0)

    def load(self, records: Sequence[tuple[float, Record]], claims: Mapping[ClaimKey, float]) -> None:
        """Store unloaded records and claims again."""
        with self._lock:
            for delay_s, record in records:
                self._store(record, self._clock.now() + delay_s if delay_s else None)
            self._claims.load(claims)

    def resumes(self) -> int:
        """Return 0, since no command can reach the memory of a process."""
        return 0

    def switches(self) -> Switches:
        """Return `RUNNING`, for the same reason."""
        return RUNNING

    def tidy(self) -> None:
        """Do nothing: memory needs no housekeeping."""

    def close(self) -> None:
        """Do nothing: there are no open resources."""
