"""Store the events of requests and send them to TikTok.

::

    submit --> writer --> outbox --> relay --> sink
              (commits)  (on disk)  (sends)   (TikTok, or a team's own)
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING

import msgspec

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events.event import Claim, Event, OutboxEntry
from tiktok_middleware.core.events_api.requests import MAX_REQUEST_EVENTS
from tiktok_middleware.delivery.histogram import Distribution
from tiktok_middleware.delivery.loss_log import LossLog
from tiktok_middleware.delivery.options import DeliveryOptions
from tiktok_middleware.delivery.outbox.base import RUNNING, Switches, claim_of
from tiktok_middleware.delivery.outbox.bounded import SlowError
from tiktok_middleware.delivery.outbox.fallback import FallbackOutbox
from tiktok_middleware.delivery.outbox.opening import open_disk, open_shared, storage_of
from tiktok_middleware.delivery.outbox.put_ids import PutIds
from tiktok_middleware.delivery.outbox.shared import SharedStorage
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.process.forks import watch, watch_child
from tiktok_middleware.delivery.process.stopping import STOP
from tiktok_middleware.delivery.process.threads import native_lock, run_between_requests
from tiktok_middleware.delivery.sender.events_api import EventsApi
from tiktok_middleware.delivery.sender.group_commit import GroupCommit
from tiktok_middleware.delivery.sender.relay import Relay, Sink
from tiktok_middleware.errors import ConfigError, OutboxError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.postgres.drafts import Drafts
    from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox

__all__ = ["FLUSH_S", "Delivery", "DeliveryOptions", "open_delivery"]

log: logging.Logger = own_logger(__name__)

FLUSH_S = 2.0
"""Longest wait of a request for TikTok, in seconds, where events are sent before the response ends."""

_LAST_START_S = 0.5  # a post starts within this part of `FLUSH_S`
_ANSWER_S = FLUSH_S - _LAST_START_S  # limit of one post
_KEEP_S = 5.0  # a host may freeze the process between requests, and the kept connection breaks unnoticed
_FORK_WAIT_S = 3.0  # covers a first import on a busy machine; a fork does not wait longer for a first send that hangs
_POLL_S = 0.005
_STATS_S = 0.5
_LISTEN_S = 0.5  # interval at which a process that only sends looks at an outbox on disk
_DELAYED_EVENT = "Purchase"


def open_delivery(
    options: DeliveryOptions,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    disk: SqliteOutbox | None = None,
) -> Delivery:
    """Return a delivery that opens no file and starts no thread before the first entry.

    Args:
        options: how events are stored and sent.
        clock: returns Unix seconds.
        monotonic: returns seconds of a clock that is never set back; times the next try of a disk that failed.
        disk: outbox on disk; by default, the one that ``options`` names.

    Raises:
        ConfigError: ``outbox``, ``sync``, ``flush`` or ``sink`` is not one of the allowed values.
    """
    return Delivery(options, clock=clock, monotonic=monotonic, disk=disk)


class Delivery:
    """Stores and sends the events of one process. Threads may share it. After a fork it resets itself in the child.

    Args:
        options: how events are stored and sent.
        clock: returns Unix seconds.
        monotonic: see `open_delivery`.
        disk: see `open_delivery`.
        shared: outbox that several hosts share; by default, the one that ``options`` names.

    Attributes:
        is_inline: whether `submit` stores and sends on the caller's thread, so that no thread is needed.
    """

    def __init__(
        self,
        options: DeliveryOptions,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        disk: SqliteOutbox | None = None,
        shared: PostgresOutbox | None = None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._monotonic = monotonic
        self._shared = shared or (open_shared(options, clock) if disk is None else None)
        self._local = disk if disk is not None or self._shared else open_disk(options, clock)
        self._disk = self._shared or self._local
        if options.sink != "direct" and not callable(options.sink):
            raise ConfigError("sink", options.sink, "direct, or a callable that makes a sink")
        if options.flush not in {"background", "request", "relay"}:
            raise ConfigError("flush", options.flush, "background, request, relay")
        if options.flush == "relay" and self._disk is None:
            raise ConfigError(
                "flush", "relay", "background or request where the outbox is memory://: no relay can read it"
            )
        self._sends = (bool(options.tokens) or callable(options.sink)) and options.flush != "relay"
        self.is_inline: bool = options.flush == "request" or not _can_have_threads()
        self.begin_anew()
        watch(self)

    def begin_anew(self) -> None:
        """Reset to the unused state. A forked child calls this; the parent keeps its own rows."""
        self._first = native_lock()
        self._begin()

    def before_fork(self) -> None:
        """Wait until the relay's first import and send are done."""
        self._relay.sink.before_fork(_FORK_WAIT_S)

    def after_fork(self) -> None:
        """Resume in the parent."""
        self._relay.sink.after_fork()

    def _use(self) -> None:
        if not self._is_ready():
            with self._first:
                if not self._is_ready():
                    if isinstance(self._storage, SharedStorage) and self._pid == os.getpid():
                        self._storage.end_calls()  # a request may have asked for the switches already
                    self._begin()
                    watch_child()
                    self._is_used = True
        self._is_used = True

    @property
    def is_closed(self) -> bool:
        """Return whether `close` was called in this process."""
        return self._pid == os.getpid() and self._is_closed

    def _is_ready(self) -> bool:
        """Return whether `_begin` ran in this process, at its first use or later."""
        return self._pid == os.getpid() and (self._is_used or self._is_closed)

    def _begin(self) -> None:
        """Create all per-process state.

        Runs again at the first use, since a server may have replaced threads by greenlets after the import.
        """
        options = self._options
        self._pid = os.getpid()
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._losses = LossLog()
        self._is_used = self._is_closed = False
        self._put_ids = PutIds(os.urandom(8))
        self._storage: FallbackOutbox | SharedStorage = storage_of(
            options,
            self._local,
            self._shared,
            clock=self._clock,
            monotonic=self._monotonic,
            keeps_thread=not self.is_inline,
        )
        self._writer = GroupCommit(self._commit, options.limit_uncommitted)
        limit = 1 if options.test_event_code else MAX_REQUEST_EVENTS
        self._relay = Relay(
            self._storage.outboxes, self._open_sink, self._clock, limit, is_sending=lambda: self.switches.is_sending
        )
        if self.is_inline:
            self._writer.close(0)  # from now on the thread that submits also commits

    def submit(self, entries: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        """Return a future of each entry's claim. Once it resolves, the stored events survive the end of the process.

        Never raises, and never waits for a disk or a network. With ``flush="request"`` it waits for both: after all is
        stored, at most `FLUSH_S` for sending. Events that are not sent in that time are sent with the next entry.
        """
        self._use()
        self._counts["submitted"] += len(entries)
        future = self._writer.submit(entries) if self._disk else None
        if future is None:
            future = Future()
            future.set_result(self._refuse(entries, "queue_full") if self._disk else self._commit(entries))
        if self._sends and self.is_inline:
            self._relay.drain(time.monotonic() + _LAST_START_S)
        return future

    def take(self, ref: str) -> Future[bytes | None]:
        """Return a future of the browser copy that is stored under a reference; None or `NOT_YET` if there is none.

        Never raises, and never waits for a disk.
        """
        self._use()
        future = self._writer.read(lambda: self._storage.take(ref)) if self._disk else None
        if future is None:
            future = Future()
            future.set_result(None if self._disk else self._storage.take(ref))
        return future

    @property
    def drafts(self) -> Drafts | None:
        """Return what writes events into the app's own transactions; None if the outbox is not in a database."""
        if not isinstance(self._storage, SharedStorage):
            return None
        self._use()
        drafts = self._storage.drafts()
        drafts.prepare = self._prepared
        return drafts

    def reach_drafts(self) -> tuple[Future[None], float] | None:
        """Start to look for the database of the app's transactions; return a future and the seconds to wait for it.

        None if there is nothing to wait for. Never waits.
        """
        if not isinstance(self._storage, SharedStorage):
            return None
        self._use()
        return self._storage.reach_drafts()

    def _prepared(self, entry: OutboxEntry) -> OutboxEntry:
        return self._delayed(entry) if self._options.delay_s > 0 else entry

    def handed_out(self, events: Sequence[Event]) -> None:
        """Do nothing: the browser sends its own copies."""

    def cancel(self, event_id: str) -> Future[bool]:
        """Return a future: True if the event's server copies will never be sent, False if one was sent or is in flight.

        Never waits for a disk. The future raises `OutboxError` if the outbox cannot be read.
        """
        self._use()
        future = self._writer.read(lambda: self._storage.cancel(event_id)) if self._disk else None
        if future is None:
            future = Future()
            future.set_result(not self._disk and self._storage.cancel(event_id))
        return future

    @property
    def is_off(self) -> bool:
        """Return whether an operator has switched everything off."""
        return self.switches.off_at > 0

    @property
    def switches(self) -> Switches:
        """Return the operator's switches, about half a second old while the outbox answers."""
        if isinstance(self._storage, SharedStorage):
            return self._storage.switches()
        return RUNNING if self._disk is None else self._disk.switches()

    def is_ready(self) -> bool:
        """Return whether events are stored where the configuration says; False before the first look at a database.

        Never waits: a database is asked in the background.
        """
        return self._storage.is_ready()

    def wake(self) -> None:
        """Start sending the events that an earlier process left, without waiting for the first entry."""
        self._use()
        self._wake()

    def listen(self, is_over: Callable[[], bool]) -> None:
        """Send what other processes store, until ``is_over``. For a process that stores nothing itself."""
        self._use()
        if isinstance(self._storage, SharedStorage):
            self._storage.listen(self._wake, is_over)
            return
        while not is_over():
            self._wake()
            time.sleep(_LISTEN_S)

    def _wake(self) -> None:
        if self._sends and not self.is_inline:
            self._relay.wake()

    def flush(self, timeout_s: float) -> bool:
        """Return whether all events accepted so far are delivered or dead letters within ``timeout_s`` seconds.

        Return False at once if the rest cannot be sent in that time: the pixel is halted, or the next try is later.
        """
        deadline = time.monotonic() + timeout_s
        try:
            if self._is_used and self._disk and (barrier := self._writer.submit(())):
                barrier.result(timeout_s)
        except (TimeoutError, FutureTimeoutError):
            return False
        return self._wait_until_sent(deadline)

    def close(self, timeout_s: float) -> bool:
        """Return whether all events are delivered or dead letters within ``timeout_s`` seconds; the rest stays on disk.

        First commits everything, for up to 4.5 seconds even if ``timeout_s`` is shorter. Idempotent. An entry that is
        submitted later is committed on its caller's thread.
        """
        deadline = time.monotonic() + timeout_s
        self._is_closed = True
        self._writer.close(max(timeout_s, STOP.commit_s))
        is_sent = self._wait_until_sent(deadline)
        self._relay.stop(max(0.0, deadline - time.monotonic()))
        self._report_unsent(self._storage.settle())
        self._storage.close()
        return is_sent

    def _report_unsent(self, count: int) -> None:
        """Log and count the events that exist only in memory.

        If the process goes on and sends some of them, the next call lowers the count.
        """
        self._dropped["unsent"] = count
        self._dropped["once_undecided"] = self._storage.unsaved
        if count:
            log.error("%d event(s) are in memory alone, not sent, and lost when this process ends", count)

    def stats(self) -> dict[str, int | float | dict[str, int] | Distribution]:
        """Return the counts of this process, and what waits in the outbox.

        Returns:
            ``submitted``: events. ``accepted``: stored server copies. ``duplicates``: server copies that were not
            stored because of an earlier claim. ``delivered`` and ``retried``. ``buried`` and ``dropped``: by reason.
            ``halted``: number of halted pixels. ``uncommitted``: `submit` calls that wait for the disk. ``waiting``
            rows, their ``bytes``, ``dead`` letters and ``oldest_s``, the age of the event that has waited longest:
            of all processes that share the outbox. ``unreadable``: number of outboxes that did not answer within half a
            second. ``undecided``: server copies that wait for an outbox's decision. ``batch_records`` and ``send_s``:
            histograms of the records in a request and of its duration in seconds.
        """
        dropped = self._dropped + self._storage.dropped
        states: Counter[str] = Counter(waiting=0, bytes=0, dead=0)
        duplicates = 0
        ages: list[float] = []
        for outbox in self._storage.readable(time.monotonic() + _STATS_S):
            dropped.update(outbox.dropped)
            duplicates += outbox.duplicates
            try:
                states.update(outbox.counts())
                ages += [age_s for age_s in (outbox.oldest_s(),) if age_s is not None]
            except OutboxError:
                states["unreadable"] += 1
        if self._storage.undecided:
            states["undecided"] = self._storage.undecided
        return {
            **{name: self._counts[name] for name in ("submitted", "accepted")},
            "duplicates": duplicates,
            **{name: self._relay.counts[name] for name in ("delivered", "retried")},
            "buried": dict(self._relay.buried),
            "dropped": dict(+dropped),
            "halted": len(self._relay.backoff.halted),
            "uncommitted": self._writer.waiting,
            **states,
            "oldest_s": max(0.0, *ages) if ages else 0.0,
            "batch_records": self._relay.sink.batch_records.read(),
            "send_s": self._relay.sink.send_s.read(),
        }

    # These run on the writer's thread, or on the caller's if there is no disk or no writer thread.

    def _commit(self, entries: Sequence[OutboxEntry]) -> list[Claim]:
        if not entries:  # the barrier of a flush
            return []
        if self._options.delay_s > 0:
            entries = [self._delayed(entry) for entry in entries]
        try:
            claims = self._storage.put(entries, self._put_ids(), self._relay.holder(), self._relay.hand)
        except Exception:
            if len(entries) > 1:  # one entry that cannot be stored must not lose the others
                return [claim for entry in entries for claim in self._commit([entry])]
            log.exception("An event could not be stored and has no server copy")
            return self._refuse(entries, "unstorable")
        self._counts["accepted"] += sum(
            [len(s.records) for s, c in zip(entries, claims, strict=True) if c.server and c.is_committed]
        )
        for outbox in self._storage.outboxes():
            if outbox.dropped:
                self._losses.note(tuple(outbox.dropped))
        if self._sends:
            self._wake()
        else:
            self._storage.tidy()  # there is no relay that would do it
            if isinstance(self._storage, SharedStorage):
                self._storage.notify()
        return claims

    def _delayed(self, entry: OutboxEntry) -> OutboxEntry:
        """Return the entry, with the configured delay if it is a purchase without its own delay."""
        if entry.delay_s or not any(record.event == _DELAYED_EVENT for record in entry.records):
            return entry
        return msgspec.structs.replace(entry, delay_s=self._options.delay_s)

    def _refuse(self, entries: Sequence[OutboxEntry], reason: str) -> list[Claim]:
        self._dropped[reason] += sum(len(entry.records) for entry in entries)
        self._losses.note([reason])
        return [claim_of(entry.browser, server=False) for entry in entries]

    # Sending

    def _open_sink(self) -> Sink:
        options = self._options
        if callable(options.sink):
            return options.sink(options)
        patience = {"deadline_s": _ANSWER_S, "keep_s": _KEEP_S} if self.is_inline else {}
        return EventsApi(options.api_url, options.tokens, options.test_event_code, clock=self._clock, **patience)

    def _wait_until_sent(self, deadline: float) -> bool:
        """Return whether all rows that are stored now have left the outbox by ``deadline``, in monotonic seconds."""
        if not self._is_used or not self._sends:
            return True
        self._storage.come_home(deadline)
        try:
            marks = self._storage.marks(deadline)
            self.wake()
            while True:
                self._relay.drain(deadline)
                left_s = max(deadline - time.monotonic(), 0.0)
                hopeless = self._relay.backoff.blocked(self._clock() + left_s)
                is_hopeless = not left_s or not self.switches.is_sending
                if is_hopeless or not any(outbox.holds(mark, hopeless, left_s) for outbox, mark in marks):
                    self._relay.settle(deadline)
                    return self._storage.is_whole and not any(outbox.holds(mark) for outbox, mark in marks)
                time.sleep(min(_POLL_S, left_s))
        except SlowError:
            return False
        except OutboxError as error:
            self._storage.lose_disk(error)
            return False


def _can_have_threads() -> bool:
    """Return whether background threads can run; log a warning if they cannot."""
    if run_between_requests():
        return True
    log.warning(
        "uWSGI runs without threads: each event is sent before its response ends, as with TIKTOK_FLUSH=request; start"
        " uWSGI with --enable-threads and nobody waits"
    )
    return False
