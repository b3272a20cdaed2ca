"""Default outbox: one SQLite file that many processes share."""

# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import cast

from tiktok_middleware.core.events.event import Claim, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.admission import Space
from tiktok_middleware.delivery.outbox.base import (
    DELAYED,
    MAX_DELAY_S,
    LeasedRecord,
    LeaseHolder,
    Limits,
    Retention,
    Switches,
)
from tiktok_middleware.delivery.outbox.deferred import handed_out
from tiktok_middleware.delivery.outbox.environment import PRODUCTION
from tiktok_middleware.delivery.outbox.ledger import DELIVERED, ledger_entries
from tiktok_middleware.delivery.outbox.memory_claims import ClaimKey
from tiktok_middleware.delivery.outbox.sqlite import deferred_rows, usage
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection
from tiktok_middleware.delivery.outbox.sqlite.due_queries import DueQueries
from tiktok_middleware.delivery.outbox.sqlite.due_rows import due_rows
from tiktok_middleware.delivery.outbox.sqlite.housekeeping import Housekeeping
from tiktok_middleware.delivery.outbox.sqlite.once_claims import SqliteClaims
from tiktok_middleware.delivery.outbox.sqlite.puts import find_put, with_put
from tiktok_middleware.delivery.outbox.sqlite.replaced_file import move_rows
from tiktok_middleware.delivery.outbox.sqlite.rows import (
    DeadLetter,
    bury,
    delete,
    for_each,
    insert,
    marks,
    note_in_ledger,
)
from tiktok_middleware.delivery.outbox.sqlite.schema import ADDITIONS, MIGRATIONS
from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes
from tiktok_middleware.delivery.outbox.sqlite.space import FileSpace
from tiktok_middleware.delivery.outbox.sqlite.switches import SwitchFile
from tiktok_middleware.delivery.outbox.store_clock import StoreClock

__all__ = ["DISK_LIMITS", "SqliteOutbox"]

DISK_LIMITS = Limits(rows=1_000_000, bytes=1024 * 1024 * 1024, dead=100_000)

_LEASE = "UPDATE waiting SET owner = ?, due = ? WHERE id"
_TALLY = "SELECT rows - other_rows, bytes - other_bytes, puts FROM tally"
_DOUBT_S = 5.0
_MAX_SAME_EVENT = 1000  # waiting rows of one event, one for each pixel


