"""Outbox in PostgreSQL, which the processes of all hosts share."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from tiktok_middleware.core.events.event import Claim, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.admission import Admission
from tiktok_middleware.delivery.outbox.base import RUNNING, LeasedRecord, LeaseHolder, Limits, Retention, Switches
from tiktok_middleware.delivery.outbox.environment import PRODUCTION
from tiktok_middleware.delivery.outbox.postgres import cancellation, deferred_rows, status
from tiktok_middleware.delivery.outbox.postgres.address import read_address
from tiktok_middleware.delivery.outbox.postgres.connection import Db
from tiktok_middleware.delivery.outbox.postgres.drafts import Drafts
from tiktok_middleware.delivery.outbox.postgres.due import DueRows
from tiktok_middleware.delivery.outbox.postgres.finished import FinishedRows
from tiktok_middleware.delivery.outbox.postgres.housekeeping import Housekeeping
from tiktok_middleware.delivery.outbox.postgres.leases import Leases
from tiktok_middleware.delivery.outbox.postgres.puts import Puts
from tiktok_middleware.delivery.outbox.postgres.queues import CONTROL
from tiktok_middleware.delivery.outbox.postgres.store import Store

__all__ = ["SHARED_LIMITS", "PostgresOutbox"]

SHARED_LIMITS = Limits(rows=2_000_000, bytes=2 * 1024 * 1024 * 1024, dead=100_000)

_START_CLOCK = "INSERT INTO {schema}.control VALUES ('clock', %s) ON CONFLICT DO NOTHING"


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
        store = self._store = Store(
            address,
            limits=limits,
            environment=environment,
            pixels=pixels,
            sends=sends,
            clock=clock,
            monotonic=monotonic,
            opened=self._note_opened,
        )
        self._channel = f"{address.schema}_put"
        self.drafts: Drafts = Drafts(store)
        self._puts = Puts(store, self.drafts)
        self._due_rows = DueRows(store)
        self._leases = Leases(store, self._due_rows)
        self._finished = FinishedRows(store, keeps_ledger=retention.ledger_s > 0)
        self._housekeeping = Housekeeping(
            store.relay, store.clock, limits, retention, schema=address.schema, monotonic=monotonic
        )
        self._switches = RUNNING
        self._resumes = 0

    def _note_opened(self, db: Db) -> None:
        """Resume the outbox's clock; called with each new connection."""
        store = self._store
        rows = db.execute(store.requests.sql(CONTROL)).fetchall()
        self._note_control(rows)
        recorded = float({name: value for name, value in rows}.get("clock", 0.0))  # noqa: C416 - its type
        store.clock.resume(recorded)
        now = store.clock.now()
        if not recorded and not store.clock.is_in_doubt:
            db.execute(store.requests.sql(_START_CLOCK), (now,))

    # What requests wait for

    def put(
        self,
        entries: Sequence[OutboxEntry],
        *,
        put_id: bytes = b"",
        holder: LeaseHolder | None = None,  # noqa: ARG002 - one relay leases the rows of all processes
    ) -> list[Claim]:
        won, admission = self._puts.put(entries, put_id)
        if admission is not None:
            self._note_admission(admission)
        return won

    def _note_admission(self, admission: Admission) -> None:
        self.dropped += admission.dropped
        self.duplicates += admission.duplicates

    def _store_drafts(self, db: Db, entries: Sequence[OutboxEntry]) -> list[Claim]:
        won, admission = self._puts.store_in(db, entries, b"")
        self._note_admission(admission)
        return won

    def stored(self, put_id: bytes) -> list[Claim] | None:
        return self._puts.stored(put_id)

    def take(self, ref: str) -> bytes | None:
        self._store.requests.ensure_open()
        if (found := self._take_deferred(ref)) is not None:
            return found
        # A relay may store the event of a draft while we look for it.
        return (found := self.drafts.open(ref, self._store_drafts)) or self._take_deferred(ref) or found

    def _take_deferred(self, ref: str) -> bytes | None:
        return deferred_rows.take(self._store.requests, ref, self._store.clock.now())

    def cancel(self, event_id: str) -> bool:
        return cancellation.cancel(self._store, event_id)

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
        self._finished.ack_late()
        self.dropped += self.drafts.settle(self._store_drafts)
        asked = {"owner": owner, "limit": limit, "limit_bytes": limit_bytes, "for_s": for_s}
        return self._leases.lease(pixels_blocked, asked)

    def renew(self, owner: str, ids: Collection[int], for_s: float) -> int:
        return self._leases.renew(owner, ids, for_s)

    def retry(self, owner: str, ids: Collection[int], after_s: float, reason: str = "") -> int:
        return self._leases.retry(owner, ids, after_s, reason)

    def release(self, owner: str, ids: Collection[int], reason: str = "") -> int:
        return self._leases.release(owner, ids, reason)

    def ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str = "") -> int:
        return self._finished.ack(owner, rows, request_id)

    def bury(self, owner: str, rows: Sequence[LeasedRecord], reason: str) -> int:
        buried, surplus = self._finished.bury(owner, rows, reason)
        self.dropped += Counter(overflow_dead=surplus)
        return buried

    def keep_dead(self, records: Sequence[Record], reason: str) -> None:
        """Store ``records`` as dead letters that never waited in this outbox. Used by workers."""
        self.dropped += Counter(overflow_dead=self._finished.keep_dead(records, reason))

    def settle_drafts(self) -> None:
        """Store the events of all drafts that are committed and completed."""
        self.dropped += self.drafts.settle(self._store_drafts, is_urgent=True)

    def due_in_s(self, pixels_blocked: Collection[str] = ()) -> float | None:
        waits = (self._due_rows.in_s(pixels_blocked), self.drafts.due_in_s())
        return min((wait_s for wait_s in waits if wait_s is not None), default=None)

    def last_id(self) -> int:
        return status.last_id(self._store)

    def holds(self, up_to: int, pixels_blocked: Collection[str] = (), within_s: float | None = None) -> bool:
        return status.holds(self._store, up_to, pixels_blocked, within_s)

    def counts(self) -> dict[str, int]:
        return status.counts(self._store)

    def oldest_s(self) -> float | None:
        return status.oldest_s(self._store)

    # The operator's switches, and wake-ups

    def resumes(self) -> int:
        self._note_control(self._store.relay.read(self._store.relay.sql(CONTROL)))
        return self._resumes

    def switches(self) -> Switches:
        """Return the switches as they were last read; `read_switches` reads them."""
        return self._switches

    def read_switches(self) -> None:
        """Read the operator's switches."""
        self._note_control(self._store.requests.read(self._store.requests.sql(CONTROL)))

    def _note_control(self, rows: Sequence[tuple[Any, ...]]) -> None:
        values = dict(rows)
        self._resumes = int(values.get("resumes", 0))
        self.drafts.identity = values.get("identity")
        self._switches = Switches(values.get("paused_at", 0.0), values.get("off_at", 0.0))

    def notify(self) -> None:
        """Wake the relays that `listen`, in a transaction of its own."""
        self._store.requests.read(b"SELECT pg_notify(%s, '')", (self._channel,))

    def listen(self, timeout_s: float) -> bool:
        """Wait for `notify` by any process, and read the switches; return False after ``timeout_s`` seconds.

        Only for a process that stores nothing itself: it uses the connection that others store with.
        """
        self.read_switches()
        return self._store.requests.listen(self._channel, timeout_s)

    @property
    def is_listening(self) -> bool:
        """Return whether `listen` can hear others."""
        return self._store.requests.is_direct

    def tidy(self) -> None:
        self._housekeeping.tidy()

    def close(self) -> None:
        self._store.close()
