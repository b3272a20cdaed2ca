"""The default outbox: one SQLite file that many processes share; it knows nothing of networks."""


# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, cast

from tiktok_middleware.core.events.event import PAGE_VIEW, Claim, OutboxEntry, Record
from tiktok_middleware.core.events_api.protocol import MAX_RETRY_AFTER_S
from tiktok_middleware.delivery.outbox import deferred as deferreds
from tiktok_middleware.delivery.outbox import due_queries as lanes
from tiktok_middleware.delivery.outbox import replaced_file as successor
from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S, LeasedRecord, LeaseHolder, Limits, Room
from tiktok_middleware.delivery.outbox.connection import Connection
from tiktok_middleware.delivery.outbox.schema import MIGRATIONS

__all__ = ["DISK_LIMITS", "ONCE_RETENTION_S", "SqliteOutbox"]

DISK_LIMITS = Limits(rows=1_000_000, bytes=1024 * 1024 * 1024, dead=100_000)

ONCE_RETENTION_S = 400 * 86400
"""How long a claim is remembered: a year and a month."""

_INSERT = "INSERT INTO waiting (pixel, source, event, event_id, event_time, paired, body, due, owner) VALUES "
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Where a row's own submission handed out no browser's copy, a later one may have. An operator who lets a pair go as a
# new event (-1) has the last word.
_PAIRED = """CASE paired WHEN 0 THEN EXISTS (
    SELECT 1 FROM once WHERE once.event_id = waiting.event_id AND channel = 'browser') ELSE paired > 0 END"""
_BURY = (
    f"INSERT OR REPLACE INTO dead SELECT id, pixel, source, event, event_id, event_time, {_PAIRED}, body, tries, ?, ?"
    " FROM waiting WHERE owner = ? AND id IN "
)
_CLAIM = "INSERT OR IGNORE INTO once SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM once WHERE event_id = ? AND at < ?)"
_LEASE = "UPDATE waiting SET owner = ?, due = ? WHERE id IN "
_COLUMNS = f"id, tries, event, event_id, event_time, {_PAIRED}, body"
_PART = 50
_EVICT_SHARE = 100  # page views that give way go by the hundredth of the limit, so that one search serves many puts
_CHECKPOINT_EVERY = 1000  # transactions, each about five pages of four kilobytes
_PRUNE_EVERY_S = 3600.0
_PRUNE_PART = 500
_MAX_AHEAD_S = 2 * MAX_RETRY_AFTER_S
_OLD_CLAIMS = "SELECT count(*) FROM (SELECT 1 FROM once WHERE at < ? LIMIT ?)"
_FORGET = "DELETE FROM once WHERE (event_id, channel) IN (SELECT event_id, channel FROM once ORDER BY at LIMIT ?)"

_PASSED_S = ONCE_RETENTION_S - 4 * 86400  # a browser's own id is good for two days before and after its time

_T = TypeVar("_T")


