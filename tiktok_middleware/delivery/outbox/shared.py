"""Storage of one process that uses a shared outbox: the database while it answers, and this host while it does not."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any

import msgspec

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events.event import NOT_YET, Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.base import LeaseHolder, Outbox, Switches
from tiktok_middleware.delivery.outbox.bounded import bounded
from tiktok_middleware.delivery.outbox.put_ids import PutIds
from tiktok_middleware.delivery.outbox.spool import MemorySpool, Spool, SpooledPut
from tiktok_middleware.delivery.outbox.undecided_claims import UndecidedClaims
from tiktok_middleware.delivery.process.bounded_calls import BoundedCalls, TooSlowError
from tiktok_middleware.delivery.process.event_loop import is_in_event_loop
from tiktok_middleware.delivery.process.threads import off_hub
from tiktok_middleware.errors import OutboxError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tiktok_middleware.delivery.outbox.postgres.drafts import Drafts
    from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
    from tiktok_middleware.delivery.outbox.sqlite.spool_file import SpoolFile

__all__ = ["SharedStorage"]

log: logging.Logger = own_logger(__name__)

_ENTRY_S = 0.0005  # more for each entry, so that a burst on a busy machine does not look like a fault
_READ_S = 0.2
_TABLES_S = 1.0
_INLINE_S = 1.0  # limit of each step of sending where a request waits for it
_TIDY_S = 5.0
_READY_S = 5.0
_SETTLE_S = 3.0
_PART = 200  # entries that come home in one transaction
_FIRST_RETRY_S, _LAST_RETRY_S = 0.5, 30.0
_SWITCHES_S = 0.5
_COUNT_S = 1.0
_NOTIFY_S = 0.02
_LISTEN_S = 0.5
_MAX_NAMED = 100
_EXPIRE_S = 3600.0


class SharedStorage:
    """Stores one process's events in the shared outbox.

    While the database is down, slow, read-only or out of connections, puts wait on this host, in a file or, if there is
    none, in memory. Their server copies are sent only once the shared outbox has decided them.

    Args:
        shared: the shared outbox.
        file: file of this host for waiting puts, or None.
        claims: makes preliminary claims.
        clock: returns Unix seconds.
        limit_rows: largest number of server copies that wait on this host.
        keeps_thread: whether the thread of the database's calls may stay between calls.
    """

    def __init__(
        self,
        shared: PostgresOutbox,
        file: SpoolFile | None,
        claims: UndecidedClaims,
        clock: Callable[[], float],
        *,
        limit_rows: int,
        keeps_thread: bool,
    ) -> None:
        self.disk: PostgresOutbox = shared
        self.dropped: Counter[str] = Counter()
        self._for_relay = off_hub(shared)
        self._file = file
        self._memory = MemorySpool(clock)
        self._claims = claims
        self._limit_rows = limit_rows
        self._calls = BoundedCalls(keeps_thread=keeps_thread)
        self._chores = BoundedCalls(keeps_thread=False)  # so that no put waits for housekeeping
        self._has_threads = keeps_thread
        self._new_writer()
        self._is_up = True
        self._answered_at = float("-inf")
        self._tidy_at = 0.0
        self._is_file_lost = False
        self._may_wait = True  # whether something may wait on this host; an earlier process may have left it
        self._expire_at = 0.0
        self._reach_until = 0.0
        self._reached: Future[None] | None = None
        self._failures = 0
        self._again_at = 0.0
        self._switches_at = 0.0
        self._bringing = False
        self._notify_at = 0.0
        self._count_at = 0.0
        self._counted = 0
        self._is_listening = False

    def _new_writer(self) -> None:
        """Begin a new series of put ids, so that an id that waits stays the last of its writer."""
        self._put_ids = PutIds(os.urandom(8))

    @property
    def undecided(self) -> int:
        """Return the number of server copies that wait on this host for the shared outbox."""
        file = self._file
        try:
            return self._memory.rows + (file.rows if file is not None and self._may_wait and file.exists else 0)
        except OutboxError:
            return self._memory.rows

    @property
    def unsaved(self) -> int:
        """Return the number of server copies that are lost if this process ends now."""
        return self._memory.rows

    @property
    def _is_empty(self) -> bool:
        """Return whether nothing waits on this host, not even a put without server copies."""
        try:
            return all(spool.is_empty for spool in self._spools()) if self._may_wait else self._memory.is_empty
        except OutboxError:
            return self._memory.is_empty

    def outboxes(self) -> list[Outbox]:
        """Return the outboxes to send from. Where requests send, none while the database does not answer."""
        self._bring_home()
        if self._has_threads:
            return [self._for_relay]
        return [bounded(self.disk, self._calls, lambda: _INLINE_S, tidy=self.tidy)] if self._is_up else []

    def readable(self, deadline: float) -> list[Outbox]:
        """Return the outboxes to read from.

        Their methods end by ``deadline``, in monotonic seconds, but are given a moment where it is over.
        """
        self._bring_home()
        return [self._view(deadline)]

    def _view(self, deadline: float) -> PostgresOutbox:
        return bounded(self.disk, self._calls, lambda: self._patience(deadline))

    def _patience(self, deadline: float) -> float:
        return max(deadline - time.monotonic(), _READ_S) if self._is_up else 0.0

    def put(
        self,
        entries: Sequence[OutboxEntry],
        put_id: bytes,  # noqa: ARG002 - this class numbers its own puts
        holder: LeaseHolder | None,  # noqa: ARG002 - one relay leases the rows of all processes
        hand: Callable[[Outbox, LeaseHolder], None],  # noqa: ARG002 - as above
    ) -> list[Claim]:
        """Store entries in the shared outbox, or on this host if it does not answer in time; return their claims."""
        own_id = b""
        if self._is_up:
            own_id = self._put_ids()
            limit_s = self.disk.wait_s + len(entries) * _ENTRY_S
            try:
                claims = self._calls.run(lambda: self.disk.put(entries, put_id=own_id), limit_s)
            except OutboxError as error:
                self.lose_disk(error)
            except TooSlowError:
                self.lose_disk(OutboxError(f"outbox {self.disk.name}: no answer within {limit_s:.2f} s"))
            else:
                self._answered_at = time.monotonic()
                self._bring_home()
                return claims
            self._new_writer()
        claims = self._wait_on_host(entries, own_id)
        self._bring_home()
        return claims

    def _wait_on_host(self, given: Sequence[OutboxEntry], put_id: bytes) -> list[Claim]:
        self._may_wait = True
        entries = [_asked_for_later(entry) for entry in given]
        if self._is_full():
            self.dropped["overflow"] += sum(len(entry.records) for entry in entries)
            return [Claim(self._claims.of(entry).browser, server=False) for entry in entries]
        if not self._keep_in_file(entries, put_id):
            self._memory.keep(entries, put_id)
        self._may_wait = True  # once more: the database's thread may have looked before the events were here
        return [self._claims.of(entry) for entry in entries]

    def _is_full(self) -> bool:
        """Return whether as many server copies wait on this host as may; the file is asked every second."""
        now = time.monotonic()
        if now >= self._count_at:
            self._count_at = now + _COUNT_S
            self._counted = self.undecided
        return max(self._counted, self._memory.rows) >= self._limit_rows

    def _keep_in_file(self, entries: Sequence[OutboxEntry], put_id: bytes) -> bool:
        if self._file is None:
            return False
        try:
            off_hub(self._file).keep(entries, put_id)
        except OutboxError as error:
            if not self._is_file_lost:
                self._is_file_lost = True
                log.error("Events wait in memory until the database answers, and are lost with the process: %s", error)  # noqa: TRY400
            return False
        return True

    # Bringing home

    def _bring_home(self) -> None:
        """Start to store in the shared outbox what waits here, on the database's thread, if it is time to."""
        now = time.monotonic()
        is_due = (self._may_wait or now >= self._expire_at) if self._is_up else now >= self._again_at
        if self._bringing or not is_due:
            return
        if self._calls.is_busy and not self._is_up:
            return  # a call that hangs
        self._bringing = True
        self._calls.start(self._bring_all)

    def _bring_all(self) -> None:
        try:
            self._expire()
            while True:
                while self._bring_part():
                    if self._calls.has_others:
                        return  # a request waits; the next put goes on here
                self._may_wait = False
                # Look once more: a put may have come since the last look, and set this before it.
                if all(spool.oldest(1) is None for spool in self._spools()):
                    break
                self._may_wait = True
            self._claims.clear()
        except OutboxError as error:
            self._may_wait = True
            self.lose_disk(error)
        except Exception:  # a fault of ours must not stop the sending
            self._may_wait = True
            log.exception("What waits on this host could not be stored")
            self.lose_disk(OutboxError("a fault of ours"))
        finally:
            self._bringing = False

    def _expire(self) -> None:
        """Remove what has expired on this host, every hour."""
        now = time.monotonic()
        if now >= self._expire_at:
            self._expire_at = now + _EXPIRE_S
            with contextlib.suppress(OutboxError):
                for spool in self._spools():
                    spool.expire()

    def _bring_part(self) -> bool:
        """Store one waiting put in the shared outbox; return False if none waits."""
        for spool in self._spools():
            put = spool.oldest(_PART)
            if put is not None:
                self._bring(spool, put)
                return True
        if not self._is_up:
            self.disk.read_switches()  # nothing waits: only find out whether the database answers
            self._note_up()
        return False

    def _spools(self) -> list[Spool]:
        file = self._file
        return [self._memory, *([file] if file is not None and file.exists else [])]

    def _bring(self, spool: Spool, put: SpooledPut) -> None:
        if put.fault:
            self._set_aside(spool, put)
            return
        try:
            self.disk.put(put.entries, put_id=put.put_id)
        except OutboxError:
            raise
        except Exception:  # noqa: BLE001  # a value that the database cannot store, or a fault of ours
            self._bring_singly(put)
        spool.remove(put)
        self._note_up()
        log.info("%d event(s) that waited on this host are in the shared outbox", len(put.entries))

    def _bring_singly(self, put: SpooledPut) -> None:
        """Store the entries one by one, since one of them cannot be stored."""
        ids = PutIds(put.put_id[:8][::-1])  # the same at each try
        for entry in put.entries:
            one_id = ids()
            try:
                self.disk.put([entry], put_id=one_id)
            except OutboxError:
                raise
            except Exception as error:  # noqa: BLE001  # as above
                self.dropped["unstorable"] += len(entry.records)
                log.error("%s cannot be stored and has no server copy: %s", entry.event_id, error)  # noqa: TRY400

    def _set_aside(self, spool: Spool, put: SpooledPut) -> None:
        lost = spool.set_aside(put)
        self.dropped["unstorable"] += lost
        log.error(
            "%d server copies that waited on this host cannot be read and are not sent (%s); they are kept in the table"
            " `unreadable` of the host's *.undecided.sqlite3 for 90 days",
            lost,
            put.fault,
        )

    def _note_up(self) -> None:
        self._answered_at = time.monotonic()
        if not self._is_up:
            log.warning("The outbox %s answers again", self.disk.name)
        self._is_up = True
        self._failures = 0

    def lose_disk(self, error: OutboxError) -> None:
        """Let puts wait on this host until the database answers again; log that once."""
        if self._is_up:
            log.error("The shared outbox does not answer; events wait on this host until it does: %s", error)
        self._is_up = False
        wait_s = min(_FIRST_RETRY_S * 2.0 ** min(self._failures, 10), _LAST_RETRY_S)
        self._again_at = time.monotonic() + wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._failures += 1

    def settle(self) -> int:
        """Try a last time to bring home what waits; return 0, since this host sends nothing by itself.

        Called at the end of the process.
        """
        self._again_at = 0.0
        self.come_home(time.monotonic() + _SETTLE_S)
        for entry in self._memory.entries()[:_MAX_NAMED]:
            _log_lost(entry)
        return 0

    def come_home(self, deadline: float) -> None:
        """Wait until what waits on this host is in the shared outbox, at most until ``deadline``, monotonic seconds."""
        while not self._is_empty and time.monotonic() < deadline:
            self._bring_home()
            try:
                self._calls.run(lambda: None, max(deadline - time.monotonic(), 0.0))
            except TooSlowError:
                return
            if not self._is_up:
                time.sleep(min(_FIRST_RETRY_S / 5, max(deadline - time.monotonic(), 0.0)))

    # What else a delivery asks

    def take(self, ref: str) -> bytes | None:
        """Return the deferred payload of a reference; None if there is none.

        `NOT_YET` stands for one that may be there later: its transaction is open, or the database does not answer.
        """
        found = self._memory.take(ref)
        if found is None:
            found = self._read(lambda: self.disk.take(ref)) if self._is_up else NOT_YET
        file = self._file
        if not found and file is not None and file.exists:
            with contextlib.suppress(OutboxError):
                found = off_hub(file).take(ref) or found
        return found

    def _read(self, call: Callable[[], Any]) -> Any:
        try:
            return self._calls.run(call, _READ_S)
        except OutboxError as error:
            self.lose_disk(error)
        except TooSlowError:
            self.lose_disk(OutboxError(f"outbox {self.disk.name}: no answer within {_READ_S:.1f} s"))
        return NOT_YET

    def cancel(self, event_id: str) -> bool:
        """Prevent an event's server copies from being sent.

        Raises:
            OutboxError: the database does not answer, or the event may wait on this host, so it is unknown whether it
                will be sent.
        """
        if self._may_wait and self.undecided:
            raise OutboxError("events wait on this host for the shared outbox; cancel again once it answers")
        if not self._is_up:
            raise OutboxError(f"outbox {self.disk.name}: no answer")
        try:
            return self._calls.run(lambda: self.disk.cancel(event_id), _READ_S)
        except (TooSlowError, FutureTimeoutError):
            raise OutboxError(f"outbox {self.disk.name}: no answer") from None
        except ValueError as error:
            raise OutboxError(f"outbox {self.disk.name}: {error}") from None

    def tidy(self) -> None:
        """Start the housekeeping that is due, on a thread of its own; called where no relay's thread does it."""
        now = time.monotonic()
        if self._is_up and now >= self._tidy_at and not self._chores.is_busy:
            self._tidy_at = now + _TIDY_S
            self._chores.start(self.disk.tidy)

    def is_ready(self) -> bool:
        """Return whether the database has answered lately; look again in the background. Never waits."""
        now = time.monotonic()
        if not self._is_up:
            self._bring_home()
        elif now >= self._answered_at + _READY_S and not self._calls.is_busy:
            self._calls.start(self._look)
        return self._is_up and self._answered_at > float("-inf")

    def _look(self) -> None:
        if not self._is_up:  # lost since this was queued; `_bring_home` looks again when it is time to
            return
        try:
            self.disk.read_switches()
        except OutboxError as error:
            self.lose_disk(error)
        else:
            self._answered_at = time.monotonic()

    def switches(self) -> Switches:
        """Return the operator's switches, about half a second old while the database answers. Never waits."""
        now = time.monotonic()
        if now >= self._switches_at and not self._is_listening:
            self._switches_at = now + _SWITCHES_S
            if not self._is_up:
                self._bring_home()
            elif not self._calls.is_busy:
                self._calls.start(self._look)
        return self.disk.switches()

    def drafts(self) -> Drafts:
        """Return what writes drafts. On a thread, the first calls of a process wait until the database is known."""
        reached = self.reach_drafts()
        if reached is not None and not is_in_event_loop():
            with contextlib.suppress(TimeoutError, FutureTimeoutError):
                reached[0].result(reached[1])
        return self.disk.drafts

    def reach_drafts(self) -> tuple[Future[None], float] | None:
        """Start to look for the outbox's tables, if their database is not known.

        Return a future of the end, and the seconds to wait for it; None if there is nothing to wait for. All calls of a
        process wait for a second together, or for as long as a put may.
        """
        if self.disk.drafts.identity is not None or not self._is_up:
            return None
        now = time.monotonic()
        self._reach_until = self._reach_until or now + max(_TABLES_S, self.disk.wait_s)
        if now >= self._reach_until:
            return None
        reached = self._reached
        if reached is None or reached.done():
            self._reached = reached = self._calls.start(self._look)
        return reached, self._reach_until - now

    def notify(self) -> None:
        """Wake the relays of other processes, at most every 20 ms. Never waits."""
        now = time.monotonic()
        if self._is_up and now >= self._notify_at:
            self._notify_at = now + _NOTIFY_S
            self._calls.start(self.disk.notify)

    def listen(self, wake: Callable[[], None], is_over: Callable[[], bool]) -> None:
        """Call ``wake`` when another process has stored events, and every second, until ``is_over``.

        For a process that only sends. Its thread reads the switches, too.
        """
        while not is_over():
            is_notified = self._is_notified()
            self._is_listening = self._is_up
            wake()
            if is_notified:
                time.sleep(_NOTIFY_S)  # a put within 20 ms of another does not notify
                wake()
            elif not self._is_up or not self.disk.is_listening:
                time.sleep(_LISTEN_S)
        self._is_listening = False  # from now on `switches` reads them

    def _is_notified(self) -> bool:
        try:
            is_notified = self.disk.listen(_LISTEN_S)
        except OutboxError as error:
            self.lose_disk(error)
            return False
        self._note_up()
        return is_notified

    def marks(self, deadline: float) -> list[tuple[Outbox, int]]:
        """Return the outboxes in use, each with the number of its newest row; see `readable`.

        Raises:
            OutboxError: the database does not answer.
        """
        shared = self._view(deadline)
        shared.settle_drafts()
        return [(shared, shared.last_id())]

    @property
    def is_whole(self) -> bool:
        """Return False while something waits on this host."""
        return self._is_up and self._is_empty

    def end_calls(self) -> None:
        """Let the thread of the database's calls end, without waiting for that."""
        self._calls.close(waits=False)

    def close(self) -> None:
        """Close connections and files; a call that hangs is left to end by itself."""
        self._calls.close()
        self.disk.close()
        if self._file is not None:
            self._file.close()


def _asked_for_later(entry: OutboxEntry) -> OutboxEntry:
    """Return an entry whose page asks for the browser copy later, because the response leaves without it."""
    draft = entry.draft
    if draft is None or draft.is_deferred:
        return entry
    return msgspec.structs.replace(entry, draft=msgspec.structs.replace(draft, is_deferred=True))


def _log_lost(entry: OutboxEntry) -> None:
    """Log what this process cannot store before it ends."""
    for record in entry.records[:1]:
        log.error(
            "%s %s: the database never said whether it was counted before, so its server copy is lost",
            record.event,
            record.event_id,
        )
    if entry.draft is not None and not entry.records:
        log.error(
            "%s: the database does not answer, so what the response decided is lost: the event counts as it was tracked"
            " if its transaction commits",
            entry.event_id,
        )
