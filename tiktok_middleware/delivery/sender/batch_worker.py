"""Send one batch in a worker process, by the relay's rules."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from tiktok_middleware._printable import own_logger
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import OutboxEntry, Record
from tiktok_middleware.core.events_api.answers import Halted, Verdict
from tiktok_middleware.core.events_api.requests import MAX_REQUEST_EVENTS
from tiktok_middleware.delivery.outbox.base import RUNNING, Limits, Switches
from tiktok_middleware.delivery.outbox.environment import environment_of
from tiktok_middleware.delivery.outbox.location import outbox_path, outbox_url
from tiktok_middleware.delivery.outbox.memory import Dead, MemoryOutbox
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.sender.backoff import MIN_WAIT_S
from tiktok_middleware.delivery.sender.events_api import EventsApi
from tiktok_middleware.delivery.sender.relay import Relay, Sink
from tiktok_middleware.errors import OutboxError

__all__ = ["WORKER_MAX_WAIT_S", "BatchWorker", "Outcome"]

log: logging.Logger = own_logger(__name__)

WORKER_MAX_WAIT_S = 60.0
"""The longest wait that is asked of a queue: far below the time after which Redis hands a message out again."""

_WORK_S = 60.0  # after that what is left goes back into the queue, also when all goes well


class Outcome(msgspec.Struct, frozen=True):
    """What became of a batch.

    Attributes:
        delivered: events that TikTok has.
        buried: events that became dead letters.
        left: what is to be tried again.
        wait_s: seconds until then.
    """

    delivered: int
    buried: int
    left: list[Record]
    wait_s: float = 0.0


class BatchWorker:
    """One a process: it remembers how TikTok answered, so that an outage is probed and not hammered.

    Args:
        config: of the worker's own environment.
        open_sink: makes the sink; the Events API's where it is not given.
        clock: Unix seconds.
    """

    def __init__(
        self, config: Config, open_sink: Callable[[], Sink] | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._batch = MemoryOutbox(clock=clock)
        self._lock = threading.Lock()
        limit = 1 if config.test_event_code else MAX_REQUEST_EVENTS
        environment = environment_of(config.api_url, config.test_event_code, config.environment)
        path = outbox_path(outbox_url(config))
        self._dead_letters = DeadLetters(
            SqliteOutbox(path, sync=config.sync, environment=environment, clock=clock) if path else None
        )
        self._relay = Relay(
            lambda: [self._batch],
            open_sink or (lambda: _open_sink(config, clock)),
            clock,
            limit,
            is_sending=lambda: self._dead_letters.switches().is_sending,
        )
        self._resumes: int | None = None

    def deliver(self, records: Sequence[Record]) -> Outcome:
        """What became of ``records``, each of which is now at TikTok, a dead letter, or left."""
        with self._lock:
            self._resume_if_asked()
            self._batch = batch = MemoryOutbox(
                Limits(rows=len(records), bytes=2**62, dead=len(records)), clock=self._clock
            )
            batch.put([OutboxEntry(record.event_id, (record,)) for record in records])
            self._relay.round()
            deadline = time.monotonic() + _WORK_S
            while time.monotonic() < deadline and self._relay.round():
                pass
            dead, left = list(batch.dead), batch.left()
            self._dead_letters.keep(dead)
            wait_s = self._wait_s(batch, left) if left else 0.0
        return Outcome(len(records) - len(dead) - len(left), len(dead), left, wait_s)

    def close(self) -> None:
        """Let go of connections and files, for good."""
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
        """How long the rest shall wait, with jitter, so that what failed together does not come back together."""
        now, pixel = self._clock(), left[0].pixel
        if pixel in self._relay.backoff.halted or not self._dead_letters.switches().is_sending:
            return WORKER_MAX_WAIT_S * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        due_in_s = max(batch.due_in_s() or 0.0, (self._relay.backoff.opens_at() or now) - now)
        return min(max(due_in_s, MIN_WAIT_S), WORKER_MAX_WAIT_S * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


class DeadLetters:
    """The outbox file of the worker's host, where `tiktok-middleware outbox` finds what was given up.

    Args:
        outbox: the file; None where events are in memory, so that only the log has them.
    """

    def __init__(self, outbox: SqliteOutbox | None) -> None:
        self._outbox = outbox

    def switches(self) -> Switches:
        """What an operator has stopped on this host."""
        return self._outbox.switches() if self._outbox else RUNNING

    def keep(self, dead: Sequence[Dead]) -> None:
        """Store what was given up; where that is not possible, the log names each."""
        by_reason: dict[str, list[Record]] = {}
        for letter in dead:
            by_reason.setdefault(letter.reason, []).append(letter.record)
        for reason, records in by_reason.items():
            if trouble := self._trouble_keeping(records, reason):
                for record in records:
                    log.error("Lost %s %s (%s): %s", record.event, record.event_id, reason, trouble)

    def resumes(self) -> int:
        """How often an operator has asked on this host to try again what is halted."""
        try:
            return self._outbox.resumes() if self._outbox else 0
        except OutboxError:
            return 0

    def close(self) -> None:
        """Let go of the file."""
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
    """The sink of a worker that must not send."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        return [Halted(self._reason)] * len(batch)

    def close(self) -> None:
        """Nothing to let go of."""


def _open_sink(config: Config, clock: Callable[[], float]) -> Sink:
    if config.server_reason:
        return _NoWay(f"the worker's environment forbids sending ({config.server_reason})")
    return EventsApi(config.api_url, config.token_by_pixel, config.test_event_code or None, clock=clock)
