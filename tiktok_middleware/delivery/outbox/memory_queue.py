"""Queue in memory for the rows of one pixel and one source."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.base import LeasedRecord

__all__ = ["MemoryQueue", "row_id"]


def row_id(row: LeasedRecord) -> int:
    """Return the number of a row, as a sort key."""
    return row.id


class MemoryQueue:
    """Waiting rows of one pixel and one source. Page views have their own queue, since they are evicted first.

    Rows with a later due time are kept in groups that were put back together, newest row first. A heap entry for each
    row would take more memory than the row itself.
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
        """Remove and return the next row that is due; None if there is none."""
        if self.later and self.later[0][0] > now and not (self.events or self.views):
            return None
        _, row = self.pop_any(now)
        return row

    def pop_any(self, now: float) -> tuple[float, LeasedRecord | None]:
        """Remove and return a row with its due time, 0 for now: one that is due if there is any."""
        if self.later and (self.later[0][0] <= now or not (self.events or self.views)):
            at, _, part = self.later[0]
            row = part.pop()
            if not part:
                heapq.heappop(self.later)
            return at, row
        queue = self.events or self.views
        return 0.0, queue.popleft() if queue else None

    def put_back(self, rows: list[LeasedRecord], at: float) -> None:
        self._parts += 1
        heapq.heappush(self.later, (at, self._parts, sorted(rows, key=row_id, reverse=True)))

    def waiting_later(self) -> Iterator[LeasedRecord]:
        return (row for _, _, part in self.later for row in part)

    def heads(self) -> Iterator[tuple[float, LeasedRecord]]:
        """Yield the oldest row of each queue and group, with its due time."""
        yield from ((0.0, queue[0]) for queue in (self.events, self.views) if queue)
        yield from ((at, part[-1]) for at, _, part in self.later)

    def remove(self, event_id: str) -> list[Record]:
        """Remove the rows of an event and return their records."""
        removed: list[Record] = []
        for rows in (self.events, self.views, *(part for _, _, part in self.later)):
            for row in [row for row in rows if row.record.event_id == event_id]:
                rows.remove(row)
                removed.append(row.record)
        self.later = [entry for entry in self.later if entry[2]]
        heapq.heapify(self.later)
        return removed