class SqliteOutbox:
    """Implements the `Outbox` contract in a file; nothing is opened before the first call.

    Args:
        path: path of the file.
        sync: ``normal`` (survives a killed process) or ``full`` (survives a power cut).
        limits: size limits.
        retention: how long finished events are kept.
        environment: environment of this process's records and claims.
        pixels: pixels of this process's pages; if empty, all pixels count as one.
        sends: pixels whose records this process sends; empty for all of the environment.
        clock: returns Unix seconds.
        monotonic: returns seconds of a clock that is never set back.
        busy_limit_s: how long a transaction waits for those of other processes, in seconds.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        sync: str = "normal",
        limits: Limits = DISK_LIMITS,
        retention: Retention = Retention(),  # noqa: B008 - it cannot be changed
        environment: str = PRODUCTION,
        pixels: Sequence[str] = (),
        sends: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        busy_limit_s: float = 10.0,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self.duplicates: int = 0
        self._scopes = Scopes(environment, tuple(pixels), tuple(sends))
        self._clock = StoreClock(clock, monotonic)
        self._connection = Connection(
            Path(path),
            MIGRATIONS,
            sync,
            move_rows,
            additions=ADDITIONS,
            opened=self._note_opened,
            busy_limit_s=busy_limit_s,
        )
        self._limits = limits
        self._housekeeping = Housekeeping(self._connection, self._clock, limits, retention, monotonic)
        self._space = FileSpace(self._scopes, limits, self._housekeeping.note_removed)
        self._switches = SwitchFile(Path(path), monotonic)
        self._added = 0.0
        self._due = DueQueries(self._scopes)

    def _note_opened(self, db: sqlite3.Connection) -> None:
        """Read the file's clock, home scope and age of scopes; called with each new connection."""
        last_seen, home, self._added = db.execute("SELECT clock, home, added FROM tally").fetchone()
        self._clock.resume(last_seen)
        if home is None and not self._scopes.suffix and self._scopes.pixels:
            db.execute("BEGIN IMMEDIATE")
            home = usage.settle_home(db, self._scopes)
            db.execute("COMMIT")
        self._scopes.go_home(home)
        self._housekeeping.note_opened()

    def put(
        self, entries: Sequence[OutboxEntry], *, put_id: bytes = b"", holder: LeaseHolder | None = None
    ) -> list[Claim]:
        with self._connection.transaction() as db:
            rows, size, puts = db.execute(_TALLY).fetchone()
            if put_id and (earlier := find_put(puts, put_id)) is not None:
                return earlier
            now = self._clock.now()
            admission = self._space.admission(db, entries, Space(self._limits, rows, size))
            claims = SqliteClaims(db, self._scopes, self._clock, self._added, now)
            won = [admission.decide(entry, claims) for entry in entries]
            self._store_delayed(db, admission.delayed, now)
            owner, due = (holder.owner, now + holder.for_s) if holder else (None, now)
            last_id = insert(db, admission.stored, self._scopes, owner, due)
            if payloads := handed_out(entries, won):
                deferred_rows.keep(db, payloads, now, self._limits.deferred)
            puts = with_put(puts, put_id, won) if put_id else None
            self._space.count(db, admission.all_stored(), claims.new, now, puts)
        if holder:
            first_id = last_id - len(admission.stored) + 1
            holder.rows += [
                LeasedRecord(first_id + i, 0, record, now - record.event_time)
                for i, record in enumerate(admission.stored)
            ]
        if admission.dropped:
            self.dropped.update(admission.dropped)
        self.duplicates += admission.duplicates
        return won

    def stored(self, put_id: bytes) -> list[Claim] | None:
        row = self._connection.read(_TALLY)
        return None if row is None else find_put(cast("bytes", row[2]), put_id)

    def take(self, ref: str) -> bytes | None:
        return deferred_rows.take(self._connection, ref, self._clock.now())

    def _store_delayed(self, db: sqlite3.Connection, records: Sequence[tuple[float, Record]], now: float) -> None:
        for delay_s, record in records:
            id_ = insert(db, [record], self._scopes, None, now + min(delay_s, MAX_DELAY_S))
            db.execute("UPDATE waiting SET reason = ? WHERE id = ?", (DELAYED, id_))

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[LeasedRecord]:
        first = self._first_due(self._connection.read(*self._due.due(pixels_blocked)))
        if first is None or self._clock.is_in_doubt:
            return []  # most calls end here, without taking the lock that other processes need
        with self._connection.transaction() as db:
            now = self._clock.now()
            batch = due_rows(db, self._scopes, first, now, limit=limit, limit_bytes=limit_bytes)
            if not batch:  # another process has leased those rows since
                first = self._first_due(db.execute(*self._due.due(pixels_blocked)).fetchone())
                if first is not None:
                    batch = due_rows(db, self._scopes, first, now, limit=limit, limit_bytes=limit_bytes)
            for_each(db, _LEASE, (owner, now + for_s), [row.id for row in batch])
        return batch

    def _first_due(self, found: tuple[object, ...] | None) -> tuple[str, str] | None:
        """Return scope and source of the row that is due first; None if none is due now."""
        if found is None or cast("float", found[2]) > self._clock.now():
            return None
        return cast("tuple[str, str]", found[:2])

    def ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str = "") -> int:
        with self._connection.transaction() as db:
            mine = delete(db, self._scopes, owner, rows)
            self._enter(db, mine, DELIVERED, request_id)
        return len(mine)

    def _enter(self, db: sqlite3.Connection, rows: Sequence[LeasedRecord], reason: str, request_id: str = "") -> None:
        """Enter removed rows in the ledger."""
        self._housekeeping.note_removed()
        if self._housekeeping.keeps_ledger:
            now = self._clock.now()
            note_in_ledger(db, ledger_entries(self._scopes.environment, rows, reason, request_id, now))

    def renew(self, owner: str, ids: Collection[int], for_s: float) -> int:
        return self._move("due = ?", (self._clock.now() + for_s,), owner, ids)

    def retry(self, owner: str, ids: Collection[int], after_s: float, reason: str = "") -> int:
        values = (self._clock.now() + after_s, reason)
        return self._move("due = ?, reason = ?, owner = NULL, tries = tries + 1", values, owner, ids)

    def release(self, owner: str, ids: Collection[int], reason: str = "") -> int:
        now = self._clock.now()
        if reason:
            return self._move("due = ?, reason = ?, owner = NULL", (now, reason), owner, ids)
        return self._move("due = ?, owner = NULL", (now,), owner, ids)

    def _move(self, change: str, values: tuple[object, ...], owner: str, ids: Collection[int]) -> int:
        with self._connection.transaction() as db:
            return for_each(db, f"UPDATE waiting SET {change} WHERE owner = ? AND id", (*values, owner), ids)

    def bury(self, owner: str, rows: Sequence[LeasedRecord], reason: str) -> int:
        with self._connection.transaction() as db:
            return self._bury(db, owner, rows, reason)

    def _bury(self, db: sqlite3.Connection, owner: str, rows: Sequence[LeasedRecord], reason: str) -> int:
        if not rows:
            return 0
        prefix = self._scopes.prefix(rows[0].record.pixel)
        bury(db, owner, rows, DeadLetter(prefix, reason, self._clock.now()))
        mine = delete(db, self._scopes, owner, rows)
        self._enter(db, mine, "expired" if reason == "expired" else "rejected")
        surplus = db.execute("SELECT count(*) FROM dead").fetchone()[0] - self._limits.dead
        if surplus > 0:
            db.execute("DELETE FROM dead WHERE id IN (SELECT id FROM dead ORDER BY died, id LIMIT ?)", (surplus,))
            self.dropped["overflow_dead"] += surplus
        return len(mine)

    def keep_dead(self, records: Sequence[Record], reason: str) -> None:
        """Store ``records`` as dead letters that never waited in this outbox. Used by workers."""
        owner = secrets.token_hex(8)
        with self._connection.transaction() as db:
            now = self._clock.now()
            last_id = insert(db, records, self._scopes, owner, now)
            self._space.count(db, records, 0, now)
            rows = [LeasedRecord(last_id - len(records) + 1 + i, 0, record) for i, record in enumerate(records)]
            for pixel in dict.fromkeys(record.pixel for record in records):
                self._bury(db, owner, [row for row in rows if row.record.pixel == pixel], reason)

    def adopt(self, records: Sequence[tuple[float, Record]], claims: Mapping[ClaimKey, float]) -> None:
        """Store records and claims that were already accepted in memory; no limits apply and no claim is checked.

        Args:
            records: each with the rest of its delay in seconds, or 0.
            claims: times of the claims, in Unix seconds.
        """
        with self._connection.transaction() as db:
            now = self._clock.now()
            insert(db, [record for delay_s, record in records if not delay_s], self._scopes, None, now)
            self._store_delayed(db, [row for row in records if row[0]], now)
            known = [
                (key, channel, at)
                for (pixel, event_id, channel), at in claims.items()
                for key in self._scopes.keys(event_id, [pixel])
            ]
            new = db.executemany("INSERT OR IGNORE INTO once VALUES (?, ?, ?)", known).rowcount if known else 0
            self._space.count(db, [record for _, record in records], new, now)

    def cancel(self, event_id: str) -> bool:
        # No index has the event ids, since it would make each put dearer. So other processes must not wait for the
        # search: in the transaction, only the found rows and those stored since are read.
        mark = self.last_id()
        where = f"event_id = ? AND {self._due.mine('pixel')}"
        known = self._connection.rows(
            f"SELECT id FROM waiting WHERE {where}", (event_id, *self._due.values), most=_MAX_SAME_EVENT
        )
        with self._connection.transaction() as db:
            now = self._clock.now()
            pixels = self._scopes.pixels
            found = db.execute(
                f"""SELECT id, pixel, length(body), owner IS NOT NULL AND due > ? FROM waiting
                WHERE (id IN {marks(known)} OR id > ?) AND {where}""",
                (now, *(id_ for (id_,) in known), mark, event_id, *self._due.values),
            ).fetchall()
            for id_, scope, size, in_flight in found:
                if not in_flight:
                    db.execute("DELETE FROM waiting WHERE id = ?", (id_,))
                    usage.add(db, scope, self._scopes.home, -1, -size, clock=now)
            dead = db.execute(f"DELETE FROM dead WHERE {where}", (event_id, *self._due.values)).rowcount
            claims = SqliteClaims(db, self._scopes, self._clock, self._added, now)
            is_new = claims.wins(event_id, pixels, "server", passing=False)
            usage.add(db, "", self._scopes.home, 0, 0, claims=claims.new, clock=now)
            self._housekeeping.note_removed()
        return not any(row[3] for row in found) and bool(found or dead or is_new)

    def due_in_s(self, pixels_blocked: Collection[str] = ()) -> float | None:
        row = self._connection.read(*self._due.due(pixels_blocked))
        now = self._clock.now()
        if row is None:
            return None
        due_in_s = cast("float", row[2]) - now
        return max(due_in_s, _DOUBT_S) if self._clock.is_in_doubt else due_in_s

    def last_id(self) -> int:
        row = self._connection.read("SELECT seq FROM sqlite_sequence WHERE name = 'waiting'")
        return 0 if row is None else cast("int", row[0])

    def holds(self, up_to: int, pixels_blocked: Collection[str] = (), within_s: float | None = None) -> bool:
        if self._connection.read("SELECT 1 FROM waiting WHERE id <= ? LIMIT 1", (up_to,)) is None:
            return False
        until = None if within_s is None else self._clock.now() + within_s
        return self._connection.read(*self._due.held(pixels_blocked, up_to, until)) is not None

    def counts(self) -> dict[str, int]:
        if self._scopes.home is None:
            self._connection.read("SELECT 1")  # opens the file, whose home decides how to count
        row = self._connection.read(*self._due.counted())
        return dict(zip(("waiting", "bytes", "dead"), cast("tuple[int, int, int]", row or (0, 0, 0)), strict=True))

    def oldest_s(self) -> float | None:
        all_rows = cast("int", (self._connection.read("SELECT rows FROM tally") or (0,))[0])
        own_rows = self.counts()["waiting"]
        row = self._connection.read(*self._due.oldest(are_few=own_rows < all_rows // 2))
        return None if row is None or row[0] is None else self._clock.now() - cast("int", row[0])

    def resumes(self) -> int:
        row = self._connection.read("SELECT resumes FROM tally") or (0,)
        return cast("int", row[0])

    def switches(self) -> Switches:
        return self._switches.read()

    def tidy(self) -> None:
        self._housekeeping.tidy()

    def close(self) -> None:
        self._housekeeping.end()
        self._connection.close()
