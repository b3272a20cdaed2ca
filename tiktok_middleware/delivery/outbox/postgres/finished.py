"""Rows that leave the outbox: delivered, or turned into dead letters. Both are entered in the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.ledger import DELIVERED, ledger_entries
from tiktok_middleware.delivery.outbox.postgres.connection import Db
from tiktok_middleware.delivery.outbox.postgres.rows import bury, delete, note_in_ledger
from tiktok_middleware.delivery.outbox.postgres.schema import storable
from tiktok_middleware.delivery.outbox.postgres.store import Store
from tiktok_middleware.errors import OutboxError

__all__ = ["FinishedRows"]

_MAX_UNACKED = 100  # batches

_CUT_DEAD = """DELETE FROM {schema}.dead WHERE id IN (SELECT id FROM {schema}.dead ORDER BY died, id
    LIMIT greatest((SELECT count(*) FROM {schema}.dead) - %s, 0))"""
_KEEP_DEAD = """INSERT INTO {schema}.dead
    (id, environment, pixel, source, event, event_id, event_time, paired, body, tries, reason, died)
    SELECT nextval(pg_get_serial_sequence('{schema}.event', 'id')), %s, pixel, source, event, event_id, event_time,
    paired, body, 0, %s, %s FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::smallint[],
    %s::bytea[]) AS new (pixel, source, event, event_id, event_time, paired, body)"""


class FinishedRows:
    """Takes finished rows out of one outbox.

    Args:
        store: what the outbox's parts share.
        keeps_ledger: whether they are entered in the ledger.
    """

    def __init__(self, store: Store, *, keeps_ledger: bool) -> None:
        self._store = store
        self._connection = store.relay
        self._keeps_ledger = keeps_ledger
        self._unacked: deque[tuple[str, Sequence[LeasedRecord], str]] = deque(maxlen=_MAX_UNACKED)

    def ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str) -> int:
        """Remove delivered rows; see `Outbox.ack`."""
        try:
            return self._ack(owner, rows, request_id)
        except OutboxError:
            # TikTok has them: once the database answers again, they must not be sent again.
            self._unacked.append((owner, rows, request_id))
            raise

    def ack_late(self) -> None:
        """Acknowledge the rows whose acknowledgement has failed."""
        while self._unacked:
            self._ack(*self._unacked[0])
            self._unacked.popleft()

    def _ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str) -> int:
        with self._connection.transaction() as db:
            mine = delete(self._connection, db, owner, rows)
            self._enter(db, mine, DELIVERED, request_id)
        self._uncount(mine)
        return len(mine)

    def bury(self, owner: str, rows: Sequence[LeasedRecord], reason: str) -> tuple[int, int]:
        """Turn rows into dead letters; return how many, and how many old dead letters were removed for them."""
        if not rows:
            return 0, 0
        with self._connection.transaction() as db:
            letter: dict[str, object] = {
                "counted": self._store.scope.of(rows[0].record.pixel),
                "reason": storable(reason),
                "died": self._store.clock.now(),
            }
            mine = bury(self._connection, db, owner, rows, letter)
            self._enter(db, mine, _cause(reason))
            surplus = self._cut_dead(db)
        self._uncount(mine)
        return len(mine), surplus

    def keep_dead(self, records: Sequence[Record], reason: str) -> int:
        """Store dead letters that never waited here; return how many old ones were removed for them."""
        with self._connection.transaction() as db:
            now = self._store.clock.now()
            columns = zip(
                *((r.pixel, r.source, r.event, r.event_id, r.event_time, int(r.paired), r.body) for r in records),
                strict=True,
            )
            values = (self._store.environment, storable(reason), now, *(list(column) for column in columns))
            db.execute(self._connection.sql(_KEEP_DEAD), values)
            self._enter(db, [LeasedRecord(0, 0, record) for record in records], _cause(reason))
            return self._cut_dead(db)

    def _enter(self, db: Db, rows: Sequence[LeasedRecord], reason: str, request_id: str = "") -> None:
        """Enter removed rows in the ledger."""
        if not self._keeps_ledger:
            return
        now = self._store.clock.now()
        entries = ledger_entries(self._store.environment, rows, reason, storable(request_id), now)
        # An order's number may hold any character.
        entries = [msgspec.structs.replace(one, order_id=storable(one.order_id)) for one in entries]
        note_in_ledger(self._connection, db, entries)

    def _cut_dead(self, db: Db) -> int:
        return db.execute(self._connection.sql(_CUT_DEAD), (self._store.limits.dead,)).rowcount

    def _uncount(self, rows: Sequence[LeasedRecord]) -> None:
        for row in rows:
            self._store.usage.add(row.record.pixel, -1, -len(row.record.body))


def _cause(reason: str) -> str:
    return "expired" if reason == "expired" else "rejected"
