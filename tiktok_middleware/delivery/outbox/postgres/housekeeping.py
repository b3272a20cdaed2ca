"""Housekeeping of an outbox in PostgreSQL: remove old rows. One process does it at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from tiktok_middleware.core.events_api.answers import MAX_RETRY_AFTER_S
from tiktok_middleware.delivery.outbox.base import DELAYED, MAX_DELAY_S, Limits, Retention
from tiktok_middleware.delivery.outbox.postgres import deferred_rows
from tiktok_middleware.delivery.outbox.postgres.claims import ONCE_RETENTION_S
from tiktok_middleware.delivery.outbox.postgres.connection import BusyError, Connection, Db
from tiktok_middleware.delivery.outbox.postgres.migrate import lock_key
from tiktok_middleware.delivery.outbox.store_clock import StoreClock

__all__ = ["Housekeeping"]

_PRUNE_EVERY_S = 3600.0
_CLOCK_EVERY_S = 60.0
_MIN_CLAIM_BYTES = 80
_PART = 1000  # rows of each table in one transaction
_MAX_AHEAD_S = 2 * MAX_RETRY_AFTER_S
_FORGOTTEN_AFTER_S = 29 * 86400  # age of a row that no process sends, because its environment or pixel is not used
_PUT_LIFE_S = 14 * 86400  # a put whose answer was lost is asked for until then

_OLD = {
    "claim": "DELETE FROM {schema}.claim WHERE (environment, pixel, event_id, channel) IN"
    " (SELECT environment, pixel, event_id, channel FROM {schema}.claim WHERE at < %s ORDER BY at LIMIT %s)",
    "dead": "DELETE FROM {schema}.dead WHERE id IN"
    " (SELECT id FROM {schema}.dead WHERE died < %s ORDER BY died LIMIT %s)",
    "ledger": "DELETE FROM {schema}.ledger WHERE id IN"
    " (SELECT id FROM (SELECT id, at FROM {schema}.ledger ORDER BY id LIMIT %s) AS oldest WHERE at < %s)",
    # Of environments that no process serves any more; a relay settles the others.
    "draft": "DELETE FROM {schema}.draft WHERE ref IN (SELECT ref FROM {schema}.draft WHERE due < %s LIMIT %s)",
    "draft_end": "DELETE FROM {schema}.draft_end WHERE ref IN"
    " (SELECT ref FROM {schema}.draft_end WHERE at < %s LIMIT %s)",
    "put": "DELETE FROM {schema}.put WHERE writer IN (SELECT writer FROM {schema}.put WHERE at < %s LIMIT %s)",
}
# Claims are counted only where the table is large enough for more than the limit.
_SIZE = "SELECT pg_relation_size('{schema}.claim')"
_SURPLUS_CLAIMS = """DELETE FROM {schema}.claim WHERE (environment, pixel, event_id, channel) IN
    (SELECT environment, pixel, event_id, channel FROM {schema}.claim ORDER BY at
    LIMIT least(greatest((SELECT count(*) FROM {schema}.claim) - %s, 0), %s))"""
_SURPLUS_LEDGER = """DELETE FROM {schema}.ledger WHERE id IN (SELECT id FROM {schema}.ledger ORDER BY id
    LIMIT least(greatest((SELECT max(id) - min(id) + 1 FROM {schema}.ledger) - %s, 0), %s))"""
_FORGOTTEN = """WITH gone AS (DELETE FROM {schema}.event WHERE id IN
    (SELECT id FROM (SELECT * FROM {schema}.event ORDER BY id LIMIT %(part)s FOR UPDATE SKIP LOCKED) AS oldest
    WHERE event_time < %(before)s AND (state <> 2 OR due < %(now)s)) RETURNING *)
    INSERT INTO {schema}.dead
    (id, environment, pixel, source, event, event_id, event_time, paired, body, tries, reason, died)
    SELECT id, environment, pixel, source, event, event_id, event_time, (paired > 0)::int, body, tries, 'expired',
    %(now)s FROM gone ON CONFLICT (id) DO NOTHING"""
_HASTEN = f"""UPDATE {{schema}}.event SET due = %s
    WHERE state > 0 AND due > CASE reason WHEN '{DELAYED}' THEN %s ELSE %s END"""  # noqa: S608 - a constant
_CLOCK = """INSERT INTO {schema}.control VALUES ('clock', %s)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE abs(control.value - excluded.value) > 30"""


class Housekeeping:
    """Does the housekeeping of an outbox in PostgreSQL, for one of its processes.

    Args:
        connection: connection to the database.
        clock: clock of the outbox.
        limits: size limits.
        retention: how long finished events are kept.
        schema: schema of the tables.
        monotonic: returns seconds of a clock that is never set back.
    """

    def __init__(
        self,
        connection: Connection,
        clock: StoreClock,
        limits: Limits,
        retention: Retention,
        *,
        schema: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._limits = limits
        self._retention = retention
        self._key = lock_key(schema, "housekeeping")
        self._monotonic = monotonic
        self._prune_at = 0.0
        self._clock_at = 0.0

    def tidy(self) -> None:
        """Do the housekeeping that is due now."""
        now = self._monotonic()
        self._connection.ensure_open()
        self._clock.now()
        if self._clock.is_in_doubt:
            return
        with contextlib.suppress(BusyError):  # another process does it at this moment
            self._tidy(now)

    def _tidy(self, now: float) -> None:
        if now >= self._clock_at or self._clock.has_stepped_back:
            self._clock_at = now + _CLOCK_EVERY_S
            self._note_clock(is_set_back=self._clock.has_stepped_back)
            self._clock.has_stepped_back = False
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_EVERY_S
            if self._prune():
                self._prune_at = now

    def _note_clock(self, *, is_set_back: bool) -> None:
        """Record the time. If the clock was set back, make rows due now that would wait longer than any wait."""
        with self._connection.transaction() as db:
            now = self._clock.now()
            db.execute(self._connection.sql(_CLOCK), (now,))
            if is_set_back:
                values = (now, now + MAX_DELAY_S, now + _MAX_AHEAD_S)
                db.execute(self._connection.sql(_HASTEN), values)

    def _prune(self) -> bool:
        """Remove a part of the old rows; return whether there may be more to remove."""
        with self._connection.transaction() as db:
            row = db.execute("SELECT pg_try_advisory_xact_lock(%s)", (self._key,)).fetchone()
            if row is None or not row[0]:
                return False
            now = self._clock.now()
            deferred_rows.prune(self._connection, db, now)
            gone = [
                self._remove(db, _OLD["claim"], (now - ONCE_RETENTION_S, _PART)),
                self._remove(db, _OLD["dead"], (now - self._retention.dead_s, _PART)),
                self._remove(db, _OLD["ledger"], (_PART, now - self._retention.ledger_s)),
                self._remove(db, _OLD["put"], (now - _PUT_LIFE_S, _PART)),
                self._remove(db, _OLD["draft"], (now - _FORGOTTEN_AFTER_S, _PART)),
                self._remove(db, _OLD["draft_end"], (now - _FORGOTTEN_AFTER_S, _PART)),
                self._remove_surplus_claims(db),
                self._remove(db, _SURPLUS_LEDGER, (self._limits.ledger, _PART)),
            ]
            values = {"part": _PART, "before": now - _FORGOTTEN_AFTER_S, "now": now}
            gone.append(db.execute(self._connection.sql(_FORGOTTEN), values).rowcount)
        return _PART in gone

    def _remove_surplus_claims(self, db: Db) -> int:
        most = self._limits.claims
        [size] = db.execute(self._connection.sql(_SIZE)).fetchone() or (0,)
        return self._remove(db, _SURPLUS_CLAIMS, (most, _PART)) if size > most * _MIN_CLAIM_BYTES else 0

    def _remove(self, db: Db, sql: str, values: tuple[object, ...]) -> int:
        return db.execute(self._connection.sql(sql), values).rowcount
