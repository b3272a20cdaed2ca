"""Claims in an outbox file: which channels have carried which event."""

# ruff: noqa: S608 - only constants are formatted into SQL

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import inf

from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S
from tiktok_middleware.delivery.outbox.sqlite.rows import marks
from tiktok_middleware.delivery.outbox.sqlite.schema import LEDGER_PART
from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes
from tiktok_middleware.delivery.outbox.store_clock import StoreClock

__all__ = ["ONCE_RETENTION_S", "SENT", "SqliteClaims", "forget", "forget_old"]

ONCE_RETENTION_S = 400 * 86400
"""How long a claim is kept, in seconds: a year and a month."""

_PASSED_S = ONCE_RETENTION_S - 4 * 86400  # an id made by a browser is valid for two days before and after its time
_CLAIM = "INSERT OR IGNORE INTO once SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM once WHERE event_id = ? AND at < ?)"
_CLAIM_BOTH = "INSERT INTO once VALUES (?, 'browser', ?), (?, 'server', ?)"
_OLD = "SELECT count(*) FROM (SELECT 1 FROM once WHERE at < ? LIMIT ?)"
_AT = "SELECT at FROM once WHERE event_id = ? AND channel = ?"
SENT = f"""WITH RECURSIVE part (number, last) AS (
    SELECT (SELECT min(id) FROM ledger) / {LEDGER_PART}, (SELECT max(id) FROM ledger) / {LEDGER_PART}
    UNION ALL SELECT number + 1, last FROM part WHERE number < last)
    SELECT min(at) FROM part CROSS JOIN ledger ON id / {LEDGER_PART} = part.number AND event_id = ?
    WHERE environment = ? AND (reason = 'delivered' OR channels <> 'server')"""
"""When an event left the outbox first, by the ledger; its placeholders take the event id and the environment."""
_FORGET = "DELETE FROM once WHERE (event_id, channel) IN (SELECT event_id, channel FROM once ORDER BY at LIMIT ?)"


class SqliteClaims:
    """Claims within one transaction.

    Args:
        db: the connection.
        scopes: scopes of the outbox.
        clock: clock of the outbox.
        added: when scopes were added to the file, in Unix seconds; production's claims before that have no pixel.
            0 if there were none.
        now: the clock's time, in Unix seconds.

    Attributes:
        new: number of claims made.
    """

    __slots__ = ("_added", "_clock", "_cutoff", "_db", "_now", "_scopes", "_sent", "new")

    def __init__(self, db: sqlite3.Connection, scopes: Scopes, clock: StoreClock, added: float, now: float) -> None:
        self._db = db
        self._scopes = scopes
        self._clock = clock
        self._cutoff: float | None = None
        self._added = added
        self._now = now
        self._sent: dict[tuple[str, tuple[str, ...]], float] = {}
        self.new: int = 0

    def wins(self, event_id: str, pixels: Sequence[str], channel: str, passing: bool, happened: float = inf) -> bool:
        if self._cutoff is None:
            self._cutoff = self._clock.cutoff(PAIRED_TTL_S)
        at, too_old = self._now, self._cutoff
        if passing:  # stored with an older time, so that it is removed earlier than others
            at, too_old = at - _PASSED_S, too_old - _PASSED_S
        if happened < self._cutoff:
            if self._sent_at(event_id, pixels):
                return False
            too_old = inf
        if (key := self._only_key(event_id, pixels)) is not None:
            is_first = self._db.execute(_CLAIM, (key, channel, at, key, too_old)).rowcount == 1
            self.new += is_first
            return is_first
        keys = self._scopes.keys(event_id, tuple(pixels))
        if not self._are_free(keys, event_id, channel, too_old):
            return False
        won = [self._db.execute(_CLAIM, (key, channel, at, key, too_old)).rowcount for key in keys]
        self.new += sum(won)
        return sum(won) == len(keys)

    def wins_both(self, event_id: str, pixels: Sequence[str], passing: bool) -> tuple[bool, bool]:
        """As `Claims.wins_both`: in one statement if neither channel was claimed before, as for nearly all events."""
        if (key := self._only_key(event_id, pixels)) is not None:
            at = self._now - _PASSED_S if passing else self._now
            try:
                self._db.execute(_CLAIM_BOTH, (key, at, key, at))
            except sqlite3.IntegrityError:  # a channel was claimed before, so that nothing was inserted
                pass
            else:
                self.new += 2
                return True, True
        return self.wins(event_id, pixels, "browser", passing), self.wins(event_id, pixels, "server", passing)

    def _only_key(self, event_id: str, pixels: Sequence[str]) -> str | None:
        """Return the key of an event that has one and no other claims; None if there may be several."""
        if len(pixels) != 1:
            return None
        prefix = self._scopes.prefix(pixels[0])
        return None if prefix and self._added else prefix + event_id  # nearly always the key

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
        return float(min(found)) if found else self._sent.get((event_id, tuple(pixels)), 0.0)

    def _sent_at(self, event_id: str, pixels: Sequence[str]) -> float:
        """Look up when the event left the outbox first, by the ledger, in Unix seconds; 0 if it has no entry."""
        sql, values = SENT, [event_id, self._scopes.environment]
        if self._scopes.pixels and pixels:
            sql, values = f"{SENT} AND pixel IN {marks(pixels)}", [*values, *pixels]
        at = self._sent[event_id, tuple(pixels)] = float(self._db.execute(sql, values).fetchone()[0] or 0.0)
        return at

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