class SqliteOutbox:
    """Keeps the `Outbox` promise in a file; nothing is opened before the first call.

    Args:
        path: the file.
        sync: ``normal`` (survives a killed process) or ``full`` (survives a power cut).
        limits: how much it keeps.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: str = "normal", limits: Limits = DISK_LIMITS) -> None:
        self.dropped: Counter[str] = Counter()
        self.duplicates = 0
        self._database = Connection(Path(path), MIGRATIONS, sync, successor.inherit)
        self._limits = limits
        self._transactions = 0
        self._prune_at = 0.0

    def put(self, submissions: Sequence[OutboxEntry], now: float, taker: LeaseHolder | None = None) -> list[Claim]:
        with self._database.transaction() as db:
            self._transactions += 1
            rows, size = db.execute("SELECT rows, bytes FROM tally").fetchone()
            room = Room(self._limits.rows - rows, self._limits.bytes - size)
            self._make_room(db, room, submissions)
            ledger = _Ledger(db, now)
            claims = [room.decide(submission, ledger.wins) for submission in submissions]
            owner, due = (taker.owner, taker.until) if taker else (None, now)
            last_id = _store(db, room.stored, owner, due)
            deferreds.keep(db, deferreds.won(submissions, claims), now)
            _count(db, len(room.stored), sum([len(r.body) for r in room.stored]), ledger.new)
        if taker:
            first_id = last_id - len(room.stored) + 1
            taker.rows += [LeasedRecord(first_id + i, 0, record) for i, record in enumerate(room.stored)]
        self.dropped += room.dropped
        self.duplicates += room.duplicates
        return claims

    def take(self, ref: str, now: float) -> bytes | None:
        return deferreds.take(self._database, ref, now)

    def _make_room(self, db: sqlite3.Connection, room: Room, submissions: Sequence[OutboxEntry]) -> None:
        rows, size = room.missing(submissions)
        share = max(1, self._limits.rows // _EVICT_SHARE)
        while rows > 0 or size > 0:
            views = db.execute(
                f"SELECT id, length(body) FROM waiting WHERE event = '{PAGE_VIEW}' AND owner IS NULL LIMIT ?",
                (max(rows, share),),
            ).fetchall()
            if not views:
                return
            freed = sum(length for _, length in views)
            _for_each(db, "DELETE FROM waiting WHERE id IN ", (), [id_ for id_, _ in views])
            _count(db, -len(views), -freed)
            room.freed(len(views), freed)
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
    ) -> list[LeasedRecord]:
        if (due := self.next_due(pixels_blocked)) is None or due > now:
            return []  # most calls end here, without taking the lock that other processes want
        with self._database.transaction() as db:
            self._transactions += 1
            lane = db.execute(lanes.NEXT.format(_marks(pixels_blocked)), (*pixels_blocked,)).fetchone()
            if lane is None:
                return []
            pixel, source, _ = lane
            found = db.execute(
                f"SELECT {_COLUMNS} FROM waiting WHERE due <= ? AND pixel = ? AND source = ? ORDER BY due LIMIT ?",
                (now, pixel, source, limit),
            )
            batch: list[LeasedRecord] = []
            size = 0
            for id_, tries, event, event_id, event_time, paired, body in found:
                size += len(body)
                if batch and size > limit_bytes:
                    break
                record = Record(pixel, source, event, event_id, event_time, body, bool(paired))
                batch.append(LeasedRecord(id_, tries, record))
            found.close()
            _for_each(db, _LEASE, (owner, now + for_s), [row.id for row in batch])
        return batch

    def ack(self, owner: str, ids: Collection[int]) -> int:
        with self._database.transaction() as db:
            return self._remove(db, owner, ids)

    def renew(self, owner: str, ids: Collection[int], until: float) -> int:
        return self._move("due = ?", (until,), owner, ids)

    def retry(self, owner: str, ids: Collection[int], at: float, reason: str = "") -> int:
        return self._move("due = ?, reason = ?, owner = NULL, tries = tries + 1", (at, reason), owner, ids)

    def release(self, owner: str, ids: Collection[int], at: float, reason: str = "") -> int:
        if reason:
            return self._move("due = ?, reason = ?, owner = NULL", (at, reason), owner, ids)
        return self._move("due = ?, owner = NULL", (at,), owner, ids)

    def _move(self, change: str, values: tuple[object, ...], owner: str, ids: Collection[int]) -> int:
        self._transactions += 1
        with self._database.transaction() as db:
            return _for_each(db, f"UPDATE waiting SET {change} WHERE owner = ? AND id IN ", (*values, owner), ids)

    def bury(self, owner: str, ids: Collection[int], reason: str, now: float) -> int:
        with self._database.transaction() as db:
            return self._bury(db, owner, ids, reason, now)

    def keep_dead(self, records: Sequence[Record], reason: str, now: float) -> None:
        """Store ``records`` as dead letters that never waited here: what a worker on another host gave up."""
        owner = secrets.token_hex(8)
        with self._database.transaction() as db:
            last_id = _store(db, list(records), owner, now)
            _count(db, len(records), sum([len(r.body) for r in records]))
            self._bury(db, owner, range(last_id - len(records) + 1, last_id + 1), reason, now)

    def adopt(self, records: Sequence[Record], claims: Mapping[tuple[str, str], float], now: float) -> None:
        """Store what was accepted already, elsewhere: no limit, since it has let each of them in, and no new claim."""
        with self._database.transaction() as db:
            self._transactions += 1
            _store(db, list(records), None, now)
            known = [(event_id, channel, at) for (event_id, channel), at in claims.items()]
            new = db.executemany("INSERT OR IGNORE INTO once VALUES (?, ?, ?)", known).rowcount if known else 0
            _count(db, len(records), sum([len(r.body) for r in records]), new)

    def _bury(self, db: sqlite3.Connection, owner: str, ids: Collection[int], reason: str, now: float) -> int:
        _for_each(db, _BURY, (reason, now, owner), ids)
        gone = self._remove(db, owner, ids)
        surplus = db.execute("SELECT count(*) FROM dead").fetchone()[0] - self._limits.dead
        if surplus > 0:
            db.execute("DELETE FROM dead WHERE id IN (SELECT id FROM dead ORDER BY died, id LIMIT ?)", (surplus,))
            self.dropped["overflow_dead"] += surplus
        return gone

    def _remove(self, db: sqlite3.Connection, owner: str, ids: Collection[int]) -> int:
        self._transactions += 1
        mine = "FROM waiting WHERE owner = ? AND id IN "
        gone, size = 0, 0
        for part in _parts(list(ids)):
            values = (owner, *part)
            size += db.execute(f"SELECT sum(length(body)) {mine}{_marks(part)}", values).fetchone()[0] or 0
            gone += db.execute(f"DELETE {mine}{_marks(part)}", values).rowcount
        _count(db, -gone, -size)
        return gone

    def next_due(self, pixels_blocked: Collection[str] = ()) -> float | None:
        row = self._database.read(lanes.NEXT.format(_marks(pixels_blocked)), (*pixels_blocked,))
        return None if row is None else cast("float", row[2])

    def last_id(self) -> int:
        row = self._database.read("SELECT seq FROM sqlite_sequence WHERE name = 'waiting'")
        return 0 if row is None else cast("int", row[0])

    def holds(self, up_to: int, pixels_blocked: Collection[str] = ()) -> bool:
        if self._database.read("SELECT 1 FROM waiting WHERE id <= ? LIMIT 1", (up_to,)) is None:
            return False
        return self._database.read(lanes.HOLDS.format(_marks(pixels_blocked)), (*pixels_blocked, up_to)) is not None

    def counts(self) -> dict[str, int]:
        row = self._database.read("SELECT rows, bytes, (SELECT count(*) FROM dead) FROM tally") or (0, 0, 0)
        return dict(zip(("waiting", "bytes", "dead"), cast("tuple[int, int, int]", row), strict=True))

    def oldest(self) -> int | None:
        row = self._database.read("SELECT event_time FROM waiting ORDER BY id LIMIT 1")
        return None if row is None else cast("int", row[0])

    def resumes(self) -> int:
        row = self._database.read("SELECT resumes FROM tally") or (0,)
        return cast("int", row[0])

    def tidy(self, now: float) -> None:
        if self._transactions >= _CHECKPOINT_EVERY:
            self._transactions = 0
            self._database.checkpoint()
        if self._prune_at - _PRUNE_EVERY_S <= now < self._prune_at:
            return
        self._hasten(now)
        if not self._prune(now):
            self._prune_at = now + _PRUNE_EVERY_S

    def _hasten(self, now: float) -> None:
        """Make due what is due later than anybody can have meant: the clock was set back."""
        last = (self._database.read(lanes.LAST) or (None,))[0]
        if last is not None and cast("float", last) > now + _MAX_AHEAD_S:
            with self._database.transaction() as db:
                db.execute("UPDATE waiting SET due = ? WHERE due > ?", (now, now + _MAX_AHEAD_S))

    def _prune(self, now: float) -> bool:
        """Whether there may be more claims to forget: other processes wait for each part, so none takes long."""
        claims = cast("int", (self._database.read("SELECT claims FROM tally") or (0,))[0])
        surplus = min(max(claims - self._limits.claims, 0), _PRUNE_PART)
        with self._database.transaction() as db:
            old = db.execute(_OLD_CLAIMS, (now - ONCE_RETENTION_S, _PRUNE_PART)).fetchone()[0]
            gone = db.execute(_FORGET, (max(old, surplus),)).rowcount
            _count(db, 0, 0, -gone)
            deferreds.prune(db, now)
        return gone == _PRUNE_PART

    def close(self) -> None:
        self._database.close()


class _Ledger:
    """What is claimed in one transaction.

    Attributes:
        new: how many claims were won.
    """

    __slots__ = ("_db", "_now", "new")

    def __init__(self, db: sqlite3.Connection, now: float) -> None:
        self._db = db
        self._now = now
        self.new = 0

    def wins(self, event_id: str, channel: str, passing: bool) -> bool:
        """Whether this is the first claim of the event for the channel, and not too long after the other's."""
        # A claim in passing is entered as an old one, which is forgotten before those for good.
        at = self._now - _PASSED_S if passing else self._now
        values = (event_id, channel, at, event_id, at - PAIRED_TTL_S)
        is_first = self._db.execute(_CLAIM, values).rowcount == 1
        self.new += is_first
        return is_first


