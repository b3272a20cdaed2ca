"""Pass stored rows from the writer to the relay without reading them from the disk again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from tiktok_middleware.delivery.outbox.base import LeasedRecord, LeaseHolder, Outbox

__all__ = ["Batch", "Handoff"]

_MAX_ROWS = 20_000  # further rows wait on disk only


class Batch(NamedTuple):
    """Rows of one pixel and one source that are leased together.

    Attributes:
        outbox: outbox of the rows.
        until: when the lease ends, in seconds of the monotonic clock.
        rows: at most as many as fit into one request.
    """

    outbox: Outbox
    until: float
    rows: list[LeasedRecord]


class Handoff:
    """Queue between two threads: the writer puts, the relay gets."""

    def __init__(self) -> None:
        self._holders: deque[tuple[Outbox, LeaseHolder]] = deque()
        self._put = 0  # only the writer changes it
        self._got = 0  # only the relay changes it

    @property
    def waiting(self) -> int:
        """Return the number of rows in the queue."""
        return self._put - self._got

    @property
    def is_full(self) -> bool:
        """Return whether the queue holds `_MAX_ROWS` rows or more."""
        return self.waiting >= _MAX_ROWS

    def put(self, outbox: Outbox, holder: LeaseHolder) -> None:
        """Add the rows that ``holder`` leased."""
        self._put += len(holder.rows)
        self._holders.append((outbox, holder))

    def get(self, limit: int, limit_bytes: int) -> list[Batch]:
        """Return the oldest rows, about ``limit`` of them, as batches within both limits."""
        batches: dict[tuple[int, str, str], Batch] = {}
        got = 0
        while self._holders and got < limit:
            outbox, holder = self._holders.popleft()
            got += len(holder.rows)
            for row in holder.rows:
                key = id(outbox), row.record.pixel, row.record.source
                batches.setdefault(key, Batch(outbox, holder.until, [])).rows.append(row)
        self._got += got
        return [part for batch in batches.values() for part in _parts(batch, limit, limit_bytes)]


def _parts(batch: Batch, limit: int, limit_bytes: int) -> Iterator[Batch]:
    rows: list[LeasedRecord] = []
    size = 0
    for row in batch.rows:
        size += len(row.record.body) + 1
        if rows and (len(rows) >= limit or size > limit_bytes):
            yield batch._replace(rows=rows)
            rows, size = [], len(row.record.body) + 1
        rows.append(row)
    yield batch._replace(rows=rows)
