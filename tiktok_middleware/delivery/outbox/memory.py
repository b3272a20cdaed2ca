"""An outbox in memory, bounded and gone with the process; it knows no files."""

from __future__ import annotations

import functools
import heapq
import threading
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import inf

import msgspec

from tiktok_middleware.core.events.event import PAGE_VIEW, Claim, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S, LeasedRecord, LeaseHolder, Limits, Room
from tiktok_middleware.delivery.outbox.deferred import MemoryDeferred, won

__all__ = ["MEMORY_LIMITS", "Dead", "MemoryOutbox"]

MEMORY_LIMITS = Limits(rows=100_000, bytes=64 * 1024 * 1024, dead=1_000, claims=300_000)

_OTHER = {"browser": "server", "server": "browser"}


class Dead(msgspec.Struct, frozen=True, gc=False):
    """A record that was given up, and why."""

    record: Record
    reason: str


def _id(row: LeasedRecord) -> int:
    return row.id


class _Lane:
    """What waits for one pixel and one source: page views apart, so that they can go first when room is short.

    What is due later waits in parts that came back together, newest row first: a place in the heap for each row would
    take more memory than the row itself.
    """

    __slots__ = ("_parts", "events", "later", "views")

    def __init__(self) -> None:
        self.events: deque[LeasedRecord] = deque()
        self.views: deque[LeasedRecord] = deque()
        self.later: list[tuple[float, int, list[LeasedRecord]]] = []
        self._parts = 0

    def due(self) -> float | None:
        if self.events or self.views:
            return 0.0
        return self.later[0][0] if self.later else None

    def pop(self, now: float) -> LeasedRecord | None:
        if self.later and self.later[0][0] <= now:
            part = self.later[0][2]
            row = part.pop()
            if not part:
                heapq.heappop(self.later)
            return row
        queue = self.events or self.views
        return queue.popleft() if queue else None

    def put_back(self, rows: list[LeasedRecord], at: float) -> None:
        self._parts += 1
        heapq.heappush(self.later, (at, self._parts, sorted(rows, key=_id, reverse=True)))

    def waiting_later(self) -> Iterator[LeasedRecord]:
        return (row for _, _, part in self.later for row in part)

    def oldest(self) -> LeasedRecord | None:
        heads = [queue[0] for queue in (self.events, self.views) if queue]
        heads += [part[-1] for _, _, part in self.later]
        return min(heads, key=_id, default=None)


class _Held(msgspec.Struct, gc=False):
    """A row on lease."""

    owner: str
    until: float
    row: LeasedRecord