def _store(db: sqlite3.Connection, records: list[Record], owner: str | None, due: float) -> int:
    """The number of the last row; the others have those before it, since nobody else inserts meanwhile."""
    rows = [(r.pixel, r.source, r.event, r.event_id, r.event_time, r.paired, r.body, due, owner) for r in records]
    last_id: int | None = 0
    for part in _parts(rows):
        last_id = db.execute(_INSERT + ", ".join([_ROW] * len(part)), [v for row in part for v in row]).lastrowid
    return last_id or 0


def _for_each(db: sqlite3.Connection, sql: str, values: tuple[object, ...], ids: Collection[int]) -> int:
    """How many of the rows numbered ``ids`` the statement, which ends in ``IN``, has changed."""
    return sum(db.execute(sql + _marks(part), (*values, *part)).rowcount for part in _parts(list(ids)))


def _parts(rows: list[_T]) -> Iterator[list[_T]]:
    """``rows`` in parts of a fixed size, so that a statement is prepared once, and the rest one by one.

    A statement for each row costs twice the time: the interpreter lock is let go and taken back at every step.
    """
    whole = len(rows) - len(rows) % _PART
    for start in range(0, whole, _PART):
        yield rows[start : start + _PART]
    for start in range(whole, len(rows)):
        yield rows[start : start + 1]


def _count(db: sqlite3.Connection, rows: int, size: int, claims: int = 0) -> None:
    if rows or claims:
        db.execute("UPDATE tally SET rows = rows + ?, bytes = bytes + ?, claims = claims + ?", (rows, size, claims))


def _marks(values: Collection[object]) -> str:
    return f"({', '.join('?' * len(values))})"
