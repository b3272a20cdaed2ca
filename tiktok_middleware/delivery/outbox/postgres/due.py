"""When the next rows are due, and of which queue; see `queues` for how they are found."""

from __future__ import annotations

import time
from collections.abc import Collection

from tiktok_middleware.delivery.outbox.postgres.queues import DueQueue, Floors, Queue, Queues
from tiktok_middleware.delivery.outbox.postgres.running import SELECT_RUNNING, Running, lock_class
from tiktok_middleware.delivery.outbox.postgres.store import Store

__all__ = ["DueRows"]

_TURN_S = 0.02  # wait after another relay was leasing the same pixel
_RUNNING_S = 0.1
_DOUBT_S = 5.0


class DueRows:
    """Finds the due rows of one outbox.

    Args:
        store: what the outbox's parts share.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection = store.relay
        self._queues = Queues(store.environment, store.sends)
        self._turn_at = 0.0
        self._last_now = 0.0
        self._running: Running | None = None
        self._running_at = 0.0

    def floors(self, queue: Queue) -> Floors:
        """Return the floors of a queue."""
        return self._queues.floors(queue)

    def first(self, blocked: Collection[str]) -> DueQueue | None:
        """Return the queue whose first row is due soonest; None without rows.

        Args:
            blocked: pixels whose rows are ignored.
        """
        monotonic = self._store.monotonic()
        is_whole = self._queues.is_whole_due(monotonic)
        queues = self._queues.named(blocked)
        if (query := self._queues.all_query) is not None:
            found = self._connection.read(self._connection.sql(query[0]), query[1])
            queues = [Queue(*row) for row in found if row[0] not in blocked]
        if not queues:
            return None
        running = self._read_running()
        sql, values = self._queues.first(queues)
        rows = self._connection.read(self._connection.sql(sql), values)
        now = self._store.clock.now()
        if now < self._last_now:
            self._queues.reset()
        self._last_now = now
        if is_whole:
            self._queues.note_whole(monotonic, self._store.monotonic() - monotonic)
        return next(iter(self._queues.read(rows, now, running)), None)

    def in_s(self, blocked: Collection[str]) -> float | None:
        """Return the seconds until the next row may be leased; None without rows."""
        due = self.first(blocked)
        if due is None:
            return None
        wait_s = due.due - self._store.clock.now()
        return max(wait_s, _DOUBT_S if self._store.clock.is_in_doubt else self._turn_at - time.monotonic())

    def wait_for_turn(self) -> None:
        """Note that another relay is leasing the rows that are due."""
        self._turn_at = time.monotonic() + _TURN_S

    def _read_running(self) -> Running:
        """Return what is known of our running transactions, at most a tenth of a second old."""
        if self._running is None or time.monotonic() >= self._running_at:
            self._running_at = time.monotonic() + _RUNNING_S
            [row] = self._connection.read(self._connection.sql(SELECT_RUNNING), (lock_class(self._store.schema),))
            self._running = Running(*row)
        return self._running
