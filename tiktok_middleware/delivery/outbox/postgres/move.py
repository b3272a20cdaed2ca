"""Move what an SQLite outbox holds to an outbox in PostgreSQL. A move that was interrupted can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tiktok_middleware.delivery.outbox.environment import PRODUCTION
from tiktok_middleware.delivery.outbox.ledger import LedgerEntry
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db
from tiktok_middleware.delivery.outbox.postgres.rows import copy
from tiktok_middleware.delivery.outbox.postgres.schema import WAITING
from tiktok_middleware.delivery.outbox.sqlite import usage
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection as File
from tiktok_middleware.delivery.outbox.sqlite.schema import ADDITIONS, MIGRATIONS
from tiktok_middleware.delivery.outbox.sqlite.scopes import split_scope

__all__ = ["Moved", "move"]

_PART = 500
_LEASE_S = 120.0  # no relay takes a row of the file while it is moved
_GUARD = """INSERT INTO {schema}.put (writer, number, claims, at)
    SELECT writer, 1, ''::bytea, %s FROM unnest(%s::bytea[]) AS moved (writer)
    ON CONFLICT DO NOTHING RETURNING writer"""
_CLAIMS = """INSERT INTO {schema}.claim (environment, pixel, event_id, channel, put_id, at)
    SELECT environment, pixel, event_id, channel, ''::bytea, at
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::double precision[])
        AS moved (environment, pixel, event_id, channel, at)
    ORDER BY environment, pixel, event_id, channel ON CONFLICT DO NOTHING"""
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
_COLUMNS = "id, pixel, source, event, event_id, event_time, paired, body, tries, reason"
_Progress = Callable[[int], None]


class Moved(msgspec.Struct):
    """Result of `move`.

    Attributes:
        claims: number of claims that are new in the shared outbox.
        waiting: number of moved events that wait.
        dead: number of moved dead letters.
        ledger: number of moved entries of the ledger.
        in_flight: number of events left in the file, because a process is sending them.
    """

    claims: int = 0
    waiting: int = 0
    dead: int = 0
    ledger: int = 0
    in_flight: int = 0


def move(path: Path, target: Connection, pixels: Sequence[str], clock: Callable[[], float]) -> Moved:
    """Move the rows of a file, and copy its claims. Processes may use the file meanwhile.

    Args:
        path: the file.
        target: connection to the shared outbox.
        pixels: pixels of the app's pages, for claims that an early release has stored without a pixel.
        clock: returns Unix seconds.

    Raises:
        OutboxError: one of the outboxes cannot be read or written. What was moved until then stays moved.
    """
    file = File(path, MIGRATIONS, "normal", additions=ADDITIONS)
    done = Moved()
    try:
        done.claims = _copy_claims(file, target, pixels)
        _move_waiting(file, target, clock, done)
        done.dead = _move_dead(file, target, clock)
        done.ledger = _move_ledger(file, target, clock)
        file.maintenance.truncate()
    finally:
        file.close()
    return done


def _copy_claims(file: File, target: Connection, pixels: Sequence[str]) -> int:
    with file.transaction() as db:
        home, added = db.execute("SELECT home, added FROM tally").fetchone()
        rows = db.execute("SELECT event_id, channel, at FROM once").fetchall()
    new = 0
    for part in _parts(rows):
        values = [claim for row in part for claim in _claims_of(row, home, added, pixels)]
        columns = [list(column) for column in zip(*values, strict=True)]
        with target.transaction() as shared:
            new += shared.execute(target.sql(_CLAIMS), columns).rowcount
    return new


def _claims_of(row: Any, home: str | None, added: float, pixels: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield environment, pixel, event id, channel and time of a stored claim, for each pixel that it counts for."""
    key, channel, at = row
    scope, _, event_id = key.rpartition("/")
    pixel, environment = split_scope(scope) if scope else (home or "", PRODUCTION)
    counted = [pixel] if pixel else list(pixels)
    if not scope and at < added:  # an early release counted all pixels as one
        counted = list(dict.fromkeys((*counted, *pixels)))
    for one in counted or [""]:
        yield environment, one, event_id, channel, at


