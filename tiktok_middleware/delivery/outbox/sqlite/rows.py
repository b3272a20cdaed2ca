"""SQL statements for the rows of an outbox file."""

# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.ledger import SHARED_FIELDS, LedgerEntry
from tiktok_middleware.delivery.outbox.sqlite import usage
from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes

__all__ = ["PAIRED", "DeadLetter", "bury", "delete", "for_each", "insert", "marks", "note_in_ledger"]

_INSERT = "INSERT INTO waiting (pixel, source, event, event_id, event_time, paired, body, due, owner) VALUES "
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PART = 50
_INSERT_ONE = _INSERT + _ROW
_INSERT_PART = _INSERT + ", ".join([_ROW] * _PART)
_ENTRY = LedgerEntry.__struct_fields__
_OWN_FIELDS = len(_ENTRY) - SHARED_FIELDS
_ENTER = f"""INSERT INTO ledger ({", ".join(_ENTRY)}) SELECT {"?, " * SHARED_FIELDS}
    {", ".join(f"column{number}" for number in range(1, _OWN_FIELDS + 1))} FROM (VALUES """
_ENTRY_ROW = f"({', '.join('?' * _OWN_FIELDS)})"
_ENTER_ONE = f"{_ENTER}{_ENTRY_ROW})"
_ENTER_PART = f"{_ENTER}{', '.join([_ENTRY_ROW] * _PART)})"
_RANGE = 8  # shortest range of row numbers that gets a statement of its own
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
    suffix = scopes.suffix
    last_id: int | None = 0
    for part in _parts(records):
        values = [
            value
            for r in part
            for value in (r.pixel + suffix, r.source, r.event, r.event_id, r.event_time, r.paired, r.body, due, owner)
        ]
        last_id = db.execute(_INSERT_ONE if len(part) == 1 else _INSERT_PART, values).lastrowid
    return last_id or 0


def delete(db: sqlite3.Connection, scopes: Scopes, owner: str, rows: Sequence[LeasedRecord]) -> Sequence[LeasedRecord]:
    """Delete the rows that ``owner`` still holds, and return them."""
    mine = _held(db, owner, rows)
    for_each(db, "DELETE FROM waiting WHERE id", (), [row.id for row in mine])
    records = [row.record for row in mine]
    for pixel in {record.pixel for record in records}:
        sizes = [len(record.body) for record in records if record.pixel == pixel]
        usage.add(db, scopes.of(pixel), scopes.home, -len(sizes), -sum(sizes))
    return mine


def _held(db: sqlite3.Connection, owner: str, rows: Sequence[LeasedRecord]) -> Sequence[LeasedRecord]:
    """Return those of ``rows`` that ``owner`` still holds."""
    ids = [row.id for row in rows]
    if sum(count for (count,) in _found(db, "count(*)", owner, ids)) == len(ids):
        return rows  # nearly always
    held = {id_ for (id_,) in _found(db, "id", owner, ids)}
    return [row for row in rows if row.id in held]


def bury(db: sqlite3.Connection, owner: str, rows: Sequence[LeasedRecord], letter: DeadLetter) -> None:
    """Copy rows of one pixel that ``owner`` holds to the dead letters."""
    sql = f"""INSERT OR REPLACE INTO dead (id, pixel, source, event, event_id, event_time, paired, body, tries, reason,
        died) SELECT id, pixel, source, event, event_id, event_time, {PAIRED}, body, tries, ?, ?
        FROM waiting WHERE owner = ? AND id"""
    for_each(db, sql, (letter.prefix, letter.reason, letter.died, owner), [row.id for row in rows])


def note_in_ledger(db: sqlite3.Connection, entries: Sequence[LedgerEntry]) -> None:
    """Insert entries that were made together into the ledger."""
    rows = [msgspec.structs.astuple(entry) for entry in entries]
    for part in _parts([row[SHARED_FIELDS:] for row in rows]):
        sql = _ENTER_PART if len(part) == _PART else _ENTER_ONE
        db.execute(sql, [*rows[0][:SHARED_FIELDS], *itertools.chain.from_iterable(part)])


def for_each(db: sqlite3.Connection, sql: str, values: tuple[object, ...], ids: Collection[int]) -> int:
    """Run a statement that ends in ``id`` for the rows ``ids``; return how many rows it changed.

    Rows are nearly always in one range, since they were stored together. A range takes a tenth less time than a list.
    """
    return sum([cursor.rowcount for cursor in _cursors(db, sql, values, ids)])


def _found(db: sqlite3.Connection, column: str, owner: str, ids: Collection[int]) -> Iterator[tuple[int]]:
    """Yield a column of those of the rows ``ids`` that ``owner`` holds."""
    for cursor in _cursors(db, f"SELECT {column} FROM waiting WHERE owner = ? AND id", (owner,), ids):
        yield from cursor.fetchall()


def _cursors(
    db: sqlite3.Connection, sql: str, values: tuple[object, ...], ids: Collection[int]
) -> Iterator[sqlite3.Cursor]:
    scattered: list[int] = []
    for numbers in _ranges(ids):
        if len(numbers) < _RANGE:
            scattered += numbers
        else:
            yield db.execute(f"{sql} BETWEEN ? AND ?", (*values, numbers[0], numbers[-1]))
    for part in _parts(scattered):
        yield db.execute(f"{sql} IN {marks(part)}", (*values, *part))


def _ranges(ids: Collection[int]) -> Iterator[range]:
    """Yield the ranges of consecutive numbers in ``ids``."""
    numbers = list(ids)
    if numbers and numbers == list(whole := range(numbers[0], numbers[0] + len(numbers))):  # nearly always
        yield whole
        return
    numbers = sorted(set(numbers))
    for _, group in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        found = [number for _, number in group]
        yield range(found[0], found[-1] + 1)


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
