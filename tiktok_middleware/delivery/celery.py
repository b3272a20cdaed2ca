"""Sink that publishes batches for Celery workers, and the task that the workers run.

Only this file imports celery.

::

    relay --> CelerySink --> queue `tiktok` --> deliver --> BatchWorker --> EventsApi --> TikTok
     (web host, durable outbox)  (broker)      (worker)        |
                                    ^                          +--> outbox file of the worker: dead letters
                                    +---- what must wait ------+

A message holds encoded events, never a token: the worker reads its own environment.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import celery
import msgspec
from celery.exceptions import Reject
from celery.signals import worker_shutting_down

from tiktok_middleware._printable import own_logger
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Retry, Verdict
from tiktok_middleware.delivery.process.stopping import StopFlag, StoppedError, run_until
from tiktok_middleware.delivery.sender.batch_worker import BatchWorker, Outcome
from tiktok_middleware.errors import TikTokError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.options import DeliveryOptions

__all__ = ["QUEUE", "TASK", "CelerySink", "make_app", "register", "sink_factory"]

log: logging.Logger = own_logger(__name__)

QUEUE = "tiktok"
TASK = "tiktok_middleware.deliver"

_BROKER_S = 0.5  # limit of one network step with the broker; a publication has two or three
_MAX_QUEUED = 1000  # messages of at most a megabyte each; above that, new events stay in the outboxes
_FULL_S = 5.0
_GATHER_S = 0.01  # wait per queued message: larger batches while workers are busy, since TikTok limits requests
_GATHER_MOST_S = 1.0
_VISIBILITY_S = 300  # Redis redelivers a dead worker's message after this time; above any countdown and any task
_SOFT_LIMIT_S = 120  # a task takes some 80 s at most; after this limit its message goes back into the queue
_HARD_LIMIT_S = 170  # a child that still hangs is ended before another worker can get its message
_MAX_HELD = 200  # messages with a later due time that one worker keeps in memory
_CALM_S = 1.0


class BatchMessage(msgspec.Struct, frozen=True):
    """Content of a message: the rows of one batch. Workers of newer releases can read messages of older releases.

    Attributes:
        pixel: TikTok's ``event_source_id``.
        source: TikTok's ``event_source``.
        rows: name, id, time, whether a browser copy was handed out, and the encoded item of each event.
        tries: how often workers have put these rows back into the queue.
    """

    pixel: str
    source: str
    rows: list[tuple[str, str, int, bool, str]]
    tries: int = 0

    @classmethod
    def of(cls, records: Sequence[Record], tries: int = 0) -> BatchMessage:
        """Return a message with ``records``, which all have one pixel and one source."""
        rows = [(r.event, r.event_id, r.event_time, r.paired, r.body.decode()) for r in records]
        return cls(records[0].pixel, records[0].source, rows, tries)

    def records(self) -> list[Record]:
        """Return the records of this message."""
        return [
            Record(self.pixel, self.source, event, event_id, event_time, body.encode(), paired)
            for event, event_id, event_time, paired, body in self.rows
        ]


class Publisher:
    """Publishes messages within about a second, or fails. Only one thread at a time may use it.

    Celery's own connection can wait for a hung broker without limit, so this class opens its own connection.

    Args:
        app: the Celery app with the broker's settings.
    """

    def __init__(self, app: celery.Celery) -> None:
        self._app = app
        self._connection: Any = None

    @property
    def has_broker(self) -> bool:
        """Whether the app names a broker; without one Celery connects to RabbitMQ on this host."""
        return bool(self._app.conf.broker_write_url)

    def publish(self, message: BatchMessage, countdown_s: float = 0.0) -> None:
        """Return once the broker has the message.

        Raises:
            Exception: the broker did not answer in time; the message may have arrived nevertheless.
        """
        try:
            self._app.send_task(
                TASK,
                args=(msgspec.to_builtins(message),),
                queue=QUEUE,
                connection=self._connected(),
                serializer="json",
                countdown=countdown_s or None,
                retry=False,
                ignore_result=True,
                confirm_timeout=_BROKER_S,
                # Monitors and logs show these two texts, so they contain no visitor data.
                argsrepr=f"({message.pixel}, {len(message.rows)} events)",
                kwargsrepr="{}",
            )
        except BaseException:
            self.close()
            raise

    def queued(self) -> int:
        """Return the number of messages in the queue; raise as `publish` does."""
        try:
            channel = self._connected().default_channel
            queue = self._app.amqp.queues[QUEUE]
            return int(queue(channel).queue_declare(passive=False).message_count or 0)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection without a network exchange, since the broker may hang."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect(socket_timeout=_BROKER_S)

    def _connected(self) -> Any:
        if self._connection is None:
            url = self._app.conf.broker_write_url or ""
            connection = self._app.connection_for_write(
                connect_timeout=_BROKER_S,
                heartbeat=0,  # between two batches no code runs that could answer heartbeats
                transport_options=_transport_options(url if isinstance(url, str) else url[0]),
            )
            self._connection = connection  # stored first, so that the caller closes it if connecting fails
            connection.ensure_connection(max_retries=0)
        return self._connection


def _transport_options(url: str) -> dict[str, object]:
    """Return the transport options that limit waiting, per kind of broker; unset ones would mean no limit."""
    options: dict[str, object] = {"max_retries": 0, "connect_retries_timeout": _BROKER_S}
    if url.startswith(("redis", "sentinel", "valkey")):
        return {**options, "socket_timeout": _BROKER_S, "socket_connect_timeout": _BROKER_S, "retry_on_timeout": False}
    if url.startswith(("amqp", "pyamqp")):
        # Without confirmation, messages that a failing broker seemed to accept would be lost.
        return {**options, "confirm_publish": True, "read_timeout": _BROKER_S, "write_timeout": _BROKER_S}
    return options


class CelerySink:
    """Publishes batches to the broker. `Delivered` means that the broker has them; a worker sends them to TikTok.

    Args:
        app: the Celery app with the broker's settings.
        max_queued: messages that may wait in the queue; above that, new events stay in the outbox.
    """

    def __init__(self, app: celery.Celery, *, max_queued: int = _MAX_QUEUED) -> None:
        self._publisher = Publisher(app)
        self._max_queued = max_queued

    def send(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Return the same verdict for all records: `Delivered` to the broker, or `Retry`."""
        try:
            queued = self._publisher.queued()
            if queued < self._max_queued:
                time.sleep(min(queued * _GATHER_S, _GATHER_MOST_S))  # the outbox gathers the next batch meanwhile
                self._publisher.publish(BatchMessage.of(batch))
                return [Delivered()] * len(batch)
        except Exception as error:  # noqa: BLE001 - each transport raises other types; messages may quote the address
            hint = "" if self._publisher.has_broker else "; no broker is set: set TIKTOK_CELERY_BROKER"
            return [Retry(None, f"the broker does not take messages ({type(error).__name__}){hint}")] * len(batch)
        return [Retry(_FULL_S, f"{queued} batches wait for Celery workers")] * len(batch)

    def close(self) -> None:
        """Drop the connection."""
        self._publisher.close()


