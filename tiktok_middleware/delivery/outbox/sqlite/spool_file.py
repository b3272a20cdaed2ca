"""SQLite file of a host where puts wait while the shared outbox does not answer. The host's processes share it."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec

from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.delivery.outbox.deferred import DEFERRED_LIFE_S
from tiktok_middleware.delivery.outbox.put_ids import PutIds
from tiktok_middleware.delivery.outbox.spool import SpooledPut
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection

__all__ = ["SpoolFile"]

_TABLES = (
    """
    CREATE TABLE spool (
        id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, put_id BLOB, entries BLOB NOT NULL,
        rows INTEGER NOT NULL
    );
    CREATE TABLE deferred (ref TEXT PRIMARY KEY, body BLOB NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
    """,
)
_ADDITIONS = (
    """
    CREATE TABLE unreadable (
        id INTEGER PRIMARY KEY, environment TEXT NOT NULL, put_id BLOB, entries BLOB NOT NULL, rows INTEGER NOT NULL,
        at REAL NOT NULL
    );
    """,
)
_UNREADABLE_LIFE_S = 90 * 86400.0
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[OutboxEntry]).decode
_UNREADABLE = (msgspec.DecodeError, ValueError)


class SpoolFile:
    """Implements `Spool` in a file; nothing is opened before the first call.

    Args:
        path: path of the file.
        environment: name of the environment; a process takes only puts of its own.
        clock: returns Unix seconds.
        sync: ``normal`` or ``full``, as for the SQLite outbox.
    """

    def __init__(self, path: Path, environment: str, clock: Callable[[], float], sync: str) -> None:
        self.path = path
        self._connection = Connection(path, _TABLES, sync, additions=_ADDITIONS)
        self._environment = environment
        self._clock = clock

    @property
    def exists(self) -> bool:
        """Return whether there is a file, so that something may wait in it."""
        return self.path.exists()

    def keep(self, entries: Sequence[OutboxEntry], put_id: bytes) -> None:
        rows = sum(len(entry.records) for entry in entries)
        payloads = [entry.deferred for entry in entries if entry.deferred is not None]
        with self._connection.transaction() as db:
            db.execute(
                "INSERT INTO spool (environment, put_id, entries, rows) VALUES (?, ?, ?, ?)",
                (self._environment, put_id or None, _encode(list(entries)), rows),
            )
            now = self._clock()
            for payload in payloads:
                db.execute("INSERT OR REPLACE INTO deferred VALUES (?, ?, ?)", (payload.ref, payload.body, now))

    def oldest(self, most: int) -> SpooledPut | None:
        mine = "SELECT id, put_id, CAST(entries AS BLOB) FROM spool WHERE environment = ? ORDER BY id"
        first = self._connection.read(mine, (self._environment,))
        if first is None:
            return None
        key, tried_id = cast("int", first[0]), cast("bytes | None", first[1])
        try:
            known = _decode(cast("bytes", first[2]))
        except _UNREADABLE as error:
            return SpooledPut(key, tried_id or b"", [], f"{type(error).__name__}: {error}")
        if tried_id is not None:
            return SpooledPut(key, tried_id, known)
        # Puts that were never tried become one put, under an id that stays with it.
        with self._connection.transaction() as db:
            entries: list[OutboxEntry] = []
            ids: list[int] = []
            put_id = PutIds(secrets.token_bytes(8))()
            for id_, tried, packed in db.execute(mine, (self._environment,)):
                if tried is not None or (ids and len(entries) >= most):
                    break
                try:
                    entries += _decode(packed)
                except _UNREADABLE:
                    break  # it is the oldest once these have gone
                ids.append(id_)
            db.executemany("DELETE FROM spool WHERE id = ?", [(id_,) for id_ in ids[1:]])
            rows = sum(len(entry.records) for entry in entries)
            if ids:
                db.execute(
                    "UPDATE spool SET put_id = ?, entries = ?, rows = ? WHERE id = ?",
                    (put_id, _encode(entries), rows, ids[0]),
                )
        # Without ids another process was faster: that put has an id now.
        return SpooledPut(ids[0], put_id, entries) if ids else self.oldest(most)

    def remove(self, put: SpooledPut) -> None:
        with self._connection.transaction() as db:
            db.execute("DELETE FROM spool WHERE id = ? AND put_id = ?", (put.key, put.put_id))
            self._expire(db)

    def set_aside(self, put: SpooledPut) -> int:
        """Move a put that cannot be read to the table ``unreadable``, where it is kept for 90 days."""
        now, copies = self._clock(), 0
        with self._connection.transaction() as db:
            for (rows,) in db.execute(
                "SELECT rows FROM spool WHERE id = ?", (put.key,)
            ):  # none: another process did it
                copies = rows
            db.execute(
                "INSERT OR IGNORE INTO unreadable SELECT id, environment, put_id, entries, rows, ? FROM spool"
                " WHERE id = ?",
                (now, put.key),
            )
            db.execute("DELETE FROM spool WHERE id = ?", (put.key,))
            self._expire(db)
        return copies

    def expire(self) -> None:
        """Remove expired payloads, and unreadable puts that were kept for 90 days."""
        with self._connection.transaction() as db:
            self._expire(db)

    def _expire(self, db: sqlite3.Connection) -> None:
        now = self._clock()
        db.execute("DELETE FROM deferred WHERE at <= ?", (now - DEFERRED_LIFE_S,))
        db.execute("DELETE FROM unreadable WHERE at <= ?", (now - _UNREADABLE_LIFE_S,))

    def take(self, ref: str) -> bytes | None:
        row = self._connection.read(
            "SELECT body FROM deferred WHERE ref = ? AND at > ?", (ref, self._clock() - DEFERRED_LIFE_S)
        )
        return None if row is None else cast("bytes", row[0])

    @property
    def rows(self) -> int:
        row = self._connection.read(
            "SELECT ifnull(sum(rows), 0) FROM spool WHERE environment = ?", (self._environment,)
        )
        return 0 if row is None else cast("int", row[0])

    @property
    def is_empty(self) -> bool:
        return self._connection.read("SELECT 1 FROM spool WHERE environment = ? LIMIT 1", (self._environment,)) is None

    def close(self) -> None:
        self._connection.close()
