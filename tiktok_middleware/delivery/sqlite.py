"""The default outbox: one SQLite file that many processes share; it knows nothing of networks."""

# ruff: noqa: D102 - what the methods promise stands in Outbox
# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast

from tiktok_middleware.core.event import Claim, Record, Submission
from tiktok_middleware.delivery.database import Database
from tiktok_middleware.delivery.outbox import PAGE_VIEW, Leased, Limits, Room, claim_of

__all__ = ["DISK_LIMITS", "ONCE_RETENTION_S", "SqliteOutbox"]

DISK_LIMITS = Limits(rows=1_000_000, bytes=1024 * 1024 * 1024, dead=100_000)

ONCE_RETENTION_S = 400 * 86400
"""How long a claim is remembered: a year and a month."""

_MIGRATIONS = (
    f"""
    CREATE TABLE waiting (
        id INTEGER PRIMARY KEY AUTOINCREMENT, pixel TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL,
        event_id TEXT NOT NULL, event_time INTEGER NOT NULL, paired INTEGER NOT NULL, body BLOB NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, owner TEXT
    );
    CREATE INDEX waiting_due ON waiting (due, pixel, source);
    CREATE INDEX waiting_views ON waiting (id) WHERE event = '{PAGE_VIEW}';
    CREATE TABLE dead (
        id INTEGER PRIMARY KEY, pixel TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL,
        event_id TEXT NOT NULL, event_time INTEGER NOT NULL, paired INTEGER NOT NULL, body BLOB NOT NULL,
        tries INTEGER NOT NULL, reason TEXT NOT NULL, died REAL NOT NULL
    );
    CREATE TABLE once (
        event_id TEXT NOT NULL, channel TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (event_id, channel)
    ) WITHOUT ROWID;
    CREATE INDEX once_at ON once (at);
    CREATE TABLE tally (rows INTEGER NOT NULL, bytes INTEGER NOT NULL);
    INSERT INTO tally VALUES (0, 0);
    """,
)

_INSERT = "INSERT INTO waiting (pixel, source, event, event_id, event_time, paired, body, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_BURY = (
    "INSERT OR REPLACE INTO dead SELECT id, pixel, source, event, event_id, event_time, paired, body, tries, ?, ?"
    " FROM waiting WHERE id = ? AND owner = ?"
)
_COLUMNS = "id, tries, event, event_id, event_time, paired, body"
_EVICT_SHARE = 100  # page views that give way go by the hundredth of the limit, so that one search serves many puts
_CHECKPOINT_EVERY = 200  # transactions, each about five pages of four kilobytes
_PRUNE_EVERY_S = 86400.0


