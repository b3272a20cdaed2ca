"""Read due rows of one queue (pixel and source) of an outbox file."""

# ruff: noqa: S608 - only a constant is formatted into SQL

from __future__ import annotations

import sqlite3
from typing import Any

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.sqlite.rows import PAIRED
from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes

__all__ = ["due_rows"]

_FIND = f"""SELECT id, tries, event, event_id, event_time, {PAIRED}, body FROM waiting
    WHERE due <= ? AND pixel = ? AND source = ? ORDER BY due LIMIT ?"""
_PART = 100  # rows that are read at a time, since their bodies may be large

_Row = tuple[Any, ...]


def due_rows(
    db: sqlite3.Connection, scopes: Scopes, queue: tuple[str, str], now: float, *, limit: int, limit_bytes: int
) -> list[LeasedRecord]:
    """Return the rows of a queue that are due first; at least one if any is due.

    Args:
        db: the connection, in a transaction.
        scopes: scopes of the outbox.
        queue: scope and source of the rows.
        now: the outbox's time, in Unix seconds.
        limit: largest number of rows.
        limit_bytes: largest total size of the bodies in bytes; a single row may be larger.
    """
    scope, source = queue
    pixel = scopes.pixel(scope)
    cursor = db.execute(_FIND, (scopes.prefix(pixel), now, scope, source, limit))
    rows: list[_Row] = []
    size = 0
    while size <= limit_bytes and (part := cursor.fetchmany(_PART)):
        rows += part
        size += sum([len(row[-1]) for row in part])
    cursor.close()
    if size > limit_bytes:
        rows = _cut(rows, limit_bytes)
    return [
        LeasedRecord(
            id_,
            tries,
            Record(pixel, source, event, event_id, event_time, body, paired == 1),
            now - event_time,
        )
        for id_, tries, event, event_id, event_time, paired, body in rows
    ]


def _cut(rows: list[_Row], limit_bytes: int) -> list[_Row]:
    """Return as many of the first rows as fit, and at least one."""
    size = 0
    for number, row in enumerate(rows):
        size += len(row[-1])
        if number and size > limit_bytes:
            return rows[:number]
    return rows
