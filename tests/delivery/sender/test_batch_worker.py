"""A worker follows the relay's rules: every event of a message is delivered, a dead letter, or left for later."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import NOW, PIXEL, Clock, ToldSink, record, running_api
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Halted, Rejected, Retry, Verdict
from tiktok_middleware.delivery.outbox.admin import OutboxAdmin
from tiktok_middleware.delivery.outbox.dead_letters import RowFilter
from tiktok_middleware.delivery.outbox.expiry import PAIRED_TTL_S, UNPAIRED_TTL_S
from tiktok_middleware.delivery.outbox.memory import Dead
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.sender.batch_worker import WORKER_MAX_WAIT_S, BatchWorker, DeadLetters

Answer = Callable[[Sequence[Record]], Sequence[Verdict]]


class World:
    def __init__(self, folder: Path, answer: Answer | None = None, *, work_s: float = 60.0, **options: str) -> None:
        self.path = folder / "worker.sqlite3"
        self.clock = Clock()
        self.sink = ToldSink(answer)
        given: dict[str, Any] = {"pixel_id": PIXEL, "access_token": "t", "outbox": f"sqlite:///{self.path}", **options}
        self.courier = BatchWorker(Config.from_env({}, **given), lambda: self.sink, clock=self.clock, work_s=work_s)
        _opened.append(self.courier)

    def dead(self) -> list[tuple[str, str]]:
        return [
            (row.event_id, row.reason) for row in OutboxAdmin(self.path, self.clock).rows(RowFilter(states=("dead",)))
        ]


_opened: list[BatchWorker] = []


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def records(count: int) -> list[Record]:
    return [record(f"evt-{i}") for i in range(count)]


def saying(verdict: Verdict) -> Answer:
    return lambda batch: [verdict] * len(batch)


def test_a_batch_is_delivered_in_one_request(tmp_path: Path) -> None:
    world = World(tmp_path)
    done = world.courier.deliver(records(1000))
    assert (done.delivered, done.buried, done.left) == (1000, 0, [])
    assert [len(batch) for batch in world.sink.batches] == [1000]
    assert not world.path.exists()


def test_the_culprit_alone_is_buried_in_the_workers_outbox(tmp_path: Path) -> None:
    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        is_bad = any(one.event_id == "evt-7" for one in batch)
        return [Rejected("40002 wrong") if is_bad else Delivered()] * len(batch)

    world = World(tmp_path, answer)
    done = world.courier.deliver(records(20))
    assert (done.delivered, done.buried, done.left) == (19, 1, [])
    assert world.dead() == [("evt-7", "40002 wrong")]


def test_what_tiktok_does_not_take_now_is_left_with_a_bounded_wait(tmp_path: Path) -> None:
    world = World(tmp_path, saying(Retry(None, "503")))
    for _ in range(12):
        done = world.courier.deliver(records(10))
        assert [r.event_id for r in done.left] == [f"evt-{i}" for i in range(10)]
        assert 0.5 <= done.wait_s <= WORKER_MAX_WAIT_S
        world.clock.pass_by(400.0)
    assert len(world.sink.batches) == 12


def test_an_outage_is_probed_by_few_and_small_requests(tmp_path: Path) -> None:
    world = World(tmp_path, saying(Retry(600.0, "429")))
    assert world.courier.deliver(records(10)).wait_s <= WORKER_MAX_WAIT_S
    for _ in range(20):
        assert len(world.courier.deliver(records(10)).left) == 10
    assert len(world.sink.batches) == 1, "the others knew without asking"
    world.clock.pass_by(601.0)
    world.sink.answer = saying(Delivered())
    assert world.courier.deliver(records(10)).delivered == 10


def test_a_bad_token_is_asked_once_until_an_operator_says_retry(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, saying(Halted("40105 token")))
    for _ in range(3):
        done = world.courier.deliver(records(2))
        assert len(done.left) == 2
        assert WORKER_MAX_WAIT_S / 2 <= done.wait_s <= WORKER_MAX_WAIT_S
    assert len(world.sink.batches) == 1
    assert caplog.text.count("40105 token") == 1
    world.sink.answer = saying(Delivered())
    OutboxAdmin(world.path, world.clock).retry(RowFilter())
    assert world.courier.deliver(records(2)).delivered == 2
    assert world.courier.deliver(records(2)).delivered == 2


def test_what_has_expired_is_buried_and_not_sent(tmp_path: Path) -> None:
    world = World(tmp_path)
    old = record("pair", event_time=NOW - PAIRED_TTL_S - 1, paired=True)
    done = world.courier.deliver([old, record("alone", event_time=NOW - UNPAIRED_TTL_S - 1), record("new")])
    assert (done.delivered, done.buried) == (1, 2)
    assert world.sink.sent == ["new"]
    assert world.dead() == [("pair", "expired"), ("alone", "expired")]


def test_test_events_go_one_by_one(tmp_path: Path) -> None:
    world = World(tmp_path, test_event_code="T1", environment="development")
    world.courier.deliver(records(3))
    assert world.sink.batches == [["evt-0"], ["evt-1"], ["evt-2"]]


def test_a_task_ends_in_time(tmp_path: Path) -> None:
    world = World(tmp_path, work_s=0.0, test_event_code="T1", environment="development")
    done = world.courier.deliver(records(3))
    assert (done.delivered, len(done.left)) == (1, 2)


def test_dead_letters_that_cannot_be_kept_are_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    for letters in (DeadLetters(None), DeadLetters(SqliteOutbox(tmp_path / "file" / "x.sqlite3"))):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            letters.keep([Dead(record("gone"), "40002 wrong")])
        assert "Lost Purchase gone (40002 wrong): " in caplog.text
        assert letters.resumes() == 0


def test_a_worker_that_must_not_send_keeps_everything(tmp_path: Path) -> None:
    config = Config(pixel_id=PIXEL, access_token="t", environment="staging", outbox=f"sqlite:///{tmp_path}/o.sqlite3")
    courier = BatchWorker(config, clock=Clock())
    assert len(courier.deliver(records(2)).left) == 2
    assert courier._relay.backoff.halted == {PIXEL: "the worker's environment forbids sending (not_production)"}
    courier.close()


def test_a_worker_posts_with_its_own_token(tmp_path: Path) -> None:
    with running_api() as api:
        config = Config(pixel_id=PIXEL, access_token="own", api_url=api.url, outbox="memory://")
        courier = BatchWorker(config, clock=Clock())
        assert courier.deliver(records(2)).delivered == 2
        assert api.requests[0].headers["access-token"] == "own"
        courier.close()


def test_dead_letters_do_not_disturb_what_waits(tmp_path: Path) -> None:
    world = World(tmp_path)
    outbox = world.courier._dead_letters._outbox
    assert outbox is not None
    outbox.keep_dead([record(f"d{i}") for i in range(120)], "why")
    assert outbox.counts() == {"waiting": 0, "bytes": 0, "dead": 120}
    with closing(sqlite3.connect(world.path)) as db, db:
        assert db.execute("SELECT rows, bytes FROM tally").fetchone() == (0, 0)
    db.close()
    world.courier.close()
