"""Pass stored rows from the writer to the relay without reading them from the disk again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from tiktok_middleware.delivery.outbox.base import LeasedRecord, LeaseHolder, Outbox

__all__ = ["Batch", "Handoff"]

_MAX_ROWS = 20_000  # what comes above waits on disk alone


class Batch(NamedTuple):
    """Rows of one pixel and one source that are leased together.

    Attributes:
        outbox: whose rows they are.
        until: when the lease must be renewed, in seconds of the monotonic clock.
        rows: as many as fit into one request.
    """

    outbox: Outbox
    until: float
    rows: list[LeasedRecord]


class Handoff:
    """A queue with one thread at each end."""

    def __init__(self) -> None:
        self._holders: deque[tuple[Outbox, LeaseHolder]] = deque()
        self._put = 0  # counted by the writer alone
        self._got = 0  # counted by the relay alone

    @property
    def waiting(self) -> int:
        """Rows that are on their way."""
        return self._put - self._got

    @property
    def is_full(self) -> bool:
        """Whether enough is on its way."""
        return self.waiting >= _MAX_ROWS

    def put(self, outbox: Outbox, holder: LeaseHolder) -> None:
        """Hand over the rows that ``holder`` leased."""
        self._put += len(holder.rows)
        self._holders.append((outbox, holder))

    def get(self, limit: int, limit_bytes: int) -> list[Batch]:
        """What was handed over first, about ``limit`` rows of it, sorted into batches within both limits."""
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
