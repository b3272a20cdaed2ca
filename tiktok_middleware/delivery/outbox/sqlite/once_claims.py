"""Claims in an outbox file: which channels have carried which event."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import inf

from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S
from tiktok_middleware.delivery.outbox.sqlite.rows import marks
from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes
from tiktok_middleware.delivery.outbox.store_clock import StoreClock

__all__ = ["ONCE_RETENTION_S", "SqliteClaims", "forget", "forget_old"]

ONCE_RETENTION_S = 400 * 86400
"""How long a claim is kept, in seconds: a year and a month."""

_PASSED_S = ONCE_RETENTION_S - 4 * 86400  # an id made by a browser is valid for two days before and after its time
_CLAIM = "INSERT OR IGNORE INTO once SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM once WHERE event_id = ? AND at < ?)"
_OLD = "SELECT count(*) FROM (SELECT 1 FROM once WHERE at < ? LIMIT ?)"
_AT = "SELECT at FROM once WHERE event_id = ? AND channel = ?"
_SENT = """SELECT min(at) FROM ledger WHERE event_id = ? AND environment = ?
    AND (reason = 'delivered' OR channels <> 'server')"""
_FORGET = "DELETE FROM once WHERE (event_id, channel) IN (SELECT event_id, channel FROM once ORDER BY at LIMIT ?)"


class SqliteClaims:
    """Claims within one transaction.

    Args:
        db: the connection.
        scopes: scopes of the outbox.
        clock: clock of the outbox.
        added: when scopes were added to the file, in Unix seconds; production's claims before that have no pixel.
            0 if there were none.

    Attributes:
        new: number of claims made.
    """

    __slots__ = ("_added", "_clock", "_db", "_scopes", "_times", "new")

    def __init__(self, db: sqlite3.Connection, scopes: Scopes, clock: StoreClock, added: float) -> None:
        self._db = db
        self._scopes = scopes
        self._clock = clock
        self._times: tuple[float, float] | None = None
        self._added = added
        self.new: int = 0

    def wins(self, event_id: str, pixels: Sequence[str], channel: str, passing: bool, happened: float = inf) -> bool:
        if self._times is None:
            self._times = self._clock.now(), self._clock.cutoff(PAIRED_TTL_S)
        at, too_old = self._times
        if passing:  # stored with an older time, so that it is removed earlier than others
            at, too_old = at - _PASSED_S, too_old - _PASSED_S
        if happened < self._times[1]:
            if self._sent_at(event_id, pixels):
                return False
            too_old = inf
        if len(pixels) == 1:
            prefix = self._scopes.prefix(pixels[0])
            if not prefix or not self._added:  # the usual case
                key = prefix + event_id
                is_first = self._db.execute(_CLAIM, (key, channel, at, key, too_old)).rowcount == 1
                self.new += is_first
                return is_first
        keys = self._scopes.keys(event_id, tuple(pixels))
        if not self._are_free(keys, event_id, channel, too_old):
            return False
        won = [self._db.execute(_CLAIM, (key, channel, at, key, too_old)).rowcount for key in keys]
        self.new += sum(won)
        return sum(won) == len(keys)

    def first_at(self, event_id: str, pixels: Sequence[str], channel: str) -> float:
        """Return when the channel was claimed first, in Unix seconds; 0 if it was not."""
        keys = [*self._scopes.keys(event_id, tuple(pixels)), *([] if self._scopes.suffix else [event_id])]
        found = [
            row[0]
            for key in keys
            if (
                row := self._db.execute(
                    "SELECT at FROM once WHERE event_id = ? AND channel = ?", (key, channel)
                ).fetchone()
            )
        ]
        return float(min(found)) if found else self._sent_at(event_id, pixels)

    def _sent_at(self, event_id: str, pixels: Sequence[str]) -> float:
        """Return when the event left the outbox first, by the ledger, in Unix seconds; 0 if it has no entry."""
        sql, values = _SENT, [event_id, self._scopes.environment]
        if self._scopes.pixels and pixels:
            sql, values = f"{_SENT} AND pixel IN {marks(pixels)}", [*values, *pixels]
        return float(self._db.execute(sql, values).fetchone()[0] or 0.0)

    def _are_free(self, keys: Sequence[str], event_id: str, channel: str, too_old: float) -> bool:
        """Return whether all keys are free, so that either all of them are claimed or none."""
        taken = "SELECT 1 FROM once WHERE event_id = ? AND (channel = ? OR at < ?)"
        if any(self._db.execute(taken, (key, channel, too_old)).fetchone() for key in keys):
            return False
        if self._scopes.suffix or not self._added:
            return True
        earlier = f"{taken} AND at < ?"
        return self._db.execute(earlier, (event_id, channel, too_old, self._added)).fetchone() is None


def forget_old(db: sqlite3.Connection, before: float, surplus: int, limit: int) -> int:
    """Remove at most ``limit`` claims: those made before a time, and the ``surplus`` oldest; return how many."""
    old = db.execute(_OLD, (before, limit)).fetchone()[0]
    return db.execute(_FORGET, (max(old, min(surplus, limit)),)).rowcount


def forget(db: sqlite3.Connection, keys: Sequence[str]) -> int:
    """Remove the claims under ``keys`` on both channels, and return how many there were."""
    return sum(db.execute("DELETE FROM once WHERE event_id = ?", (key,)).rowcount for key in keys)
