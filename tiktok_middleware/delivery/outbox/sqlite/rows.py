"""SQL statements for the rows of an outbox file."""

# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.ledger import LedgerEntry
from tiktok_middleware.delivery.outbox.sqlite import usage
from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes

__all__ = ["PAIRED", "DeadLetter", "bury", "delete", "for_each", "insert", "marks", "note_in_ledger"]

_INSERT = "INSERT INTO waiting (pixel, source, event, event_id, event_time, paired, body, due, owner) VALUES "
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PART = 50
_INSERT_ONE = _INSERT + _ROW
_INSERT_PART = _INSERT + ", ".join([_ROW] * _PART)
_ENTRY = ", ".join(LedgerEntry.__struct_fields__)
_ENTER = f"INSERT INTO ledger ({_ENTRY}) VALUES "
_ENTRY_ROW = f"({', '.join('?' * len(LedgerEntry.__struct_fields__))})"
_T = TypeVar("_T")

# If a row's own entry handed out no browser copy (0), a later entry may have. If an operator retries a pair as a new
# event (-1), the row counts as unpaired.
PAIRED = """CASE paired WHEN 0 THEN EXISTS (
    SELECT 1 FROM once WHERE once.event_id = ? || waiting.event_id AND channel = 'browser') ELSE paired > 0 END"""
"""SQL for whether a browser copy of a row was handed out; its placeholder takes the claim-key prefix of the pixel."""


class DeadLetter(NamedTuple):
    """Values of a dead letter that its row does not have.

    Attributes:
        prefix: prefix of its pixel's claim keys.
        reason: why it became a dead letter.
        died: when, in Unix seconds.
    """

    prefix: str
    reason: str
    died: float


def insert(db: sqlite3.Connection, records: Sequence[Record], scopes: Scopes, owner: str | None, due: float) -> int:
    """Insert records and return the number of the last row; the other rows have the numbers before it."""
    of = scopes.of
    last_id: int | None = 0
    for part in _parts(records):
        values = [
            value
            for r in part
            for value in (of(r.pixel), r.source, r.event, r.event_id, r.event_time, r.paired, r.body, due, owner)
        ]
        last_id = db.execute(_INSERT_ONE if len(part) == 1 else _INSERT_PART, values).lastrowid
    return last_id or 0


def delete(db: sqlite3.Connection, scopes: Scopes, owner: str, rows: Sequence[LeasedRecord]) -> Sequence[LeasedRecord]:
    """Delete the rows that ``owner`` still holds, and return them."""
    mine = rows
    db.execute("SAVEPOINT held")
    if _delete(db, owner, rows) != len(rows):
        # Undo the deletion, since only existing rows show which of them ``owner`` holds.
        db.execute("ROLLBACK TO held")
        mine = _held(db, owner, rows)
        _delete(db, owner, mine)
    db.execute("RELEASE held")
    by_scope: dict[str, tuple[int, int]] = {}
    for row in mine:
        count, size = by_scope.get(row.record.pixel, (0, 0))
        by_scope[row.record.pixel] = count + 1, size + len(row.record.body)
    for pixel, (count, size) in by_scope.items():
        usage.add(db, scopes.of(pixel), scopes.home, -count, -size)
    return mine


def _delete(db: sqlite3.Connection, owner: str, rows: Sequence[LeasedRecord]) -> int:
    return for_each(db, "DELETE FROM waiting WHERE owner = ? AND id IN ", (owner,), [row.id for row in rows])


def _held(db: sqlite3.Connection, owner: str, rows: Sequence[LeasedRecord]) -> list[LeasedRecord]:
    held: set[int] = set()
    for part in _parts([row.id for row in rows]):
        found = db.execute(f"SELECT id FROM waiting WHERE owner = ? AND id IN {marks(part)}", (owner, *part))
        held.update(id_ for (id_,) in found)
    return [row for row in rows if row.id in held]


def bury(db: sqlite3.Connection, owner: str, rows: Sequence[LeasedRecord], letter: DeadLetter) -> None:
    """Copy rows of one pixel that ``owner`` holds to the dead letters."""
    sql = f"""INSERT OR REPLACE INTO dead (id, pixel, source, event, event_id, event_time, paired, body, tries, reason,
        died) SELECT id, pixel, source, event, event_id, event_time, {PAIRED}, body, tries, ?, ?
        FROM waiting WHERE owner = ? AND id IN """
    for_each(db, sql, (letter.prefix, letter.reason, letter.died, owner), [row.id for row in rows])


def note_in_ledger(db: sqlite3.Connection, entries: Sequence[LedgerEntry]) -> None:
    """Insert entries into the ledger."""
    for part in _parts([msgspec.structs.astuple(entry) for entry in entries]):
        db.execute(_ENTER + ", ".join([_ENTRY_ROW] * len(part)), [value for row in part for value in row])


def for_each(db: sqlite3.Connection, sql: str, values: tuple[object, ...], ids: Collection[int]) -> int:
    """Run a statement that ends in ``IN`` for the rows ``ids``; return how many rows it changed."""
    return sum(db.execute(sql + marks(part), (*values, *part)).rowcount for part in _parts(list(ids)))


def marks(values: Collection[object]) -> str:
    """Return placeholders for a list of values."""
    return f"({', '.join('?' * len(values))})"


def _parts(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield ``rows`` in parts of a fixed size, so that a statement is prepared once, and the rest one by one.

    One statement per row would take twice the time, since SQLite releases and takes the interpreter lock at each.
    """
    if len(rows) == 1:  # most puts
        yield rows
        return
    whole = len(rows) - len(rows) % _PART
    for start in range(0, whole, _PART):
        yield rows[start : start + _PART]
    for start in range(whole, len(rows)):
        yield rows[start : start + 1]