class SqliteOutbox:
    """Keeps the `Outbox` promise in a file; nothing is opened before the first call.

    Args:
        path: the file.
        sync: ``normal`` (survives a killed process) or ``full`` (survives a power cut).
        limits: how much it keeps.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: str = "normal", limits: Limits = DISK_LIMITS) -> None:
        self.dropped: Counter[str] = Counter()
        self._database = Database(Path(path), _MIGRATIONS, sync)
        self._limits = limits
        self._sizes: dict[int, int] = {}  # bytes of each row on lease here, so that `ack` need not read them
        self._transactions = 0
        self._prune_at = 0.0

    def put(self, submissions: Sequence[Submission], now: float) -> list[Claim]:
        with self._database.transaction() as db:
            self._transactions += 1
            rows, size = db.execute("SELECT rows, bytes FROM tally").fetchone()
            dropped: Counter[str] = Counter()
            room = Room(self._limits.rows - rows, self._limits.bytes - size, dropped)
            self._make_room(db, room, submissions)
            stored: list[Record] = []
            claims = [_put_one(db, submission, room, stored, now) for submission in submissions]
            if stored:
                db.executemany(
                    _INSERT,
                    [(r.pixel, r.source, r.event, r.event_id, r.event_time, r.paired, r.body, now) for r in stored],
                )
                _count(db, len(stored), sum(len(r.body) for r in stored))
        self.dropped += dropped
        return claims

    def _make_room(self, db: sqlite3.Connection, room: Room, submissions: Sequence[Submission]) -> None:
        rows, size = room.missing(submissions)
        if rows <= 0 and size <= 0:
            return
        share = max(1, self._limits.rows // _EVICT_SHARE)
        while rows > 0 or size > 0:
            views = db.execute(
                f"SELECT id, length(body) FROM waiting WHERE event = '{PAGE_VIEW}' AND owner IS NULL LIMIT ?",
                (max(rows, share),),
            ).fetchall()
            if not views:
                return
            freed = sum(length for _, length in views)
            db.executemany("DELETE FROM waiting WHERE id = ?", [(id_,) for id_, _ in views])
            _count(db, -len(views), -freed)
            room.lost(PAGE_VIEW, len(views))
            room.rows, room.size = room.rows + len(views), room.size + freed
            rows, size = rows - len(views), size - freed

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        now: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[Leased]:
        if (due := self.next_due(pixels_blocked)) is None or due > now:
            return []  # most calls end here, without taking the lock that other processes want
        with self._database.transaction() as db:
            self._transactions += 1
            lane = db.execute(
                f"SELECT pixel, source FROM waiting WHERE due <= ? AND {_not_in(pixels_blocked)} ORDER BY due LIMIT 1",
                (now, *pixels_blocked),
            ).fetchone()
            if lane is None:
                return []
            found = db.execute(
                f"SELECT {_COLUMNS} FROM waiting WHERE due <= ? AND pixel = ? AND source = ? ORDER BY due, id LIMIT ?",
                (now, *lane, limit),
            )
            batch: list[Leased] = []
            size = 0
            for id_, tries, event, event_id, event_time, paired, body in found:
                size += len(body)
                if batch and size > limit_bytes:
                    break
                batch.append(
                    Leased(id_, tries, Record(lane[0], lane[1], event, event_id, event_time, body, bool(paired)))
                )
            found.close()
            db.executemany(
                "UPDATE waiting SET owner = ?, due = ? WHERE id = ?", [(owner, now + for_s, row.id) for row in batch]
            )
        self._sizes.update((row.id, len(row.record.body)) for row in batch)
        return batch

    def ack(self, owner: str, ids: Collection[int]) -> int:
        with self._database.transaction() as db:
            return self._remove(db, owner, ids)

    def retry(self, owner: str, ids: Collection[int], at: float) -> int:
        return self._put_back("tries = tries + 1", owner, ids, at)

    def release(self, owner: str, ids: Collection[int], at: float) -> int:
        return self._put_back("tries = tries", owner, ids, at)

    def _put_back(self, change: str, owner: str, ids: Collection[int], at: float) -> int:
        sql = f"UPDATE waiting SET owner = NULL, due = ?, {change} WHERE id = ? AND owner = ?"
        with self._database.transaction() as db:
            self._transactions += 1
            for id_ in ids:
                self._sizes.pop(id_, None)
            return db.executemany(sql, [(at, id_, owner) for id_ in ids]).rowcount

    def bury(self, owner: str, ids: Collection[int], reason: str, now: float) -> int:
        with self._database.transaction() as db:
            db.executemany(_BURY, [(reason, now, id_, owner) for id_ in ids])
            gone = self._remove(db, owner, ids)
            surplus = db.execute("SELECT count(*) FROM dead").fetchone()[0] - self._limits.dead
            if surplus > 0:
                db.execute("DELETE FROM dead WHERE id IN (SELECT id FROM dead ORDER BY died, id LIMIT ?)", (surplus,))
                self.dropped["overflow_dead"] += surplus
            return gone

    def _remove(self, db: sqlite3.Connection, owner: str, ids: Collection[int]) -> int:
        self._transactions += 1
        gone = db.executemany("DELETE FROM waiting WHERE id = ? AND owner = ?", [(id_, owner) for id_ in ids]).rowcount
        sizes = [self._sizes.pop(id_, None) for id_ in ids]
        if gone == len(sizes) and None not in sizes:
            _count(db, -gone, -sum(cast("list[int]", sizes)))
        else:  # some were no longer ours: rare enough to count all
            db.execute("UPDATE tally SET (rows, bytes) = (SELECT count(*), total(length(body)) FROM waiting)")
        return gone

    def next_due(self, pixels_blocked: Collection[str] = ()) -> float | None:
        sql = f"SELECT due FROM waiting WHERE {_not_in(pixels_blocked)} ORDER BY due LIMIT 1"
        row = self._database.read(sql, (*pixels_blocked,))
        return None if row is None else cast("float", row[0])

    def last_id(self) -> int:
        row = self._database.read("SELECT seq FROM sqlite_sequence WHERE name = 'waiting'")
        return 0 if row is None else cast("int", row[0])

    def holds(self, up_to: int, pixels_blocked: Collection[str] = ()) -> bool:
        sql = f"SELECT 1 FROM waiting WHERE id <= ? AND {_not_in(pixels_blocked)} LIMIT 1"
        return self._database.read(sql, (up_to, *pixels_blocked)) is not None

    def counts(self) -> dict[str, int]:
        row = self._database.read("SELECT rows, bytes, (SELECT count(*) FROM dead) FROM tally") or (0, 0, 0)
        return dict(zip(("waiting", "bytes", "dead"), cast("tuple[int, int, int]", row), strict=True))

    def tidy(self, now: float) -> None:
        if self._transactions >= _CHECKPOINT_EVERY:
            self._transactions = 0
            self._database.checkpoint()
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_EVERY_S
            with self._database.transaction() as db:
                db.execute("DELETE FROM once WHERE at < ?", (now - ONCE_RETENTION_S,))

    def close(self) -> None:
        self._database.close()


def _put_one(db: sqlite3.Connection, submission: Submission, room: Room, stored: list[Record], now: float) -> Claim:
    once = submission.once
    browser = submission.browser and (not once or _claim(db, submission.event_id, "browser", now))
    records = submission.records
    server = bool(records) and room.admits(records) and (not once or _claim(db, submission.event_id, "server", now))
    if server:
        room.take(records)
        stored.extend(records)
    return claim_of(browser, server)


def _claim(db: sqlite3.Connection, event_id: str, channel: str, now: float) -> bool:
    return db.execute("INSERT OR IGNORE INTO once VALUES (?, ?, ?)", (event_id, channel, now)).rowcount == 1


def _count(db: sqlite3.Connection, rows: int, size: int) -> None:
    db.execute("UPDATE tally SET rows = rows + ?, bytes = bytes + ?", (rows, size))


def _not_in(pixels: Collection[str]) -> str:
    return f"pixel NOT IN ({', '.join('?' * len(pixels))})"
