"""Move what an SQLite outbox holds to an outbox in PostgreSQL.

A move may be killed at any moment and repeated. The transaction that stores a row in PostgreSQL also notes a mark of
its file and number there. After that the row is removed from the file. A repeated move stores no row that is noted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tiktok_middleware.delivery.outbox.ledger import LedgerEntry
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db
from tiktok_middleware.delivery.outbox.postgres.move_source import PART, MoveSource, Row
from tiktok_middleware.delivery.outbox.postgres.rows import copy
from tiktok_middleware.delivery.outbox.postgres.schema import READY, WAITING, storable
from tiktok_middleware.delivery.outbox.sqlite.scopes import split_scope
from tiktok_middleware.errors import OutboxError

__all__ = ["Moved", "count", "move"]

_LATE_S = 60.0  # claims that were made while the others were copied; clocks may differ
_GUARD = """INSERT INTO {schema}.put (writer, number, claims, at)
    SELECT writer, 1, ''::bytea, %s FROM unnest(%s::bytea[]) AS moved (writer)
    ON CONFLICT DO NOTHING RETURNING writer"""
_CLAIMS = """INSERT INTO {schema}.claim (environment, pixel, event_id, channel, put_id, at)
    SELECT environment, pixel, event_id, channel, ''::bytea, at
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::double precision[])
        AS moved (environment, pixel, event_id, channel, at)
    ORDER BY environment, pixel, event_id, channel ON CONFLICT DO NOTHING"""
_IDS = "SELECT nextval(pg_get_serial_sequence('{schema}.event', 'id')) FROM generate_series(1, %s)"
_ROW = {
    "environment": "text",
    "pixel": "text",
    "source": "text",
    "event": "text",
    "event_id": "text",
    "event_time": "int8",
    "paired": "int2",
    "body": "bytea",
    "tries": "int4",
    "reason": "text",
}
_EVENT = {**_ROW, "state": "int2", "due": "float8"}
_LEDGER_TYPES = {"value": "float8", "event_time": "int8", "at": "float8"}
_LEDGER = {name: _LEDGER_TYPES.get(name, "text") for name in LedgerEntry.__struct_fields__}
_Progress = Callable[[int], None]
_Store = Callable[[Db, Sequence[Row]], None]


class Moved(msgspec.Struct):
    """Result of `move`.

    Attributes:
        claims: number of claims that are new in the shared outbox.
        waiting: number of moved events that wait.
        dead: number of moved dead letters.
        ledger: number of moved entries of the ledger.
        in_flight: number of events left in the file, because a process is sending them.
        unmoved: number of rows left in the file, because PostgreSQL cannot store them.
    """

    claims: int = 0
    waiting: int = 0
    dead: int = 0
    ledger: int = 0
    in_flight: int = 0
    unmoved: int = 0


def move(
    path: Path, target: Connection, pixels: Sequence[str], clock: Callable[[], float], on_progress: _Progress
) -> Moved:
    """Move the rows of a file, and copy its claims. Processes may use the file meanwhile.

    Args:
        path: the file.
        target: connection to the shared outbox.
        pixels: see `MoveSource`.
        clock: returns Unix seconds.
        on_progress: called with the number of rows processed since the last call.

    Raises:
        OutboxError: one of the outboxes cannot be read or written. What was moved until then stays moved.
    """
    source = MoveSource(path, pixels)
    try:
        one = _Move(source, target, clock, on_progress)
        began = clock()
        one.copy_claims()
        one.move_waiting()
        one.move_dead()
        one.move_ledger()
        one.copy_claims(began - _LATE_S)
        one.done.in_flight = max(source.in_flight() - one.unmoved_waiting, 0)
    finally:
        source.close()
    return one.done


def count(path: Path) -> int:
    """Return how many rows a move has to look at."""
    source = MoveSource(path, ())
    try:
        return source.count()
    finally:
        source.close()


class _Move:
    def __init__(
        self, source: MoveSource, target: Connection, clock: Callable[[], float], on_progress: _Progress
    ) -> None:
        self.done = Moved()
        self.unmoved_waiting = 0
        self._source = source
        self._target = target
        self._clock = clock
        self._on_progress = on_progress

    def copy_claims(self, since: float = 0.0) -> None:
        for part in self._source.claims(since):
            for start in range(0, len(part), PART):
                columns = [list(column) for column in zip(*map(_texts, part[start : start + PART]), strict=True)]
                with self._target.transaction() as shared:
                    self.done.claims += shared.execute(self._target.sql(_CLAIMS), columns).rowcount
            if not since:
                self._on_progress(len(part))

    def move_waiting(self) -> None:
        last = 0
        while found := self._source.reserve(self._clock(), last):
            moved, failed = self._store(found, "waiting", self._insert_waiting)
            self.done.waiting += moved
            self._source.release(failed)
            self.unmoved_waiting += len(failed)
            kept = {row[0] for row in failed}
            self._source.remove_waiting([row for row in found if row[0] not in kept], self._clock())
            self._on_progress(len(found))
            last = found[-1][0]

    def _insert_waiting(self, db: Db, rows: Sequence[Row]) -> None:
        """Insert rows that wait as long as they would have waited; the clocks of the two outboxes may differ."""
        now = self._clock()
        there = db.execute(self._target.sql("SELECT {schema}.clock()")).fetchone()
        shared_now = float(there[0]) if there else now
        values = []
        for row in rows:
            wait_s = row[10] - now
            values.append((*_common(row), WAITING if wait_s > 0 else READY, shared_now + max(wait_s, 0.0)))
        copy(self._target, db, "event", _EVENT, values)

    def move_dead(self) -> None:
        self.done.dead = self._move("dead", self._source.dead, self._insert_dead)

    def _insert_dead(self, db: Db, rows: Sequence[Row]) -> None:
        ids = db.execute(self._target.sql(_IDS), (len(rows),)).fetchall()
        values = [(id_, *_common(row), row[10]) for (id_,), row in zip(ids, rows, strict=True)]
        copy(self._target, db, "dead", {"id": "int8", **_ROW, "died": "float8"}, values)

    def move_ledger(self) -> None:
        self.done.ledger = self._move("ledger", lambda after: self._source.ledger(after, list(_LEDGER)), self._insert)

    def _insert(self, db: Db, rows: Sequence[Row]) -> None:
        copy(self._target, db, "ledger", _LEDGER, [_texts(row[1:]) for row in rows])

    def _move(self, table: str, read: Callable[[int], list[Row]], insert: _Store) -> int:
        moved, last = 0, 0
        while found := read(last):
            new, failed = self._store(found, table, insert)
            moved += new
            kept = {row[0] for row in failed}
            self._source.remove(table, [row for row in found if row[0] not in kept])
            self._on_progress(len(found))
            last = found[-1][0]
        return moved

    def _store(self, rows: Sequence[Row], table: str, insert: _Store) -> tuple[int, list[Row]]:
        """Store the rows that no earlier move has stored; return how many, and the rows that cannot be stored."""
        try:
            with self._target.transaction() as db:
                new = self._new(db, table, rows)
                insert(db, new)
        except OutboxError:
            raise
        except Exception:  # noqa: BLE001  # a value of one of the rows
            if len(rows) == 1:
                self.done.unmoved += 1
                return 0, list(rows)
        else:
            return len(new), []
        moved, failed = 0, []
        for row in rows:
            one, bad = self._store([row], table, insert)
            moved += one
            failed += bad
        return moved, failed

    def _new(self, db: Db, table: str, rows: Sequence[Row]) -> list[Row]:
        marks = {self._mark(table, row): row for row in rows}
        found = db.execute(self._target.sql(_GUARD), (self._clock(), list(marks))).fetchall()
        noted = {bytes(mark) for (mark,) in found}
        return [row for mark, row in marks.items() if mark in noted]

    def _mark(self, table: str, row: Row) -> bytes:
        names = repr((self._source.mark, table, row[0], row[4])).encode("utf-8", "replace")
        return hashlib.blake2b(names, digest_size=16, person=b"tiktok-move").digest()


def _common(row: Row) -> Row:
    _, scope, source, event, event_id, event_time, paired, body, tries, reason = row[:10]
    pixel, environment = split_scope(scope)
    return _texts((environment, pixel, source, event, event_id, event_time, paired, body, tries, reason))


def _texts(row: Row) -> Row:
    """Return a row whose texts PostgreSQL can store; a body is not a text."""
    return tuple(storable(value) if isinstance(value, str) else value for value in row)
