"""Send events through Kafka: TIKTOK_SINK=import:examples.kafka_sink:make_sink for the web app.

The relay publishes each event to a topic, and a consumer sends them to TikTok: `python -m examples.kafka_sink`. The key
is the event's id, so that a repetition has the same partition. Needs `pip install confluent-kafka`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from tiktok_middleware.config import Config
from tiktok_middleware.sinks import BatchWorker, Delivered, DeliveryOptions, Record, Retry

TOPIC = os.environ.get("KAFKA_TOPIC", "tiktok-events")
SERVERS = os.environ.get("KAFKA_SERVERS", "localhost:9092")
FLUSH_S = 10.0
BATCH = 500


class KafkaSink:
    """Publishes records; a record is delivered once the broker has confirmed it."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    def send(self, batch: Sequence[Record]) -> list[Delivered | Retry]:
        verdicts: list[Delivered | Retry] = [Retry(None, "Kafka did not confirm in time")] * len(batch)
        for place, record in enumerate(batch):

            def confirmed(error: Any, _message: Any, place: int = place) -> None:
                verdicts[place] = Retry(None, f"Kafka: {error}") if error else Delivered()

            value = msgspec.msgpack.encode(record)
            try:
                self._producer.produce(TOPIC, value=value, key=record.event_id, on_delivery=confirmed)
            except BufferError:  # the producer's queue is full: the rest waits in the outbox
                break
        self._producer.flush(FLUSH_S)
        return verdicts

    def close(self) -> None:
        self._producer.flush(FLUSH_S)


def make_sink(_options: DeliveryOptions) -> KafkaSink:
    from confluent_kafka import Producer

    return KafkaSink(Producer({"bootstrap.servers": SERVERS, "enable.idempotence": True}))


def consume(consumer: Any, producer: Any, worker: BatchWorker) -> int:
    """Send one batch of messages to TikTok, and return how many there were."""
    messages = [message for message in consumer.consume(BATCH, timeout=1.0) if not message.error()]
    by_kind: dict[tuple[str, str], list[Record]] = {}
    for message in messages:
        record = msgspec.msgpack.decode(message.value(), type=Record)
        by_kind.setdefault((record.pixel, record.source), []).append(record)
    for records in by_kind.values():
        for record in worker.deliver(records).left:  # TikTok did not take them now: at the end of the topic
            producer.produce(TOPIC, value=msgspec.msgpack.encode(record), key=record.event_id)
    if messages:
        producer.flush(FLUSH_S)
        consumer.commit(asynchronous=False)
    return len(messages)


def main() -> None:
    from confluent_kafka import Consumer, Producer

    consumer = Consumer({"bootstrap.servers": SERVERS, "group.id": "tiktok", "enable.auto.commit": False})
    consumer.subscribe([TOPIC])
    producer = Producer({"bootstrap.servers": SERVERS, "enable.idempotence": True})
    worker = BatchWorker(Config.from_env())
    while True:
        consume(consumer, producer, worker)


if __name__ == "__main__":
    main()
