"""Lease rows, and put leased rows back. One relay leases a pixel's rows at a time until many are ready."""

from __future__ import annotations

from collections.abc import Collection
from math import inf, nextafter
from typing import Any

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.postgres.connection import Db
from tiktok_middleware.delivery.outbox.postgres.due import DueRows
from tiktok_middleware.delivery.outbox.postgres.migrate import lock_key
from tiktok_middleware.delivery.outbox.postgres.queues import DueQueue
from tiktok_middleware.delivery.outbox.postgres.rows import PAIRED
from tiktok_middleware.delivery.outbox.postgres.schema import LEASED, WAITING, storable
from tiktok_middleware.delivery.outbox.postgres.store import Store

__all__ = ["Leases"]

_NO_ID = 2**62  # above all numbers
_MANY = 1000  # ready rows from which several relays send the same pixel

_READY = """SELECT count(*) FROM (SELECT 1 FROM {schema}.event WHERE environment = %s AND pixel = %s AND source = %s
    AND state = 0 AND id > %s LIMIT %s) AS ready"""
_LEASE = f"""WITH timed AS (
        SELECT id, due FROM {{schema}}.event WHERE environment = %(environment)s AND pixel = %(pixel)s
        AND source = %(source)s AND state > 0 AND due > %(due_floor)s AND due <= %(now)s
        ORDER BY due, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
    ready AS (
        SELECT id FROM {{schema}}.event WHERE environment = %(environment)s AND pixel = %(pixel)s
        AND source = %(source)s AND state = 0 AND id > %(id_floor)s
        ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
    ordered AS (
        SELECT id, row_number() OVER (ORDER BY kind, due, id) AS place
        FROM (SELECT id, due, 0 AS kind FROM timed UNION ALL SELECT id, 0, 1 FROM ready) AS both_kinds),
    sized AS (
        SELECT ordered.id, place, sum(octet_length(body)) OVER (ORDER BY place) AS size
        FROM ordered JOIN {{schema}}.event USING (id) WHERE place <= %(limit)s)
    UPDATE {{schema}}.event SET state = {LEASED}, owner = %(owner)s, due = %(until)s
    FROM sized WHERE event.id = sized.id AND (place = 1 OR size <= %(limit_bytes)s)
    RETURNING place, event.id, tries, event.event, event.event_id, event_time, {PAIRED}, body"""  # noqa: S608 - constants
_MOVE = f"UPDATE {{schema}}.event SET {{change}} WHERE id = ANY(%s) AND owner = %s AND state = {LEASED}"  # noqa: S608


class Leases:
    """Leases of one outbox.

    Args:
        store: what the outbox's parts share.
        due_rows: finds due rows.
    """

    def __init__(self, store: Store, due_rows: DueRows) -> None:
        self._store = store
        self._connection = store.relay
        self._due_rows = due_rows

    def lease(self, blocked: Collection[str], asked: dict[str, Any]) -> list[LeasedRecord]:
        """Lease due rows of one queue.

        Args:
            blocked: pixels whose rows are not leased.
            asked: ``owner``, ``limit``, ``limit_bytes`` and ``for_s`` of `Outbox.lease`.
        """
        due = self._due_rows.first(blocked)
        if due is None or self._store.clock.is_in_doubt or due.due > self._store.clock.now():
            return []  # most calls end here, without a transaction
        with self._connection.transaction() as db:
            if not self._has_turn(db, due):
                self._due_rows.wait_for_turn()
                return []
            return self._lease(db, due, asked)

    def _has_turn(self, db: Db, due: DueQueue) -> bool:
        """Return whether this relay may lease: no other one does at this moment, or there is enough for several."""
        key = lock_key(self._store.schema, self._store.environment, due.queue.pixel)
        row = db.execute("SELECT pg_try_advisory_xact_lock(%s)", (key,)).fetchone()
        if row is not None and row[0]:
            return True
        if due.first_id is None:
            return False
        values = (self._store.environment, *due.queue, due.first_id - 1, _MANY)
        row = db.execute(self._connection.sql(_READY), values).fetchone()
        return row is not None and row[0] >= _MANY

    def _lease(self, db: Db, due: DueQueue, asked: dict[str, Any]) -> list[LeasedRecord]:
        """Lease rows from the first ones that were seen; those below them are found by the next search."""
        queue = due.queue
        now, floors = self._store.clock.now(), self._due_rows.floors(queue)
        found = db.execute(
            self._connection.sql(_LEASE),
            {
                "environment": self._store.environment,
                "pixel": queue.pixel,
                "source": queue.source,
                "counted": self._store.scope.of(queue.pixel),
                "due_floor": inf if due.first_timed is None else nextafter(due.first_timed, -inf),
                "id_floor": _NO_ID if due.first_id is None else due.first_id - 1,
                "now": now,
                "until": now + asked["for_s"],
                **asked,
            },
            binary=True,
        ).fetchall()
        rows = []
        for _, id_, tries, event, event_id, event_time, paired, body in sorted(found, key=lambda row: row[0]):
            record = Record(queue.pixel, queue.source, event, event_id, event_time, bytes(body), paired)
            rows.append(LeasedRecord(id_, tries, record, now - event_time))
            floors.highest = max(floors.highest, id_)
        return rows

    def renew(self, owner: str, ids: Collection[int], for_s: float) -> int:
        return self._move("due = %s", for_s, (), owner, ids)

    def retry(self, owner: str, ids: Collection[int], after_s: float, reason: str) -> int:
        change = f"due = %s, reason = %s, owner = NULL, tries = tries + 1, state = {WAITING}"
        return self._move(change, after_s, (storable(reason),), owner, ids)

    def release(self, owner: str, ids: Collection[int], reason: str) -> int:
        if reason:
            change = f"due = %s, reason = %s, owner = NULL, state = {WAITING}"
            return self._move(change, 0.0, (storable(reason),), owner, ids)
        return self._move(f"due = %s, owner = NULL, state = {WAITING}", 0.0, (), owner, ids)

    def _move(self, change: str, after_s: float, values: tuple[object, ...], owner: str, ids: Collection[int]) -> int:
        """Change rows that ``owner`` holds; they are due after ``after_s`` seconds."""
        sql = _MOVE.replace("{change}", change)
        with self._connection.transaction() as db:
            due = self._store.clock.now() + after_s
            return db.execute(self._connection.sql(sql), (due, *values, list(ids), owner)).rowcount
