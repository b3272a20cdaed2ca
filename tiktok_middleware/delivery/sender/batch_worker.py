"""Send batches in a worker process, by the relay's rules."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from tiktok_middleware._printable import own_logger
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import OutboxEntry, Record
from tiktok_middleware.core.events_api.answers import Halted, Verdict
from tiktok_middleware.core.events_api.requests import MAX_REQUEST_EVENTS
from tiktok_middleware.delivery.outbox.base import RUNNING, Limits, Switches
from tiktok_middleware.delivery.outbox.environment import environment_of
from tiktok_middleware.delivery.outbox.location import is_shared, outbox_path, outbox_url
from tiktok_middleware.delivery.outbox.memory import Dead, MemoryOutbox
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.sender.backoff import MIN_WAIT_S
from tiktok_middleware.delivery.sender.events_api import EventsApi
from tiktok_middleware.delivery.sender.relay import Relay, Sink
from tiktok_middleware.errors import OutboxError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox

__all__ = ["WORKER_MAX_WAIT_S", "BatchWorker", "Outcome"]

log: logging.Logger = own_logger(__name__)

_LOOK_EVERY_S = 1.0

WORKER_MAX_WAIT_S = 60.0
"""Longest delay of a message in the queue, in seconds: far below the time after which Redis redelivers a message."""


class Outcome(msgspec.Struct, frozen=True):
    """Outcome of one batch.

    Attributes:
        delivered: number of events that TikTok has.
        buried: number of events that became dead letters.
        left: records to try again.
        wait_s: seconds to wait before that.
    """

    delivered: int
    buried: int
    left: list[Record]
    wait_s: float = 0.0


class BatchWorker:
    """Sends batches to TikTok. Use one per process: its backoff state keeps requests few during an outage.

    Args:
        config: configuration from the worker's own environment.
        open_sink: makes the sink; by default, the Events API's.
        clock: returns Unix seconds.
        work_s: longest time for one batch, in seconds; after that, unsent events go back into the queue.
    """

    def __init__(
        self,
        config: Config,
        open_sink: Callable[[], Sink] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        work_s: float = 60.0,
    ) -> None:
        self._clock = clock
        self._work_s = work_s
        self._batch = MemoryOutbox(clock=clock)
        self._lock = threading.Lock()
        limit = 1 if config.test_event_code else MAX_REQUEST_EVENTS
        environment = environment_of(config.api_url, config.test_event_code, config.environment)
        self._dead_letters = DeadLetters(_open_outbox(config, environment, clock))
        self._relay = Relay(
            lambda: [self._batch],
            open_sink or (lambda: _open_sink(config, clock)),
            clock,
            limit,
            is_sending=lambda: self._dead_letters.switches().is_sending,
        )
        self._resumes: int | None = None

    def deliver(self, records: Sequence[Record]) -> Outcome:
        """Send ``records`` and return the outcome: each is now at TikTok, a dead letter, or left."""
        with self._lock:
            self._resume_if_asked()
            self._batch = batch = MemoryOutbox(
                Limits(rows=len(records), bytes=2**62, dead=len(records)), clock=self._clock
            )
            batch.put([OutboxEntry(record.event_id, (record,)) for record in records])
            self._relay.round()
            deadline = time.monotonic() + self._work_s
            while time.monotonic() < deadline and self._relay.round():
                pass
            dead, left = list(batch.dead), batch.left()
            self._dead_letters.keep(dead)
            wait_s = self._wait_s(batch, left) if left else 0.0
        return Outcome(len(records) - len(dead) - len(left), len(dead), left, wait_s)

    def close(self) -> None:
        """Close connections and files. The worker cannot be used afterwards."""
        self._relay.stop(0.0)
        self._dead_letters.close()

    def _resume_if_asked(self) -> None:
        """Try halted pixels again after an `outbox retry` on this host."""
        if not self._relay.backoff.halted:
            self._resumes = None
            return
        asked = self._dead_letters.resumes()
        if self._resumes is not None and asked != self._resumes:
            self._relay.backoff.resume()
        self._resumes = asked

    def _wait_s(self, batch: MemoryOutbox, left: list[Record]) -> float:
        """Return how long the rest waits, with jitter, so that messages that failed together come back apart."""
        now, pixel = self._clock(), left[0].pixel
        if pixel in self._relay.backoff.halted or not self._dead_letters.switches().is_sending:
            return WORKER_MAX_WAIT_S * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        due_in_s = max(batch.due_in_s() or 0.0, (self._relay.backoff.opens_at() or now) - now)
        return min(max(due_in_s, MIN_WAIT_S), WORKER_MAX_WAIT_S * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def _open_outbox(config: Config, environment: str, clock: Callable[[], float]) -> SqliteOutbox | PostgresOutbox | None:
    """Return the outbox for dead letters; None for an outbox in memory."""
    url = outbox_url(config)
    if is_shared(url):
        from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox  # noqa: PLC0415  # an extra

        return PostgresOutbox(url, environment=environment)
    path = outbox_path(url)
    return SqliteOutbox(path, sync=config.sync, environment=environment, clock=clock) if path else None


class DeadLetters:
    """Stores the worker's dead letters in the outbox, where `tiktok-middleware outbox` shows them.

    Args:
        outbox: the outbox; None for an outbox in memory, so that dead letters are only logged.
    """

    def __init__(self, outbox: SqliteOutbox | PostgresOutbox | None) -> None:
        self._outbox = outbox
        self._look_at = 0.0

    def switches(self) -> Switches:
        """Return the operator's switches. May wait for a shared outbox, about once a second."""
        if self._outbox is None:
            return RUNNING
        if not isinstance(self._outbox, SqliteOutbox) and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_EVERY_S
            self.resumes()  # reads the switches too
        return self._outbox.switches()

    def keep(self, dead: Sequence[Dead]) -> None:
        """Store the dead letters; log each as an error if that is not possible."""
        by_reason: dict[str, list[Record]] = {}
        for letter in dead:
            by_reason.setdefault(letter.reason, []).append(letter.record)
        for reason, records in by_reason.items():
            if trouble := self._trouble_keeping(records, reason):
                for record in records:
                    log.error("Lost %s %s (%s): %s", record.event, record.event_id, reason, trouble)

    def resumes(self) -> int:
        """Return how often `outbox retry` was run on this host for halted pixels; 0 if the outbox cannot be read."""
        try:
            return self._outbox.resumes() if self._outbox else 0
        except OutboxError:
            return 0

    def close(self) -> None:
        """Close the file."""
        if self._outbox:
            self._outbox.close()

    def _trouble_keeping(self, records: list[Record], reason: str) -> str:
        if self._outbox is None:
            return "this worker has no outbox file"
        try:
            self._outbox.keep_dead(records, reason)
        except OutboxError as error:
            return str(error)
        return ""


class _NoWay:
    """Sink of a worker that must not send."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        return [Halted(self._reason)] * len(batch)

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _open_sink(config: Config, clock: Callable[[], float]) -> Sink:
    if config.server_reason:
        return _NoWay(f"the worker's environment forbids sending ({config.server_reason})")
    return EventsApi(config.api_url, config.token_by_pixel, config.test_event_code or None, clock=clock)
