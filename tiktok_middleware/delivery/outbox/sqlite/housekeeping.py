"""Housekeeping of an outbox file: remove old rows, empty the log, shrink the file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import cast

from tiktok_middleware.core.events_api.answers import MAX_RETRY_AFTER_S
from tiktok_middleware.delivery.outbox.base import DELAYED, MAX_DELAY_S, Limits, Retention
from tiktok_middleware.delivery.outbox.sqlite import deferred_rows, usage
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection
from tiktok_middleware.delivery.outbox.sqlite.due_queries import LAST_DUE
from tiktok_middleware.delivery.outbox.sqlite.log_file import wal_bytes
from tiktok_middleware.delivery.outbox.sqlite.once_claims import ONCE_RETENTION_S, forget_old
from tiktok_middleware.delivery.outbox.store_clock import StoreClock
from tiktok_middleware.errors import OutboxError

__all__ = ["Housekeeping"]

_PRUNE_EVERY_S = 3600.0
_PRUNE_PART = 500  # rows in one transaction; kept short, since other processes wait for it
_MAX_AHEAD_S = 2 * MAX_RETRY_AFTER_S
_SCRUB_AFTER_S = 20.0  # a deleted row leaves the log within a minute, even if readers block some tries
_URGENT_AFTER_S = 40.0
_SHRINK_EVERY_S = 20.0
_ROOM_BYTES = 16 * 1024 * 1024  # free room in a file up to which it is not shrunk
_OLD_DEAD = "DELETE FROM dead WHERE id IN (SELECT id FROM dead WHERE died < ? ORDER BY died LIMIT ?)"
_FORGOTTEN = f"""SELECT id, pixel, length(body) FROM (SELECT * FROM waiting ORDER BY id LIMIT {_PRUNE_PART})
    WHERE (owner IS NULL OR due < ?) AND event_time < ?"""  # noqa: S608 - a constant
_BURY_FORGOTTEN = """INSERT OR REPLACE INTO dead (id, pixel, source, event, event_id, event_time, paired, body, tries,
    reason, died) SELECT id, pixel, source, event, event_id, event_time, paired > 0, body, tries, 'expired', ?
    FROM waiting WHERE id = ?"""
_FORGOTTEN_AFTER_S = 29 * 86400  # age of a row that no process sends, because its environment or pixel is not used


class Housekeeping:
    """Does the housekeeping of an outbox file, for one of its processes.

    Args:
        connection: connection to the file.
        clock: clock of the outbox.
        limits: size limits.
        retention: how long finished events are kept.
        monotonic: returns seconds of a clock that is never set back.
    """

    def __init__(
        self,
        connection: Connection,
        clock: StoreClock,
        limits: Limits,
        retention: Retention,
        monotonic: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._limits = limits
        self._retention = retention
        self._monotonic = monotonic
        self._prune_at = 0.0
        self._shrink_at = 0.0
        self._removed_at: float | None = None  # first deletion of a row that the log may still contain, monotonic
        self._last_removed_at = 0.0  # last deletion, by the outbox's clock

    @property
    def keeps_ledger(self) -> bool:
        """Return whether delivered and abandoned events are entered in the ledger."""
        return self._retention.ledger_s > 0

    def note_opened(self) -> None:
        """Plan to empty an existing log, since a killed process may have left deleted rows in it."""
        if wal_bytes(self._connection.path):
            self.note_removed()

    def note_removed(self) -> None:
        """Note that rows were deleted, so that the log may contain copies of them."""
        if self._removed_at is None:
            self._removed_at = self._monotonic()
        self._last_removed_at = self._clock.now()

    def tidy(self) -> None:
        """Do the housekeeping that is due now."""
        now = self._monotonic()
        self._connection.maintenance.look_at_log()
        if self._removed_at is not None and now >= self._removed_at + _SCRUB_AFTER_S:
            self.scrub(is_urgent=now >= self._removed_at + _URGENT_AFTER_S)
        if now >= self._shrink_at:
            self._shrink_at = now + _SHRINK_EVERY_S
            self._shrink()
        self._clock.now()
        is_pruned = now >= self._prune_at and not self._clock.is_in_doubt
        if is_pruned or self._clock.has_stepped_back:
            self._clock.has_stepped_back = False
            self._hasten()
        if is_pruned and not self._prune():
            self._prune_at = now + _PRUNE_EVERY_S

    def scrub(self, *, is_urgent: bool = True) -> bool:
        """Empty the log if it may contain deleted rows; return whether it is free of them.

        If another process has emptied it since, do nothing. Writers wait for the disk only if ``is_urgent``.
        """
        truncated = cast("float", (self._connection.read("SELECT truncated FROM tally") or (0.0,))[0])
        if self._removed_at is None or truncated > self._last_removed_at:
            self._removed_at = None
            return True
        began = self._clock.now()
        if not self._connection.maintenance.truncate(is_urgent=is_urgent):
            return False
        if began >= self._last_removed_at:
            self._removed_at = None
        with self._connection.transaction() as db:
            db.execute("UPDATE tally SET truncated = ?", (began,))
        return True

    def end(self) -> None:
        """Empty the log before closing, if it may contain deleted rows."""
        if self._removed_at is not None:
            with contextlib.suppress(OutboxError):  # the next process that opens the file does it
                self.scrub()

    def _shrink(self) -> None:
        """Shrink the file if most of it is empty, as after an outage."""
        pages, free, page_bytes = (
            cast("int", (self._connection.read(f"PRAGMA {name}") or (0,))[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        if free * page_bytes > _ROOM_BYTES and free > pages // 2:
            self._connection.maintenance.shrink(_ROOM_BYTES // 4)
            self._connection.maintenance.checkpoint()

    def _hasten(self) -> None:
        """Make rows due now whose due time is later than any possible wait: the clock was set back."""
        last = cast("float | None", (self._connection.read(LAST_DUE) or (None,))[0])
        now = self._clock.now()
        if last is not None and last > now + _MAX_AHEAD_S:
            with self._connection.transaction() as db:
                db.execute(
                    f"UPDATE waiting SET due = ? WHERE due > CASE reason WHEN '{DELAYED}' THEN ? ELSE ? END",  # noqa: S608
                    (now, now + MAX_DELAY_S, now + _MAX_AHEAD_S),
                )

    def _prune(self) -> bool:
        """Remove a part of the old rows; return whether there may be more to remove."""
        now = self._clock.now()
        claims = cast("int", (self._connection.read("SELECT claims FROM tally") or (0,))[0])
        with self._connection.transaction() as db:
            gone = forget_old(db, now - ONCE_RETENTION_S, max(claims - self._limits.claims, 0), _PRUNE_PART)
            usage.add(db, "", None, 0, 0, claims=-gone, clock=now)
            deferred_rows.prune(db, now)
            dead = db.execute(_OLD_DEAD, (now - self._retention.dead_s, _PRUNE_PART)).rowcount
            ledger = self._prune_ledger(db, now)
            forgotten = self._bury_forgotten(db, now)
        if dead:
            self.note_removed()
        self._recount()
        return _PRUNE_PART in {gone, dead, ledger, forgotten}

    def _prune_ledger(self, db: sqlite3.Connection, now: float) -> int:
        # In one query without subqueries, SQLite would read the whole ledger.
        span = db.execute(
            "SELECT ifnull((SELECT max(id) FROM ledger) - (SELECT min(id) FROM ledger) + 1, 0)"
        ).fetchone()[0]
        surplus = min(max(span - self._limits.ledger, 0), _PRUNE_PART)
        sql = f"SELECT count(*) FROM (SELECT at FROM ledger ORDER BY id LIMIT {_PRUNE_PART}) WHERE at < ?"  # noqa: S608
        old = db.execute(sql, (now - self._retention.ledger_s,)).fetchone()[0]
        return db.execute(
            "DELETE FROM ledger WHERE id IN (SELECT id FROM ledger ORDER BY id LIMIT ?)", (max(surplus, old),)
        ).rowcount

    def _bury_forgotten(self, db: sqlite3.Connection, now: float) -> int:
        """Turn rows into dead letters that no process sends, because their environment or pixel is not used."""
        found = db.execute(_FORGOTTEN, (now, now - _FORGOTTEN_AFTER_S)).fetchall()
        home = db.execute("SELECT home FROM tally").fetchone()[0]
        for id_, scope, size in found:
            db.execute(_BURY_FORGOTTEN, (now, id_))
            db.execute("DELETE FROM waiting WHERE id = ?", (id_,))
            usage.add(db, scope, home, -1, -size, clock=now)
        return len(found)

    def _recount(self) -> None:
        """Correct the counters of single scopes, which an earlier release on the same file does not update."""
        wrong = self._connection.read(
            """SELECT 1 FROM (SELECT scope, rows FROM usage) WHERE rows <>
            (SELECT count(*) FROM waiting WHERE pixel = scope) LIMIT 1"""
        )
        if wrong is not None:
            with self._connection.transaction() as db:
                usage.recount(db, db.execute("SELECT home FROM tally").fetchone()[0])