def _move_waiting(file: File, target: Connection, clock: Callable[[], float], done: Moved) -> None:
    while True:
        now = clock()
        with file.transaction() as db:
            found = db.execute(
                f"SELECT {_COLUMNS}, due FROM waiting WHERE owner IS NULL OR due <= ? OR owner = 'move'"  # noqa: S608
                f" ORDER BY id LIMIT {_PART}",
                (now,),
            ).fetchall()
            db.executemany(
                "UPDATE waiting SET owner = 'move', due = ? WHERE id = ?", [(now + _LEASE_S, row[0]) for row in found]
            )
        if not found:
            break
        with target.transaction() as shared:
            new = _new(target, shared, [("waiting", row[0], row[4]) for row in found], found, now)
            rows = [(*_common(row), WAITING, row[10]) for row in new]
            copy(target, shared, "event", _EVENT, rows)
        with file.transaction() as db:
            home = db.execute("SELECT home FROM tally").fetchone()[0]
            for row in found:
                db.execute("DELETE FROM waiting WHERE id = ?", (row[0],))
                usage.add(db, row[1], home, -1, -len(row[7]), clock=now)
        done.waiting += len(new)
    row = file.read("SELECT count(*) FROM waiting")
    done.in_flight = 0 if row is None else int(str(row[0]))


def _move_dead(file: File, target: Connection, clock: Callable[[], float]) -> int:
    moved = 0
    while True:
        with file.transaction() as db:
            found = db.execute(f"SELECT {_COLUMNS}, died FROM dead ORDER BY id LIMIT {_PART}").fetchall()  # noqa: S608
        if not found:
            return moved
        with target.transaction() as shared:
            new = _new(target, shared, [("dead", row[0], row[4]) for row in found], found, clock())
            row = shared.execute(target.sql(_IDS), (len(new),)).fetchall()
            rows = [(id_, *_common(one), one[10]) for (id_,), one in zip(row, new, strict=True)]
            copy(target, shared, "dead", {"id": "int8", **_ROW, "died": "float8"}, rows)
        with file.transaction() as db:
            db.executemany("DELETE FROM dead WHERE id = ?", [(one[0],) for one in found])
        moved += len(new)


_IDS = "SELECT nextval(pg_get_serial_sequence('{schema}.event', 'id')) FROM generate_series(1, %s)"


def _move_ledger(file: File, target: Connection, clock: Callable[[], float]) -> int:
    moved = 0
    while True:
        with file.transaction() as db:
            names = ", ".join(_LEDGER)
            found = db.execute(f"SELECT id, {names} FROM ledger ORDER BY id LIMIT {_PART}").fetchall()  # noqa: S608
        if not found:
            return moved
        with target.transaction() as shared:
            new = _new(target, shared, [("ledger", *row) for row in found], found, clock())
            copy(target, shared, "ledger", _LEDGER, [row[1:] for row in new])
        with file.transaction() as db:
            db.executemany("DELETE FROM ledger WHERE id = ?", [(row[0],) for row in found])
        moved += len(new)


def _common(row: Any) -> tuple[Any, ...]:
    _, scope, source, event, event_id, event_time, paired, body, tries, reason = row[:10]
    pixel, environment = split_scope(scope)
    return environment, pixel, source, event, event_id, event_time, paired, body, tries, reason


def _new(
    target: Connection, shared: Db, names: Sequence[tuple[Any, ...]], rows: Sequence[Any], now: float
) -> list[Any]:
    """Return the rows that no earlier move has stored, and note them under their names."""
    marks = {
        hashlib.blake2b(repr(name).encode(), digest_size=16, person=b"tiktok-move").digest(): row
        for name, row in zip(names, rows, strict=True)
    }
    found = shared.execute(target.sql(_GUARD), (now, list(marks))).fetchall()
    noted = {bytes(mark) for (mark,) in found}
    return [row for mark, row in marks.items() if mark in noted]


def _parts(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), _PART):
        yield rows[start : start + _PART]
