"""Find due rows. A queue is the rows of one pixel and one source.

While any transaction of the database stays open, PostgreSQL keeps the index entries of all rows that have gone since it
began. A search that began at the front of an index would read them all. So each queue has *floors*, below which no row
is left, and searches begin there.

A transaction that is not committed yet may still add a row below the rows that are seen. So a floor only follows them
once all of our transactions that had begun by then have ended (see `running`). For certainty, rows below the floors are
looked for from time to time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from math import inf
from typing import Any, NamedTuple

import msgspec

from tiktok_middleware.core.events.sources import SOURCES
from tiktok_middleware.delivery.outbox.postgres.running import Running

__all__ = ["DueQueue", "Floors", "Queue", "Queues"]

_STEP_S = 0.1  # time between two candidates for a floor
_MARGIN_S = 0.2  # inaccuracy of the database's time as it is known here
_CLOCKS_S = 0.5  # inaccuracy of the same between hosts
_WHOLE_EVERY_S = 60.0
_WHOLE_SHARE = 200.0  # a search without floors may take one part of so many of the time


class Queue(NamedTuple):
    """Pixel and source of rows that are sent together."""

    pixel: str
    source: str


class Floors(msgspec.Struct, gc=False):
    """Floors of a queue.

    Attributes:
        id: no ready row has this number or a lower one.
        due: no waiting or leased row is due at this time or earlier, in Unix seconds.
        candidates: later values for ``id``, each with the database's time at which it was seen.
        highest: highest number seen.
    """

    id: int = -1
    due: float = -inf
    candidates: deque[tuple[float, int]] = msgspec.field(default_factory=deque)
    highest: int = -1

    def saw(self, first_id: int | None, first_due: float | None, now: float, running: Running) -> None:
        """Note the first ready row and the soonest due time of a search that began after ``running`` was read."""
        if first_id is not None:
            self.highest = max(self.highest, first_id)
        below = self.highest if first_id is None else first_id - 1
        seen_at = running.now() + _MARGIN_S
        candidates = self.candidates
        while candidates and candidates[-1][1] > below:
            candidates.pop()
        while candidates and candidates[0][0] <= running.oldest:
            self.id = max(self.id, candidates.popleft()[1])
        if not candidates or seen_at - candidates[-1][0] >= _STEP_S:
            candidates.append((seen_at, below))
        lag_s = running.now() - running.oldest + _CLOCKS_S
        self.due = max(self.due, min(inf if first_due is None else first_due, now) - lag_s)


class DueQueue(NamedTuple):
    """First rows of a queue.

    Attributes:
        queue: pixel and source.
        first_id: number of the first ready row, or None.
        first_timed: when the first waiting or leased row is due, in Unix seconds, or None.
        due: when the first row is due, in Unix seconds.
    """

    queue: Queue
    first_id: int | None
    first_timed: float | None
    due: float


_ALL = """WITH RECURSIVE queue (pixel, source) AS (
    (SELECT pixel, source FROM {schema}.event WHERE environment = %(environment)s ORDER BY pixel, source LIMIT 1)
    UNION ALL SELECT next.pixel, next.source FROM queue CROSS JOIN LATERAL (
        SELECT pixel, source FROM {schema}.event WHERE environment = %(environment)s
        AND (event.pixel, event.source) > (queue.pixel, queue.source) ORDER BY pixel, source LIMIT 1) AS next)
    SELECT pixel, source FROM queue"""
_FIRST = """SELECT queue.pixel, queue.source, ready.id, ready.due, timed.due
    FROM unnest(%(pixels)s::text[], %(sources)s::text[], %(ids)s::bigint[], %(dues)s::double precision[])
        AS queue (pixel, source, id, due)
    LEFT JOIN LATERAL (SELECT id, event.due FROM {schema}.event WHERE environment = %(environment)s
        AND event.pixel = queue.pixel AND event.source = queue.source AND state = 0 AND event.id > queue.id
        ORDER BY event.id LIMIT 1) AS ready ON true
    LEFT JOIN LATERAL (SELECT event.due FROM {schema}.event WHERE environment = %(environment)s
        AND event.pixel = queue.pixel AND event.source = queue.source AND state > 0 AND event.due > queue.due
        AND event.due <= %(until)s ORDER BY event.due LIMIT 1) AS timed ON true"""
_BELOW = """SELECT queue.pixel, queue.source
    FROM unnest(%(pixels)s::text[], %(sources)s::text[], %(ids)s::bigint[], %(dues)s::double precision[])
        AS queue (pixel, source, id, due)
    WHERE EXISTS (SELECT 1 FROM {schema}.event WHERE environment = %(environment)s
        AND event.pixel = queue.pixel AND event.source = queue.source AND state = 0 AND event.id <= queue.id)
    OR EXISTS (SELECT 1 FROM {schema}.event WHERE environment = %(environment)s
        AND event.pixel = queue.pixel AND event.source = queue.source AND state > 0 AND event.due <= queue.due)"""
CONTROL = "SELECT name, value FROM {schema}.control"


class Queues:
    """Queues of the records that a process sends, with their floors.

    Args:
        environment: name of the environment.
        sends: pixels whose records the process sends; empty for all of the environment.
    """

    def __init__(self, environment: str, sends: tuple[str, ...]) -> None:
        self._environment = environment
        self._sends = sends
        self._floors: dict[Queue, Floors] = {}
        self._whole_at = 0.0

    @property
    def all_query(self) -> tuple[str, dict[str, Any]] | None:
        """Return the query for all queues of the environment; None if the process sends named pixels only."""
        return None if self._sends else (_ALL, {"environment": self._environment})

    def named(self, blocked: Collection[str]) -> list[Queue]:
        """Return the queues of the pixels that the process sends."""
        return [Queue(pixel, source) for pixel in self._sends if pixel not in blocked for source in SOURCES]

    def first(self, queues: Sequence[Queue], until: float) -> tuple[str, dict[str, Any]]:
        """Return the query for the first rows of queues.

        Args:
            queues: the queues.
            until: waiting and leased rows that are due later are ignored, in Unix seconds. The rows that were leased
                lately are due a little later than now; they would all be read, also those that have gone.
        """
        return _FIRST, {**self._values(queues), "until": until}

    def below(self) -> tuple[str, dict[str, Any]]:
        """Return the query for the queues that have a row below their floors, which must not be."""
        return _BELOW, self._values(list(self._floors))

    def _values(self, queues: Sequence[Queue]) -> dict[str, Any]:
        floors = [self.floors(queue) for queue in queues]
        return {
            "environment": self._environment,
            "pixels": [queue.pixel for queue in queues],
            "sources": [queue.source for queue in queues],
            "ids": [floor.id for floor in floors],
            "dues": [floor.due for floor in floors],
        }

    def has_floors(self, queues: Sequence[Queue]) -> bool:
        """Return whether no search of these queues begins at the front of an index."""
        return all(self.floors(queue).due > -inf for queue in queues)

    def floors(self, queue: Queue) -> Floors:
        """Return the floors of a queue."""
        return self._floors.setdefault(queue, Floors())

    def read(self, rows: Sequence[tuple[Any, ...]], now: float, running: Running) -> list[DueQueue]:
        """Return the result of the query that `first` has returned, sorted by due time."""
        found: list[DueQueue] = []
        for pixel, source, first_id, ready_due, timed_due in rows:
            queue = Queue(pixel, source)
            self.floors(queue).saw(first_id, timed_due, now, running)
            dues = [due for due in (ready_due, timed_due) if due is not None]
            if dues:
                found.append(DueQueue(queue, first_id, timed_due, min(dues)))
        return sorted(found, key=lambda one: one.due)

    def is_check_due(self, monotonic: float) -> bool:
        """Return whether it is time to look below the floors."""
        if not self._whole_at:
            self._whole_at = monotonic + _WHOLE_EVERY_S
        return bool(self._floors) and monotonic >= self._whole_at

    def note_check(self, monotonic: float, took_s: float, found: Sequence[tuple[Any, ...]]) -> None:
        """Give up the floors of queues with rows below them, and plan the next look.

        Args:
            monotonic: monotonic seconds.
            took_s: how long this look took.
            found: result of the query that `below` has returned.
        """
        self._whole_at = monotonic + max(_WHOLE_EVERY_S, took_s * _WHOLE_SHARE)
        for row in found:
            self._floors.pop(Queue(*row), None)

    def reset(self) -> None:
        """Give up all floors, since the clock was set back."""
        self._whole_at = 0.0
        self._floors.clear()
