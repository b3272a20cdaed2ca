"""Store the entries of requests and make their claims. A put that is repeated changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from tiktok_middleware.core.events.event import PAGE_VIEW, Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.admission import Admission
from tiktok_middleware.delivery.outbox.base import DELAYED, MAX_DELAY_S, claim_of, uncommitted
from tiktok_middleware.delivery.outbox.deferred import handed_out
from tiktok_middleware.delivery.outbox.postgres import deferred_rows
from tiktok_middleware.delivery.outbox.postgres.claims import PostgresClaims
from tiktok_middleware.delivery.outbox.postgres.connection import Db, LostRaceError
from tiktok_middleware.delivery.outbox.postgres.drafts import Drafts
from tiktok_middleware.delivery.outbox.postgres.rows import NewRow, insert
from tiktok_middleware.delivery.outbox.postgres.schema import LEASED
from tiktok_middleware.delivery.outbox.postgres.store import Store

__all__ = ["Puts"]

_NOTE = """INSERT INTO {schema}.put (writer, number, claims, at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (writer) DO UPDATE SET number = excluded.number, claims = excluded.claims, at = excluded.at
    WHERE put.number < excluded.number"""
_FIND = "SELECT claims FROM {schema}.put WHERE writer = %s AND number = %s"
_FIND_WRITER = "SELECT number, claims FROM {schema}.put WHERE writer = %s"
_VIEWS = f"""DELETE FROM {{schema}}.event WHERE id IN (SELECT id FROM {{schema}}.event WHERE environment = %s
    AND pixel = %s AND event = '{PAGE_VIEW}' AND state <> {LEASED} ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING octet_length(body)"""  # noqa: S608 - constants


class Puts:
    """Puts of one outbox.

    Args:
        store: what the outbox's parts share.
        drafts: drafts of the app's own transactions.
    """

    def __init__(self, store: Store, drafts: Drafts) -> None:
        self._store = store
        self._drafts = drafts
        self._connection = store.requests

    def put(self, entries: Sequence[OutboxEntry], put_id: bytes) -> tuple[list[Claim], Admission | None]:
        """Return each entry's claim, and what was stored; None if an earlier try has stored it."""
        won, admission = self._connection.retried(lambda db: self._put(db, entries, put_id))
        for record in admission.all_stored() if admission else ():
            self._store.usage.add(record.pixel, 1, len(record.body))
        return won, admission

    def _put(self, db: Db, entries: Sequence[OutboxEntry], put_id: bytes) -> tuple[list[Claim], Admission | None]:
        if put_id and (earlier := self._earlier(db, put_id, len(entries))) is not None:
            return earlier, None
        now = self._store.clock.now()
        found = self._drafts.close(db, entries, now)
        stored, admission = self.store_in(db, [entry for entry in found if entry is not None], put_id)
        claims = iter(stored)
        won = [uncommitted(entry) if one is None else next(claims) for entry, one in zip(entries, found, strict=True)]
        if put_id and not self._note(db, put_id, won, now):
            raise LostRaceError  # the first try of this put was committed in between
        return won, admission

    def store_in(self, db: Db, entries: Sequence[OutboxEntry], put_id: bytes) -> tuple[list[Claim], Admission]:
        """Store entries within a transaction; return their claims and what was stored."""
        store = self._store
        claims = PostgresClaims(self._connection, db, store.scope, store.clock, put_id)
        claims.read(entries, store.scope.pixels)
        admission = self._admission(db, entries)
        won = [admission.decide(entry, claims) for entry in entries]
        claims.make()
        now = store.clock.now()
        rows = [NewRow(record, now) for record in admission.stored]
        rows += [NewRow(record, now + min(delay_s, MAX_DELAY_S), DELAYED) for delay_s, record in admission.delayed]
        insert(self._connection, db, store.environment, rows, put_id)
        deferred_rows.keep(self._connection, db, handed_out(entries, won), now, store.limits.deferred)
        return won, admission

    def stored(self, put_id: bytes) -> list[Claim] | None:
        """Return the claims of an earlier put, None if it was not committed."""
        rows = self._connection.read(self._connection.sql(_FIND), (put_id[:8], int.from_bytes(put_id[8:], "big")))
        return _claims(rows[0][0]) if rows else None

    def _earlier(self, db: Db, put_id: bytes, entries: int) -> list[Claim] | None:
        """Return the claims of an earlier put; none at all if its writer has stored a later one since."""
        number = int.from_bytes(put_id[8:], "big")
        row = db.execute(self._connection.sql(_FIND_WRITER), (put_id[:8],)).fetchone()
        if row is None or row[0] < number:
            return None
        return _claims(row[1]) if row[0] == number else [claim_of(browser=False, server=False)] * entries

    def _note(self, db: Db, put_id: bytes, won: Sequence[Claim], now: float) -> bool:
        packed = bytes([claim.browser + 2 * claim.server + 4 * (not claim.is_committed) for claim in won])
        values = (put_id[:8], int.from_bytes(put_id[8:], "big"), packed, now)
        return db.execute(self._connection.sql(_NOTE), values).rowcount == 1

    def _admission(self, db: Db, entries: Sequence[OutboxEntry]) -> Admission:
        """Return the admission of a put, after page views were removed to make room for conversions."""
        pixels = {record.pixel for entry in entries for record in entry.records}
        monotonic, usage = self._store.monotonic(), self._store.usage
        space = {pixel: usage.space(self._connection, db, pixel, len(entries), monotonic) for pixel in pixels}
        admission = Admission(space, self._store.scope.pixels)
        for pixel in pixels:
            if space[pixel].is_short_of(entries):
                self._make_room(db, admission, pixel, entries)
        return admission

    def _make_room(self, db: Db, admission: Admission, pixel: str, entries: Sequence[OutboxEntry]) -> None:
        rows, size = admission.missing(pixel, entries)
        share = max(1, self._store.limits.rows // 100)
        while rows > 0 or size > 0:
            values = (self._store.environment, pixel, max(rows, share))
            found = db.execute(self._connection.sql(_VIEWS), values).fetchall()
            if not found:
                return
            freed = sum(length for (length,) in found)
            self._store.usage.forget(pixel)
            admission.freed(pixel, len(found), freed)
            rows, size = rows - len(found), size - freed


def _claims(packed: bytes) -> list[Claim]:
    return [_claim(byte) for byte in bytes(packed)]


def _claim(byte: int) -> Claim:
    browser, server = bool(byte & 1), bool(byte & 2)
    return Claim(browser, server, is_committed=False) if byte & 4 else claim_of(browser, server)
