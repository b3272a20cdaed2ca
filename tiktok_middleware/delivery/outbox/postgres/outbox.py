"""Outbox in PostgreSQL, which the processes of all hosts share."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from tiktok_middleware.core.events.event import PAGE_VIEW, Claim, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.admission import Admission
from tiktok_middleware.delivery.outbox.base import (
    DELAYED,
    MAX_DELAY_S,
    RUNNING,
    LeasedRecord,
    LeaseHolder,
    Limits,
    Retention,
    Switches,
    claim_of,
)
from tiktok_middleware.delivery.outbox.deferred import handed_out
from tiktok_middleware.delivery.outbox.environment import PRODUCTION
from tiktok_middleware.delivery.outbox.ledger import DELIVERED, ledger_entries
from tiktok_middleware.delivery.outbox.postgres import deferred_rows
from tiktok_middleware.delivery.outbox.postgres.address import read_address
from tiktok_middleware.delivery.outbox.postgres.claims import ClaimScope, PostgresClaims
from tiktok_middleware.delivery.outbox.postgres.clock import DatabaseClock
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db, LostRaceError
from tiktok_middleware.delivery.outbox.postgres.housekeeping import Housekeeping
from tiktok_middleware.delivery.outbox.postgres.migrate import lock_key
from tiktok_middleware.delivery.outbox.postgres.queues import CONTROL, DueQueue, Queue, Queues
from tiktok_middleware.delivery.outbox.postgres.rows import PAIRED, NewRow, bury, delete, insert, note_in_ledger
from tiktok_middleware.delivery.outbox.postgres.running import RUNNING as RUNNING_QUERY
from tiktok_middleware.delivery.outbox.postgres.running import Running, lock_class
from tiktok_middleware.delivery.outbox.postgres.schema import LEASED, WAITING
from tiktok_middleware.delivery.outbox.postgres.usage import Usage
from tiktok_middleware.delivery.outbox.store_clock import StoreClock
from tiktok_middleware.errors import OutboxError

__all__ = ["SHARED_LIMITS", "PostgresOutbox"]

SHARED_LIMITS = Limits(rows=2_000_000, bytes=2 * 1024 * 1024 * 1024, dead=100_000)

_STATEMENT_MS = 2000
_MANY = 1000  # ready rows from which several relays send the same pixel
_TURN_S = 0.02  # wait after another relay was leasing the same pixel
_RUNNING_S = 0.1
_MAX_UNACKED = 100  # batches
_DOUBT_S = 5.0

_NOTE_PUT = """INSERT INTO {schema}.put (writer, number, claims, at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (writer) DO UPDATE SET number = excluded.number, claims = excluded.claims, at = excluded.at
    WHERE put.number < excluded.number"""
_FIND_PUT = "SELECT claims FROM {schema}.put WHERE writer = %s AND number = %s"
_FIND_WRITER = "SELECT number, claims FROM {schema}.put WHERE writer = %s"
_VIEWS = f"""DELETE FROM {{schema}}.event WHERE id IN (SELECT id FROM {{schema}}.event WHERE environment = %s
    AND pixel = %s AND event = '{PAGE_VIEW}' AND state <> {LEASED} ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING octet_length(body)"""  # noqa: S608 - constants
_READY = """SELECT count(*) FROM (SELECT 1 FROM {schema}.event WHERE environment = %s AND pixel = %s AND source = %s
    AND state = 0 AND id > %s LIMIT %s) AS ready"""
_LEASE = f"""WITH timed AS (
        SELECT id, due FROM {{schema}}.event WHERE environment = %(environment)s AND pixel = %(pixel)s
        AND source = %(source)s AND state > 0 AND due > %(due_floor)s AND due <= %(now)s
        ORDER BY due, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
    ready AS (
        SELECT id FROM {{schema}}.event WHERE environment = %(environment)s AND pixel = %(pixel)s
        AND source = %(source)s AND state = 0 AND id > %(id_floor)s
        ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
    ordered AS (
        SELECT id, row_number() OVER (ORDER BY kind, due, id) AS place
        FROM (SELECT id, due, 0 AS kind FROM timed UNION ALL SELECT id, 0, 1 FROM ready) AS both_kinds),
    sized AS (
        SELECT ordered.id, place, sum(octet_length(body)) OVER (ORDER BY place) AS size
        FROM ordered JOIN {{schema}}.event USING (id) WHERE place <= %(limit)s)
    UPDATE {{schema}}.event SET state = {LEASED}, owner = %(owner)s, due = %(until)s
    FROM sized WHERE event.id = sized.id AND (place = 1 OR size <= %(limit_bytes)s)
    RETURNING place, event.id, tries, event.event, event.event_id, event_time, {PAIRED}, body"""  # noqa: S608 - constants
_MOVE = f"UPDATE {{schema}}.event SET {{change}} WHERE id = ANY(%s) AND owner = %s AND state = {LEASED}"  # noqa: S608
_CUT_DEAD = """DELETE FROM {schema}.dead WHERE id IN (SELECT id FROM {schema}.dead ORDER BY died, id
    LIMIT greatest((SELECT count(*) FROM {schema}.dead) - %s, 0))"""
_KEEP_DEAD = """INSERT INTO {schema}.dead
    (id, environment, pixel, source, event, event_id, event_time, paired, body, tries, reason, died)
    SELECT nextval(pg_get_serial_sequence('{schema}.event', 'id')), %s, pixel, source, event, event_id, event_time,
    paired, body, 0, %s, %s FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::smallint[],
    %s::bytea[]) AS new (pixel, source, event, event_id, event_time, paired, body)"""
_SENT = "environment = %(environment)s AND (%(all)s OR pixel = ANY(%(pixels)s))"
_CANCEL = f"""WITH gone AS (DELETE FROM {{schema}}.event WHERE event_id = %(event_id)s AND {_SENT}
        AND NOT (state = {LEASED} AND due > %(now)s) RETURNING 1),
    dead AS (DELETE FROM {{schema}}.dead WHERE event_id = %(event_id)s AND {_SENT} RETURNING 1)
    SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM dead), (SELECT count(*) FROM {{schema}}.event
        WHERE event_id = %(event_id)s AND {_SENT} AND state = {LEASED} AND due > %(now)s)"""  # noqa: S608 - constants
_HOLDS = f"""SELECT 1 FROM {{schema}}.event WHERE {_SENT} AND NOT pixel = ANY(%(blocked)s) AND id <= %(up_to)s
    AND (state = {LEASED} OR due <= %(until)s) LIMIT 1"""  # noqa: S608 - constants
_COUNTS = """SELECT count(*), coalesce(sum(octet_length(body)), 0)::bigint,
    (SELECT count(*) FROM {schema}.dead WHERE environment = %(environment)s)
    FROM {schema}.event WHERE environment = %(environment)s"""
_OLDEST = "SELECT event_time FROM {schema}.event WHERE environment = %s ORDER BY id LIMIT 1"
_LAST_ID = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{schema}.event', 'id')::regclass), 0)"


class PostgresOutbox:
    """Implements the `Outbox` contract in PostgreSQL; nothing is opened before the first call.

    It has two connections: one for what requests wait for, one for the relay.

    Args:
        url: ``postgresql://`` address.
        limits: size limits.
        retention: how long finished events are kept.
        environment: environment of this process's records and claims.
        pixels: pixels of this process's pages; if empty, all pixels count as one.
        sends: pixels whose records this process sends; empty for all of the environment.
        clock: returns Unix seconds; None for the database's clock.
        monotonic: returns seconds of a clock that is never set back.

    Attributes:
        name: the address without its password.
        wait_s: how long a put waits for an answer before its events wait on this host, in seconds.

    Raises:
        ConfigError: the address is malformed.
    """

    def __init__(
        self,
        url: str,
        *,
        limits: Limits = SHARED_LIMITS,
        retention: Retention = Retention(),  # noqa: B008 - it cannot be changed
        environment: str = PRODUCTION,
        pixels: Sequence[str] = (),
        sends: Sequence[str] = (),
        clock: Callable[[], float] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self.duplicates: int = 0
        address = read_address(url)
        self.name: str = address.shown
        self.wait_s: float = address.wait_s
        self._schema = address.schema
        self._channel = f"{address.schema}_put"
        database_clock = DatabaseClock(monotonic)
        self._clock = StoreClock(clock or database_clock, monotonic)
        self._monotonic = monotonic
        self._store = Connection(address, _STATEMENT_MS, database_clock.saw, self._note_opened)
        self._send = Connection(address, _STATEMENT_MS, database_clock.saw, self._note_opened)
        self._limits = limits
        self._environment = environment
        self._scope = ClaimScope(environment, tuple(pixels))
        self._sends = tuple(sends)
        self._usage = Usage(environment, limits)
        self._queues = Queues(environment, self._sends)
        self._housekeeping = Housekeeping(
            self._send, self._clock, limits, retention, schema=self._schema, monotonic=monotonic
        )
        self._switches = RUNNING
        self._resumes = 0
        self._turn_at = 0.0
        self._last_now = 0.0
        self._unacked: deque[tuple[str, Sequence[LeasedRecord], str]] = deque(maxlen=_MAX_UNACKED)
        self._running: Running | None = None
        self._running_at = 0.0

    def _note_opened(self, db: Db) -> None:
        """Resume the outbox's clock; called with each new connection."""
        rows = db.execute(self._store.sql(CONTROL)).fetchall()
        self._note_control(rows)
        recorded = float({name: value for name, value in rows}.get("clock", 0.0))  # noqa: C416 - its type
        self._clock.resume(recorded)
        now = self._clock.now()
        if not recorded and not self._clock.is_in_doubt:
            db.execute(
                self._store.sql("INSERT INTO {schema}.control VALUES ('clock', %s) ON CONFLICT DO NOTHING"), (now,)
            )

    # What requests wait for

    def put(
        self,
        entries: Sequence[OutboxEntry],
        *,
        put_id: bytes = b"",
        holder: LeaseHolder | None = None,  # noqa: ARG002 - one relay leases the rows of all processes
    ) -> list[Claim]:
        won, admission = self._store.retried(lambda db: self._put(db, entries, put_id))
        if admission is None:
            return won
        for record in admission.all_stored():
            self._usage.add(record.pixel, 1, len(record.body))
        self.dropped += admission.dropped
        self.duplicates += admission.duplicates
        return won

    def _put(self, db: Db, entries: Sequence[OutboxEntry], put_id: bytes) -> tuple[list[Claim], Admission | None]:
        if put_id and (earlier := self._find_put(db, put_id, len(entries))) is not None:
            return earlier, None
        claims = PostgresClaims(self._store, db, self._scope, self._clock, put_id)
        claims.read(entries, self._scope.pixels)
        admission = self._admission(db, entries)
        won = [admission.decide(entry, claims) for entry in entries]
        claims.make()
        now = self._clock.now()
        rows = [NewRow(record, now) for record in admission.stored]
        rows += [NewRow(record, now + min(delay_s, MAX_DELAY_S), DELAYED) for delay_s, record in admission.delayed]
        insert(self._store, db, self._environment, rows, put_id)
        deferred_rows.keep(self._store, db, handed_out(entries, won), now, self._limits.deferred)
        if put_id and not self._note_put(db, put_id, won, now):
            raise LostRaceError  # the first try of this put was committed in between
        return won, admission

    def stored(self, put_id: bytes) -> list[Claim] | None:
        rows = self._store.read(self._store.sql(_FIND_PUT), (put_id[:8], int.from_bytes(put_id[8:], "big")))
        return _claims(rows[0][0]) if rows else None

    def _find_put(self, db: Db, put_id: bytes, entries: int) -> list[Claim] | None:
        """Return the claims of an earlier put; none at all if its writer has stored a later one since."""
        number = int.from_bytes(put_id[8:], "big")
        row = db.execute(self._store.sql(_FIND_WRITER), (put_id[:8],)).fetchone()
        if row is None or row[0] < number:
            return None
        return _claims(row[1]) if row[0] == number else [claim_of(browser=False, server=False)] * entries

    def _note_put(self, db: Db, put_id: bytes, won: Sequence[Claim], now: float) -> bool:
        packed = bytes([claim.browser + 2 * claim.server for claim in won])
        values = (put_id[:8], int.from_bytes(put_id[8:], "big"), packed, now)
        return db.execute(self._store.sql(_NOTE_PUT), values).rowcount == 1

    def _admission(self, db: Db, entries: Sequence[OutboxEntry]) -> Admission:
        """Return the admission of a put, after page views were removed to make room for conversions."""
        pixels = {record.pixel for entry in entries for record in entry.records}
        monotonic = self._monotonic()
        space = {pixel: self._usage.space(self._store, db, pixel, len(entries), monotonic) for pixel in pixels}
        admission = Admission(space, self._scope.pixels)
        for pixel in pixels:
            if space[pixel].is_short_of(entries):
                self._make_room(db, admission, pixel, entries)
        return admission

    def _make_room(self, db: Db, admission: Admission, pixel: str, entries: Sequence[OutboxEntry]) -> None:
        rows, size = admission.missing(pixel, entries)
        share = max(1, self._limits.rows // 100)
        while rows > 0 or size > 0:
            found = db.execute(self._store.sql(_VIEWS), (self._environment, pixel, max(rows, share))).fetchall()
            if not found:
                return
            freed = sum(length for (length,) in found)
            self._usage.forget(pixel)
            admission.freed(pixel, len(found), freed)
            rows, size = rows - len(found), size - freed

    def take(self, ref: str) -> bytes | None:
        self._store.ensure_open()
        return deferred_rows.take(self._store, ref, self._clock.now())

    def cancel(self, event_id: str) -> bool:
        values = {"event_id": event_id, **self._sent()}

        def work(db: Db) -> bool:
            removed, in_flight = db.execute(
                self._store.sql(_CANCEL), {**values, "now": self._clock.now()}
            ).fetchone() or (0, 0)
            claims = PostgresClaims(self._store, db, self._scope, self._clock, b"")
            claims.read_keys([(pixel, event_id) for pixel in self._scope.all_of(self._scope.pixels)])
            is_new = claims.wins(event_id, self._scope.pixels, "server", passing=False)
            claims.make()
            return not in_flight and bool(removed or is_new)

        return self._store.retried(work)

    # What the relay does

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[LeasedRecord]:
        self._ack_late()
        dues = self._dues(pixels_blocked)
        if not dues or self._clock.is_in_doubt or dues[0].due > self._clock.now():
            return []  # most calls end here, without a transaction
        due = dues[0]
        with self._send.transaction() as db:
            if not self._has_turn(db, due):
                self._turn_at = time.monotonic() + _TURN_S
                return []
            asked = {"owner": owner, "limit": limit, "limit_bytes": limit_bytes, "for_s": for_s}
            return self._lease(db, due.queue, asked)

    def _has_turn(self, db: Db, due: DueQueue) -> bool:
        """Return whether this relay may lease: no other one does at this moment, or there is enough for several."""
        key = lock_key(self._schema, self._environment, due.queue.pixel)
        row = db.execute("SELECT pg_try_advisory_xact_lock(%s)", (key,)).fetchone()
        if row is not None and row[0]:
            return True
        if due.first_id is None:
            return False
        values = (self._environment, *due.queue, due.first_id - 1, _MANY)
        row = db.execute(self._send.sql(_READY), values).fetchone()
        return row is not None and row[0] >= _MANY

    def _lease(self, db: Db, queue: Queue, asked: dict[str, Any]) -> list[LeasedRecord]:
        now, floors = self._clock.now(), self._queues.floors(queue)
        found = db.execute(
            self._send.sql(_LEASE),
            {
                "environment": self._environment,
                "pixel": queue.pixel,
                "source": queue.source,
                "counted": self._scope.of(queue.pixel),
                "due_floor": floors.due,
                "id_floor": floors.id,
                "now": now,
                "until": now + asked["for_s"],
                **asked,
            },
            binary=True,
        ).fetchall()
        rows = []
        for _, id_, tries, event, event_id, event_time, paired, body in sorted(found, key=lambda row: row[0]):
            record = Record(queue.pixel, queue.source, event, event_id, event_time, bytes(body), paired)
            rows.append(LeasedRecord(id_, tries, record, now - event_time))
            floors.highest = max(floors.highest, id_)
        return rows

    def ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str = "") -> int:
        try:
            return self._ack(owner, rows, request_id)
        except OutboxError:
            # TikTok has them: once the database answers again, they must not be sent again.
            self._unacked.append((owner, rows, request_id))
            raise

    def _ack_late(self) -> None:
        """Acknowledge the rows whose acknowledgement has failed."""
        while self._unacked:
            self._ack(*self._unacked[0])
            self._unacked.popleft()

    def _ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str) -> int:
        with self._send.transaction() as db:
            mine = delete(self._send, db, owner, rows)
            self._enter(db, mine, DELIVERED, request_id)
        self._uncount(mine)
        return len(mine)

    def _uncount(self, rows: Sequence[LeasedRecord]) -> None:
        for row in rows:
            self._usage.add(row.record.pixel, -1, -len(row.record.body))

    def _enter(self, db: Db, rows: Sequence[LeasedRecord], reason: str, request_id: str = "") -> None:
        """Enter removed rows in the ledger."""
        if self._housekeeping.keeps_ledger:
            entries = ledger_entries(self._environment, rows, reason, _storable(request_id), self._clock.now())
            # An order's number may hold any character.
            entries = [msgspec.structs.replace(one, order_id=_storable(one.order_id)) for one in entries]
            note_in_ledger(self._send, db, entries)

    def renew(self, owner: str, ids: Collection[int], for_s: float) -> int:
        return self._move("due = %s", for_s, (), owner, ids)

    def retry(self, owner: str, ids: Collection[int], after_s: float, reason: str = "") -> int:
        change = f"due = %s, reason = %s, owner = NULL, tries = tries + 1, state = {WAITING}"
        return self._move(change, after_s, (_storable(reason),), owner, ids)

    def release(self, owner: str, ids: Collection[int], reason: str = "") -> int:
        if reason:
            change = f"due = %s, reason = %s, owner = NULL, state = {WAITING}"
            return self._move(change, 0.0, (_storable(reason),), owner, ids)
        return self._move(f"due = %s, owner = NULL, state = {WAITING}", 0.0, (), owner, ids)

    def _move(self, change: str, after_s: float, values: tuple[object, ...], owner: str, ids: Collection[int]) -> int:
        """Change rows that ``owner`` holds; they are due after ``after_s`` seconds."""
        sql = _MOVE.replace("{change}", change)
        with self._send.transaction() as db:
            due = self._clock.now() + after_s
            return db.execute(self._send.sql(sql), (due, *values, list(ids), owner)).rowcount

    def bury(self, owner: str, rows: Sequence[LeasedRecord], reason: str) -> int:
        if not rows:
            return 0
        with self._send.transaction() as db:
            letter: dict[str, object] = {
                "counted": self._scope.of(rows[0].record.pixel),
                "reason": _storable(reason),
                "died": self._clock.now(),
            }
            mine = bury(self._send, db, owner, rows, letter)
            self._enter(db, mine, "expired" if reason == "expired" else "rejected")
            surplus = self._cut_dead(db)
        self.dropped += Counter(overflow_dead=surplus)
        self._uncount(mine)
        return len(mine)

    def _cut_dead(self, db: Db) -> int:
        return db.execute(self._send.sql(_CUT_DEAD), (self._limits.dead,)).rowcount

    def keep_dead(self, records: Sequence[Record], reason: str) -> None:
        """Store ``records`` as dead letters that never waited in this outbox. Used by workers."""
        with self._send.transaction() as db:
            now = self._clock.now()
            columns = zip(
                *((r.pixel, r.source, r.event, r.event_id, r.event_time, int(r.paired), r.body) for r in records),
                strict=True,
            )
            values = (self._environment, _storable(reason), now, *(list(column) for column in columns))
            db.execute(self._send.sql(_KEEP_DEAD), values)
            rows = [LeasedRecord(0, 0, record) for record in records]
            self._enter(db, rows, "expired" if reason == "expired" else "rejected")
            surplus = self._cut_dead(db)
        self.dropped += Counter(overflow_dead=surplus)

    def due_in_s(self, pixels_blocked: Collection[str] = ()) -> float | None:
        dues = self._dues(pixels_blocked)
        now = self._clock.now()
        if not dues:
            return None
        if self._clock.is_in_doubt:
            return max(dues[0].due - now, _DOUBT_S)
        return max(dues[0].due - now, self._turn_at - time.monotonic())

    def _dues(self, blocked: Collection[str]) -> list[DueQueue]:
        """Return the queues with rows, soonest due first."""
        monotonic = self._monotonic()
        is_whole = self._queues.is_whole_due(monotonic)
        queues = self._queues.named(blocked)
        if (query := self._queues.all_query) is not None:
            found = self._send.read(self._send.sql(query[0]), query[1])
            queues = [Queue(*row) for row in found if row[0] not in blocked]
        if not queues:
            return []
        running = self._read_running()
        sql, values = self._queues.first(queues)
        rows = self._send.read(self._send.sql(sql), values)
        now = self._clock.now()
        if now < self._last_now:
            self._queues.reset()
        self._last_now = now
        if is_whole:
            self._queues.note_whole(monotonic, self._monotonic() - monotonic)
        return self._queues.read(rows, now, running)

    def _read_running(self) -> Running:
        """Return what is known of our running transactions, at most a tenth of a second old."""
        if self._running is None or time.monotonic() >= self._running_at:
            self._running_at = time.monotonic() + _RUNNING_S
            [row] = self._send.read(self._send.sql(RUNNING_QUERY), (lock_class(self._schema),))
            self._running = Running(*row)
        return self._running

    def _sent(self) -> dict[str, Any]:
        return {"environment": self._environment, "all": not self._sends, "pixels": list(self._sends)}

    def last_id(self) -> int:
        return int(self._send.read(self._send.sql(_LAST_ID))[0][0])

    def holds(self, up_to: int, pixels_blocked: Collection[str] = (), within_s: float | None = None) -> bool:
        self._send.ensure_open()
        until = 1e12 if within_s is None else self._clock.now() + within_s
        values = {**self._sent(), "blocked": list(pixels_blocked), "up_to": up_to, "until": until}
        return bool(self._send.read(self._send.sql(_HOLDS), values))

    def counts(self) -> dict[str, int]:
        [row] = self._send.read(self._send.sql(_COUNTS), {"environment": self._environment})
        return dict(zip(("waiting", "bytes", "dead"), row, strict=True))

    def oldest_s(self) -> float | None:
        rows = self._send.read(self._send.sql(_OLDEST), (self._environment,))
        return self._clock.now() - rows[0][0] if rows else None

    def resumes(self) -> int:
        self._note_control(self._send.read(self._send.sql(CONTROL)))
        return self._resumes

    def switches(self) -> Switches:
        """Return the switches as they were last read; `read_switches` reads them."""
        return self._switches

    def read_switches(self) -> None:
        """Read the operator's switches."""
        self._note_control(self._store.read(self._store.sql(CONTROL)))

    def _note_control(self, rows: Sequence[tuple[Any, ...]]) -> None:
        values = dict(rows)
        self._resumes = int(values.get("resumes", 0))
        self._switches = Switches(values.get("paused_at", 0.0), values.get("off_at", 0.0))

    def notify(self) -> None:
        """Wake the relays that `listen`, in a transaction of its own."""
        self._store.read(b"SELECT pg_notify(%s, '')", (self._channel,))

    def listen(self, timeout_s: float) -> bool:
        """Wait for `notify` by any process, and read the switches; return False after ``timeout_s`` seconds.

        Only for a process that stores nothing itself: it uses the connection that others store with.
        """
        self.read_switches()
        return self._store.listen(self._channel, timeout_s)

    @property
    def is_listening(self) -> bool:
        """Return whether `listen` can hear others."""
        return self._store.is_direct

    def tidy(self) -> None:
        self._housekeeping.tidy()

    def close(self) -> None:
        self._store.close()
        self._send.close()


def _claims(packed: bytes) -> list[Claim]:
    return [claim_of(bool(byte & 1), bool(byte & 2)) for byte in bytes(packed)]


def _storable(text: str) -> str:
    """Return a text without the characters that PostgreSQL cannot store."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
