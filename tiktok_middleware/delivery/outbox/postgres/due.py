"""When the next rows are due, and of which queue; see `queues` for how they are found."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from tiktok_middleware.delivery.outbox.postgres.queues import DueQueue, Floors, Queue, Queues
from tiktok_middleware.delivery.outbox.postgres.running import SELECT_RUNNING, Running, lock_class
from tiktok_middleware.delivery.outbox.postgres.store import Store

__all__ = ["DueRows"]

_TURN_S = 0.02  # wait after another relay was leasing the same pixel
_RUNNING_S = 0.1
_DOUBT_S = 5.0
_AHEAD_S = 5.0
_NO_LIMIT_S = 1e12
_FRONT_S = 30.0  # limit of a search that begins at the front of an index
_QUICK_S = 0.05
_LATER_SHARE = 20.0  # a search that takes long may take one part of so many of the time


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
        self._later_at = 0.0
        self._last_now = 0.0
        self._running: Running | None = None
        self._running_at = 0.0

    def floors(self, queue: Queue) -> Floors:
        """Return the floors of a queue."""
        return self._queues.floors(queue)

    def first(self, blocked: Collection[str], ahead_s: float = 0.0) -> DueQueue | None:
        """Return the queue whose first row is due soonest; None if no row is due within ``ahead_s`` seconds.

        Args:
            blocked: pixels whose rows are ignored.
            ahead_s: how far to look ahead.
        """
        self._connection.ensure_open()
        self._check()
        queues = self._queues.named(blocked)
        if (query := self._queues.all_query) is not None:
            found = self._connection.read(self._connection.sql(query[0]), query[1])
            queues = [Queue(*row) for row in found if row[0] not in blocked]
        if not queues:
            return None
        running = self._read_running()
        sql, values = self._queues.first(queues, self._store.clock.now() + ahead_s)
        limit_s = None if self._queues.has_floors(queues) else _FRONT_S
        rows = self._connection.read(self._connection.sql(sql), values, limit_s=limit_s)
        now = self._store.clock.now()
        if now < self._last_now:
            self._queues.reset()
        self._last_now = now
        return next(iter(self._queues.read(rows, now, running)), None)

    def _check(self) -> None:
        """Look for rows below the floors, if it is time to."""
        if not self._queues.is_check_due(self._store.monotonic()):
            return
        sql, values = self._queues.below()
        began = time.monotonic()
        found: list[tuple[Any, ...]] = []
        try:
            found = self._connection.read(self._connection.sql(sql), values, limit_s=_FRONT_S)
        finally:
            self._queues.note_check(self._store.monotonic(), time.monotonic() - began, found)

    def in_s(self, blocked: Collection[str]) -> float | None:
        """Return the seconds until the next row may be leased; None without rows."""
        due = self.first(blocked, _AHEAD_S) or self._later(blocked)
        if due is None:
            return None if time.monotonic() >= self._later_at else _AHEAD_S
        wait_s = due.due - self._store.clock.now()
        return max(wait_s, _DOUBT_S if self._store.clock.is_in_doubt else self._turn_at - time.monotonic())

    def _later(self, blocked: Collection[str]) -> DueQueue | None:
        """Look ahead without limit. If that takes long, it is not done again soon: sleepers wake within seconds."""
        began = time.monotonic()
        if began < self._later_at:
            return None
        due = self.first(blocked, _NO_LIMIT_S)
        took_s = time.monotonic() - began
        if took_s > _QUICK_S:
            self._later_at = time.monotonic() + took_s * _LATER_SHARE
        return due

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