def sink_factory(broker: str) -> Callable[[DeliveryOptions], CelerySink]:
    """Return a function that makes the sink; the relay calls it on its own thread.

    Args:
        broker: URL of the broker; empty for the broker of the process's current Celery app.
    """

    def open_sink(_: DeliveryOptions) -> CelerySink:
        return CelerySink(make_app(broker) if broker else celery.current_app._get_current_object())  # noqa: SLF001

    return open_sink


def make_app(broker: str) -> celery.Celery:
    """Return a Celery app with our task, for teams without a Celery app.

    Args:
        broker: URL of the broker, such as ``redis://localhost:6379/0``.
    """
    app = celery.Celery("tiktok", broker=broker, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        accept_content=["json"],
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_eta_task_limit=_MAX_HELD,
        broker_connection_retry_on_startup=True,
    )
    if broker.startswith(("redis", "sentinel", "valkey")):
        app.conf.broker_transport_options = {
            "visibility_timeout": _VISIBILITY_S,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
        }
    register(app)
    return app


class Crew:
    """Holds one batch worker per process and one publisher per thread; a forked child makes new ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: tuple[int, BatchWorker] | None = None
        self._here = threading.local()

    def of(self, app: celery.Celery) -> tuple[BatchWorker, Publisher]:
        """Return this process's batch worker and this thread's publisher.

        Raises:
            ConfigError: a variable is malformed.
        """
        pid = os.getpid()
        with self._lock:
            if self._worker is None or self._worker[0] != pid:
                self._worker = pid, BatchWorker(Config.from_env())
        publisher: tuple[int, Publisher] | None = getattr(self._here, "publisher", None)
        if publisher is None or publisher[0] != pid:
            publisher = self._here.publisher = pid, Publisher(app)
        return self._worker[1], publisher[1]


def make_task(crew: Crew, stop: StopFlag, calm_s: float = _CALM_S) -> Callable[[Any, dict[str, Any]], dict[str, int]]:
    """Return the task's function.

    Args:
        crew: sends the events and puts messages back into the queue.
        stop: whether the worker was asked to end. A message that is being sent then goes back into the queue.
        calm_s: wait before a failed message is returned to the broker, in seconds.
    """

    def deliver(task: Any, body: dict[str, Any]) -> dict[str, int]:
        """Return how many events of a message are delivered, dead letters or put back; then Celery acknowledges it."""
        try:
            message = msgspec.convert(body, BatchMessage, strict=False)
        except msgspec.ValidationError as error:
            log.error("A message is not in the format of this package, and is thrown away: %s", error)  # noqa: TRY400 - a traceback would not help
            raise Reject("not one of ours", requeue=False) from None
        try:
            worker, publisher = crew.of(task.app)
        except Exception as error:  # noqa: BLE001 - without `Reject`, the message of a failed task is acknowledged
            raise _left_alone(message, error, calm_s) from None
        try:
            records = message.records()
            done = run_until(lambda: worker.deliver(records), stop.is_over)
        except StoppedError:
            log.warning(
                "%d event(s) stay with the broker: the worker ends, and TikTok does not answer", len(message.rows)
            )
            raise Reject("the worker ends", requeue=True) from None
        except Exception:
            log.exception("%d event(s) could not be handled and go back into the queue", len(message.rows))
            done = Outcome(0, 0, message.records(), calm_s)
        if done.left:
            try:
                # Do not use `Task.retry`: if it cannot publish, the message is lost.
                publisher.publish(BatchMessage.of(done.left, message.tries + 1), done.wait_s)
            except Exception as error:  # noqa: BLE001 - as in the sink
                raise _left_alone(message, error, calm_s) from None
        return {"delivered": done.delivered, "buried": done.buried, "retried": len(done.left)}

    return deliver


def _left_alone(message: BatchMessage, error: Exception, calm_s: float) -> Reject:
    """Return a `Reject` that keeps the message in the broker. Wait first: the broker redelivers it at once."""
    # Messages of our own errors never quote a secret; those of other errors may.
    why = str(error) if isinstance(error, TikTokError) else type(error).__name__
    log.warning("%d event(s) stay with the broker (%s)", len(message.rows), why)
    time.sleep(calm_s)
    return Reject("stays with the broker", requeue=True)


_OPTIONS: dict[str, Any] = {
    "name": TASK,
    "bind": True,
    "acks_late": True,
    "reject_on_worker_lost": True,
    "acks_on_failure_or_timeout": False,
    # The team's time limits for its own tasks may be shorter than TikTok's response time.
    "soft_time_limit": _SOFT_LIMIT_S,
    "time_limit": _HARD_LIMIT_S,
    "ignore_result": True,
    "max_retries": None,
    "serializer": "json",
}
_stop = StopFlag()
_deliver = make_task(Crew(), _stop)
celery.shared_task(**_OPTIONS)(_deliver)


def _note_stop(**_: object) -> None:
    """Let tasks that are sending end in time. Celery calls this in the worker's main process."""
    _stop.set()


worker_shutting_down.connect(_note_stop, weak=False)


def register(app: celery.Celery) -> Any:
    """Add our task to a team's own app. Its workers must also consume the queue: ``worker -Q celery,tiktok``.

    Importing this module also adds the task to every app: ``include=["tiktok_middleware.delivery.celery"]``.
    """
    return app.task(**_OPTIONS)(_deliver)