class MemoryOutbox:
    """Keeps the `Outbox` promise as long as the process lives.

    Args:
        limits: how much it keeps.
    """

    def __init__(self, limits: Limits = MEMORY_LIMITS) -> None:
        self.dropped: Counter[str] = Counter()
        self.duplicates = 0
        self.dead: deque[Dead] = deque()
        self._limits = limits
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._held: dict[int, _Held] = {}
        self._once: dict[tuple[str, str], float] = {}
        self._deferreds = MemoryDeferred()
        self._last_id = 0
        self._rows = 0
        self._bytes = 0

    def put(
        self,
        submissions: Sequence[OutboxEntry],
        now: float,
        taker: LeaseHolder | None = None,  # noqa: ARG002 - leasing is cheap
    ) -> list[Claim]:
        with self._lock:
            room = Room(self._limits.rows - self._rows, self._limits.bytes - self._bytes)
            self._make_room(room, submissions)
            wins = functools.partial(self._claim, now)
            claims = [room.decide(submission, wins) for submission in submissions]
            for record in room.stored:
                self._store(record)
            self._deferreds.keep(won(submissions, claims), now)
            self.dropped += room.dropped
            self.duplicates += room.duplicates
            return claims

    def take(self, ref: str, now: float) -> bytes | None:
        with self._lock:
            return self._deferreds.take(ref, now)

    def _claim(self, now: float, event_id: str, channel: str, _passing: bool) -> bool:
        key = (event_id, channel)
        if key in self._once:
            return False
        other = self._once.get((event_id, _OTHER[channel]))
        if other is not None and other < now - PAIRED_TTL_S:
            return False
        self._once[key] = now
        if len(self._once) > self._limits.claims:
            del self._once[next(iter(self._once))]
        return True

    def _store(self, record: Record) -> None:
        lane = self._lanes.setdefault((record.pixel, record.source), _Lane())
        self._last_id += 1
        self._rows += 1
        self._bytes += len(record.body)
        (lane.views if record.event == PAGE_VIEW else lane.events).append(LeasedRecord(self._last_id, 0, record))

    def _make_room(self, room: Room, submissions: Sequence[OutboxEntry]) -> None:
        rows, size = room.missing(submissions)
        for lane in self._lanes.values():
            while lane.views and (rows > 0 or size > 0):
                record = lane.views.popleft().record
                self._forget(record)
                room.freed(1, len(record.body))
                rows, size = rows - 1, size - len(record.body)

    def _forget(self, record: Record) -> None:
        self._rows -= 1
        self._bytes -= len(record.body)

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        now: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[LeasedRecord]:
        with self._lock:
            self._take_back(now)
            due = [(at, key) for key, at in self._dues(pixels_blocked) if at <= now]
            if not due:
                return []
            lane = self._lanes[min(due)[1]]
            batch: list[LeasedRecord] = []
            size = 0
            while len(batch) < limit and (row := lane.pop(now)):
                size += len(row.record.body)
                if batch and size > limit_bytes:
                    lane.put_back([row], now)
                    break
                row = self._paired(row)
                batch.append(row)
                self._held[row.id] = _Held(owner, now + for_s, row)
            return batch

    def _paired(self, row: LeasedRecord) -> LeasedRecord:
        """The row, paired where a later submission has handed out a browser's copy."""
        if row.record.paired or (row.record.event_id, "browser") not in self._once:
            return row
        return msgspec.structs.replace(row, record=msgspec.structs.replace(row.record, paired=True))

    def _dues(self, pixels_blocked: Collection[str]) -> Iterator[tuple[tuple[str, str], float]]:
        for key, lane in self._lanes.items():
            if key[0] not in pixels_blocked and (due := lane.due()) is not None:
                yield key, due

    def _take_back(self, now: float) -> None:
        self._put_back([held.row for held in self._held.values() if held.until <= now], now)

    def _put_back(self, rows: list[LeasedRecord], at: float, tries: int = 0) -> None:
        """Let rows that were on lease wait until ``at``, so many tries older."""
        by_lane: dict[tuple[str, str], list[LeasedRecord]] = {}
        for row in rows:
            del self._held[row.id]
            older = LeasedRecord(row.id, row.tries + tries, row.record) if tries else row
            by_lane.setdefault((row.record.pixel, row.record.source), []).append(older)
        for key, part in by_lane.items():
            self._lanes[key].put_back(part, at)

    def _mine(self, owner: str, ids: Collection[int]) -> list[LeasedRecord]:
        return [held.row for id_ in ids if (held := self._held.get(id_)) and held.owner == owner]

    def ack(self, owner: str, ids: Collection[int]) -> int:
        with self._lock:
            rows = self._mine(owner, ids)
            for row in rows:
                del self._held[row.id]
                self._forget(row.record)
            return len(rows)

    def retry(self, owner: str, ids: Collection[int], at: float, reason: str = "") -> int:  # noqa: ARG002 - as below
        with self._lock:
            rows = self._mine(owner, ids)
            self._put_back(rows, at, tries=1)
            return len(rows)

    def renew(self, owner: str, ids: Collection[int], until: float) -> int:
        with self._lock:
            rows = self._mine(owner, ids)
            for row in rows:
                self._held[row.id].until = until
            return len(rows)

    def release(self, owner: str, ids: Collection[int], at: float, reason: str = "") -> int:  # noqa: ARG002 - nobody lists
        with self._lock:
            rows = self._mine(owner, ids)
            self._put_back(rows, at)
            return len(rows)

    def bury(self, owner: str, ids: Collection[int], reason: str, now: float) -> int:  # noqa: ARG002 - not kept
        with self._lock:
            rows = self._mine(owner, ids)
            for row in rows:
                del self._held[row.id]
                self._forget(row.record)
                self.dead.append(Dead(row.record, reason))
                if len(self.dead) > self._limits.dead:
                    self.dead.popleft()
                    self.dropped["overflow_dead"] += 1
            return len(rows)

    def next_due(self, pixels_blocked: Collection[str] = ()) -> float | None:
        with self._lock:
            dues = [due for _, due in self._dues(pixels_blocked)]
            dues += [held.until for held in self._held.values() if held.row.record.pixel not in pixels_blocked]
            return min(dues, default=None)

    def last_id(self) -> int:
        return self._last_id

    def holds(self, up_to: int, pixels_blocked: Collection[str] = ()) -> bool:
        with self._lock:
            return any(row.id <= up_to for row in self._oldest() if row.record.pixel not in pixels_blocked)

    def _oldest(self) -> list[LeasedRecord]:
        """The oldest row of each lane, and all that are on lease."""
        rows = [row for lane in self._lanes.values() if (row := lane.oldest())]
        return rows + [held.row for held in self._held.values()]

    def counts(self) -> dict[str, int]:
        with self._lock:
            return {"waiting": self._rows, "bytes": self._bytes, "dead": len(self.dead)}

    def oldest(self) -> int | None:
        with self._lock:
            row = min(self._oldest(), key=_id, default=None)
            return row.record.event_time if row else None

    def left(self) -> list[Record]:
        """What is not on lease, oldest first."""
        with self._lock:
            lanes = self._lanes.values()
            rows = [row for lane in lanes for row in (*lane.events, *lane.views, *lane.waiting_later())]
            return [row.record for row in sorted(rows, key=_id)]

    def unload(self, most: int) -> tuple[list[Record], dict[tuple[str, str], float]]:
        """Records, and once none is here any more claims with their times, that are somebody else's from now on.

        Args:
            most: how many of each.
        """
        with self._lock:
            records: list[Record] = []
            for lane in self._lanes.values():
                while len(records) < most and (row := lane.pop(inf)):
                    records.append(self._paired(row).record)
                    self._forget(row.record)
            claims: dict[tuple[str, str], float] = {}
            while not self._rows and self._once and len(claims) < most:
                key = next(iter(self._once))
                claims[key] = self._once.pop(key)
            return records, claims

    def recall(self) -> None:
        """Let what is on lease wait again: who holds it ends with the process, and may never say what became of it."""
        with self._lock:
            self._put_back([held.row for held in self._held.values()], 0.0)

    def load(self, records: Sequence[Record], claims: Mapping[tuple[str, str], float]) -> None:
        """Take back what was unloaded."""
        with self._lock:
            for record in records:
                self._store(record)
            self._once.update(claims)

    def resumes(self) -> int:
        """Never: no command reaches the memory of a process."""
        return 0

    def tidy(self, now: float) -> None:
        """Nothing to do: memory keeps itself tidy."""

    def close(self) -> None:
        """Nothing to let go of."""
