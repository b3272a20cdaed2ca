"""The Kafka example publishes what the relay sends, and its consumer sends what was published."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from examples.kafka_sink import KafkaSink, consume
from tests.delivery.delivery_world import PIXEL, ToldSink, record, submissions
from tiktok_middleware.config import Config
from tiktok_middleware.core.events_api.answers import Delivered, Retry
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
from tiktok_middleware.sinks import BatchWorker


class Message:
    def __init__(self, value: bytes) -> None:
        self._value = value

    def value(self) -> bytes:
        return self._value

    def error(self) -> None:
        return None


class Topic:
    """A topic as a producer and a consumer see it."""

    def __init__(self, limit: int = 1000, error: str | None = None) -> None:
        self.values: list[bytes] = []
        self.commits = 0
        self._limit = limit
        self._error = error
        self._calls: list[Callable[[], None]] = []

    def produce(self, _topic: str, *, value: bytes, key: str, on_delivery: Any = None) -> None:
        assert key
        if len(self._calls) >= self._limit:
            raise BufferError
        if not self._error:
            self.values.append(value)
        self._calls.append(lambda: on_delivery(self._error, None) if on_delivery else None)

    def flush(self, _timeout_s: float) -> None:
        for call in self._calls:
            call()
        self._calls = []

    def consume(self, most: int, timeout: float) -> list[Message]:
        taken, self.values = self.values[:most], self.values[most:]
        return [Message(value) for value in taken]

    def commit(self, *, asynchronous: bool) -> None:
        self.commits += not asynchronous


def test_events_go_through_the_topic_to_tiktok() -> None:
    topic, tiktok = Topic(), ToldSink()
    delivery = open_delivery(DeliveryOptions(sink=lambda _: KafkaSink(topic)))
    delivery.submit(submissions(5, event_time=time.time())).result(10)
    assert delivery.close(10)
    assert len(topic.values) == 5
    worker = BatchWorker(Config(pixel_id=PIXEL, access_token="t", outbox="memory://"), lambda: tiktok)
    assert consume(topic, topic, worker) == 5
    worker.close()
    assert sorted(tiktok.sent) == [f"evt-{n}" for n in range(5)]
    assert (topic.values, topic.commits) == ([], 1)


def test_what_tiktok_does_not_take_is_published_again() -> None:
    topic = Topic()
    KafkaSink(topic).send([record("a", event_time=time.time())])
    tiktok = ToldSink(lambda batch: [Retry(60.0, "busy")] * len(batch))
    worker = BatchWorker(Config(pixel_id=PIXEL, access_token="t", outbox="memory://"), lambda: tiktok)
    consume(topic, topic, worker)
    worker.close()
    assert len(topic.values) == 1


@pytest.mark.parametrize(
    ("topic", "delivered"),
    [(Topic(), 3), (Topic(limit=2), 2), (Topic(error="no leader"), 0)],
    ids=["up", "full", "down"],
)
def test_only_what_the_broker_has_confirmed_is_delivered(topic: Topic, delivered: int) -> None:
    verdicts = KafkaSink(topic).send([record(f"e{n}") for n in range(3)])
    assert len(verdicts) == 3
    assert sum(isinstance(verdict, Delivered) for verdict in verdicts) == delivered
