"""Every verdict leads a row to its place, at the right time, and nothing leads it to two places."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import (
    NOW,
    PIXEL,
    Clock,
    StartedThreads,
    ToldSink,
    record,
    submission,
    submissions,
    wait_until,
)
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Halted, Rejected, Retry, Verdict
from tiktok_middleware.delivery.outbox.base import LeasedRecord, LeaseHolder
from tiktok_middleware.delivery.outbox.expiry import IMPORTED_TTL_S, PAIRED_TTL_S, UNPAIRED_TTL_S
from tiktok_middleware.delivery.outbox.memory import MemoryOutbox
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.sender.relay import Relay
from tiktok_middleware.errors import OutboxError

Answer = Callable[[Sequence[Record]], Sequence[Verdict]]


class World:
    """A relay whose rounds the test turns by hand."""

    def __init__(self, answer: Answer | None = None, limit: int = 1000) -> None:
        self.clock = Clock()
        self.outbox: MemoryOutbox = MemoryOutbox(clock=self.clock, monotonic=self.clock)
        self.sink = ToldSink(answer)
        self.relay = Relay(lambda: [self.outbox], lambda: self.sink, self.clock, limit, monotonic=self.clock)

    def run(self, rounds: int = 50) -> None:
        for _ in range(rounds):
            if not self.relay.round():
                return

    @property
    def dead(self) -> list[tuple[str, str]]:
        return [(dead.record.event_id, dead.reason) for dead in self.outbox.dead]


def saying(verdict: Verdict) -> Answer:
    return lambda batch: [verdict] * len(batch)


def test_what_has_gathered_goes_in_one_request() -> None:
    world = World()
    world.outbox.put(submissions(5))
    world.run()
    assert world.sink.batches == [[f"evt-{i}" for i in range(5)]]
    assert world.relay.counts == {"delivered": 5}
    assert world.outbox.counts()["waiting"] == 0


def test_a_request_keeps_to_a_thousand_events_and_a_megabyte() -> None:
    world = World()
    world.outbox.put(submissions(1001))
    world.outbox.put(submissions(3, "big", size=400_000))
    world.run()
    assert [len(batch) for batch in world.sink.batches] == [1000, 3, 1]


def test_test_events_go_singly() -> None:
    world = World(limit=1)
    world.outbox.put(submissions(3))
    world.run()
    assert world.sink.batches == [["evt-0"], ["evt-1"], ["evt-2"]]


def test_a_retry_waits_and_then_carries_the_same_event() -> None:
    answers: list[Verdict] = [Retry(None, "HTTP 503"), Delivered()]
    world = World(lambda batch: [answers[len(world.sink.batches) - 1]] * len(batch))
    world.outbox.put(submissions(2))
    world.run()
    assert len(world.sink.batches) == 1, "nothing is sent before the wait is over"
    assert world.relay.counts == {"retried": 2}
    world.clock.pass_by(2.0)
    world.run()
    assert world.sink.batches == [["evt-0", "evt-1"]] * 2
    assert world.outbox.counts()["waiting"] == 0


def test_retry_after_is_honoured() -> None:
    world = World(saying(Retry(90.0, "429")))
    world.outbox.put(submissions(1))
    world.run()
    world.clock.pass_by(89.9)
    world.run()
    assert len(world.sink.batches) == 1
    world.clock.pass_by(0.2)
    world.run()
    assert len(world.sink.batches) == 2


def test_an_outage_does_not_turn_into_load() -> None:
    """One small probe at a time, however many events wait: an hour of outage is two or three requests a minute."""
    world = World(saying(Retry(None, "down")))
    for second in range(3600):
        world.outbox.put(submissions(1, f"s{second}"))
        world.run()
        world.clock.pass_by(1.0)
    assert len(world.sink.batches) < 240
    assert all(len(batch) == 1 for batch in world.sink.batches[10:])
    world.sink.answer = saying(Delivered())
    world.clock.pass_by(41.0)
    world.run()
    assert world.outbox.counts()["waiting"] == 0, "and within a minute after it nothing waits"
    assert len(set(world.sink.sent)) == 3600


def test_one_pixel_in_trouble_does_not_hold_up_another() -> None:
    world = World(lambda batch: [Retry(None, "throttled") if batch[0].pixel == "C1" else Delivered()] * len(batch))
    world.outbox.put([submission(record("a", pixel="C1")), submission(record("b", pixel="C2"))])
    world.run()
    assert sorted(world.sink.sent) == ["a", "b"]
    assert world.outbox.counts()["waiting"] == 1


def test_an_event_that_tiktok_cannot_process_does_not_take_others_with_it() -> None:
    """TikTok answers 50000 to whatever holds the poison: the others must still arrive."""

    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        poisoned = any(r.event_id == "evt-13" for r in batch)
        return [Retry(None, "50000") if poisoned else Delivered()] * len(batch)

    world = World(answer)
    world.outbox.put(submissions(40))
    for _ in range(3600):
        world.run()
        world.clock.pass_by(1.0)
    assert world.relay.counts["delivered"] == 39


def test_an_invalid_event_is_isolated_and_buried_with_tiktoks_words() -> None:
    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        for index, one in enumerate(batch):
            if one.event_id in {"evt-3", "evt-7"}:
                return [Rejected(f"40002 Batch.{index}.properties.value: Not a valid number")] * len(batch)
        return [Delivered()] * len(batch)

    world = World(answer)
    world.outbox.put(submissions(10))
    world.run()
    assert sorted(event_id for event_id, _ in world.dead) == ["evt-3", "evt-7"]
    assert {reason for _, reason in world.dead} == {"40002 Batch.0.properties.value: Not a valid number"}
    assert world.relay.counts == {"delivered": 8}
    assert world.relay.buried == {"rejected": 2}
    assert len(world.sink.batches) == 5


def test_a_mistake_in_every_event_is_said_once_and_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    requests: list[int] = []

    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        requests.append(len(batch))
        words = f"40002 Batch.0.user.email: {len(requests):064x} is not valid (request {len(requests)})"
        return [Rejected(words)] * len(batch)

    world = World(answer)
    world.outbox.put(submissions(50))
    world.run()
    assert world.relay.buried == {"rejected": 50}
    lines = [line.getMessage() for line in caplog.records if "dead letters" in line.getMessage()]
    assert len(lines) == 1
    assert "Batch.0.user.email: <hash> is not valid" in lines[0]


def test_verdicts_may_differ_within_a_batch() -> None:
    told: dict[str, Verdict] = {"evt-0": Delivered(), "evt-1": Rejected("no"), "evt-2": Retry(5.0, "later")}
    world = World(lambda batch: [told[r.event_id] for r in batch])
    world.outbox.put(submissions(3))
    world.run()
    assert world.dead == [("evt-1", "no")]
    assert world.relay.counts == {"delivered": 1, "retried": 1}
    assert world.outbox.counts() == {"waiting": 1, "bytes": len(record("evt-2").body), "dead": 1}


def test_a_halted_pixel_stops_and_keeps_its_rows(caplog: pytest.LogCaptureFixture) -> None:
    world = World(lambda batch: [Halted("40105 token expired") if batch[0].pixel == "C1" else Delivered()] * len(batch))
    world.outbox.put(submissions(3, pixel="C1"))
    world.run()
    world.clock.pass_by(3600.0)
    world.outbox.put([*submissions(2, "more", pixel="C1"), submission(record("x", pixel="C2"))])
    world.run()
    assert world.sink.batches == [["evt-0", "evt-1", "evt-2"], ["x"]]
    assert world.outbox.counts()["waiting"] == 5
    assert world.relay.backoff.halted == {"C1": "40105 token expired"}
    assert caplog.text.count("40105 token expired") == 1
    again = Relay(lambda: [world.outbox], lambda: world.sink, world.clock)
    world.sink.answer = saying(Delivered())
    while again.round():
        pass
    assert world.outbox.counts()["waiting"] == 0, "a restart tries again"


@pytest.mark.parametrize(
    ("paired", "source", "ttl_s"),
    [(True, "web", PAIRED_TTL_S), (False, "web", UNPAIRED_TTL_S), (False, "offline", IMPORTED_TTL_S)],
)
def test_an_expired_event_is_buried_unsent(paired: bool, source: str, ttl_s: int) -> None:
    world = World()
    world.outbox.put([submission(record("old", event_time=NOW - ttl_s - 1, paired=paired, source=source))])
    world.outbox.put([submission(record("young", event_time=NOW - ttl_s, paired=paired, source=source))])
    world.run()
    assert world.sink.sent == ["young"]
    assert world.dead == [("old", "expired")]
    assert world.relay.buried == {"expired": 1}


def test_the_windows_are_tiktoks() -> None:
    assert (PAIRED_TTL_S, UNPAIRED_TTL_S, IMPORTED_TTL_S) == (47 * 3600, 7 * 86400, 28 * 86400)


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_a_sink_that_breaks_is_tried_again_and_its_words_are_kept_to_itself(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        raise kind("Access-Token: s3cret")

    world = World(answer)
    world.outbox.put(submissions(1))
    world.run()
    assert world.relay.counts == {"retried": 1}
    assert kind.__name__ in caplog.text
    assert "s3cret" not in caplog.text


def test_a_sink_that_cannot_be_made_is_tried_again() -> None:
    world = World()
    made: list[int] = []

    def open_sink() -> ToldSink:
        made.append(1)
        if len(made) == 1:
            raise RuntimeError
        return world.sink

    relay = Relay(lambda: [world.outbox], open_sink, world.clock)
    world.outbox.put(submissions(1))
    relay.round()
    world.clock.pass_by(2.0)
    relay.round()
    assert world.sink.sent == ["evt-0"]


def test_who_drains_waits_for_another_threads_round_no_longer_than_told() -> None:
    world = World()
    world.outbox.put(submissions(1))
    with world.relay._turn:
        began = time.monotonic()
        world.relay.drain(began + 0.05)
        assert 0.05 <= time.monotonic() - began < 5
    assert world.sink.sent == []
    world.relay.drain(time.monotonic() + 10)
    assert world.sink.sent == ["evt-0"]


def test_too_few_verdicts_are_none() -> None:
    world = World(lambda batch: [Delivered()])
    world.outbox.put(submissions(2))
    world.run()
    assert world.outbox.counts()["waiting"] == 2
    assert world.relay.counts == {"retried": 2}


def test_a_slow_search_renews_its_lease_and_comes_to_an_end() -> None:
    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        world.clock.pass_by(9.0)
        return [Rejected("40002 no")] * len(batch)

    world = World(answer)
    world.outbox.put(submissions(8))
    world.run(rounds=20)
    assert len(world.dead) == 8


def test_rows_that_were_lost_meanwhile_are_not_sent() -> None:
    """The first request takes longer than the lease, and another worker takes the rest of the batch."""

    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        world.clock.pass_by(30.0)
        world.outbox.lease("other", 1000, limit_bytes=10**6, for_s=600.0)
        return [Rejected("40002 no")] * len(batch)

    world = World(answer)
    world.outbox.put(submissions(8))
    world.run()
    assert len(world.sink.batches) == 1


def test_rows_handed_over_by_the_writer_are_sent_without_another_lease() -> None:
    world = World()
    rows = [LeasedRecord(i, 0, record(f"h{i}", pixel=f"C{i % 2}")) for i in range(4)]
    world.relay.hand(world.outbox, LeaseHolder("w", 20, NOW + 20, rows))
    assert world.relay.round()
    assert world.sink.batches == [["h0", "h2"], ["h1", "h3"]]


def test_rows_are_handed_over_only_to_a_relay_at_work_and_in_good_health() -> None:
    world = World()
    assert world.relay.holder() is None, "its thread does not run"
    world.relay.wake()
    try:
        holder = world.relay.holder()
        assert holder is not None
        assert holder.until == NOW + 20
        world.relay.backoff.failed(PIXEL, NOW, None, "down")
        assert world.relay.holder() is None
        world.relay.backoff.succeeded(PIXEL)
        assert world.relay.holder() is not None
    finally:
        assert world.relay.stop(5.0)
    assert world.relay.holder() is None


def test_waking_sends_and_stopping_closes_the_sink() -> None:
    world, started = World(), StartedThreads()
    world.relay.wake()
    world.outbox.put(submissions(1))
    world.relay.wake()
    running = started.alive
    world.relay._start()
    assert started.alive <= running, "two callers that wake it at once start one thread"
    assert wait_until(lambda: world.sink.sent == ["evt-0"])
    assert world.relay.stop(5.0)
    assert world.sink.is_closed
    world.outbox.put(submissions(1, "late"))
    world.relay.wake()
    assert world.sink.sent == ["evt-0"], "a relay that was stopped stays so"


def test_a_stop_in_the_middle_gives_the_rest_back() -> None:
    entered, leave = threading.Event(), threading.Event()

    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        entered.set()
        assert leave.wait(10)
        return [Rejected("40002 no")] * len(batch)

    world = World(answer)
    world.outbox.put(submissions(4))
    world.relay.wake()
    assert entered.wait(10)
    assert not world.relay.stop(0.01), "the sink has not answered yet"
    leave.set()
    assert world.relay.stop(5.0)
    assert len(world.sink.batches) == 1
    assert world.outbox.due_in_s() == 0, "both halves are free again"


class Failing(MemoryOutbox):
    """An outbox whose first leases fail, as its disk does for a while."""

    def __init__(self, clock: Clock, *errors: Exception) -> None:
        super().__init__(clock=clock, monotonic=clock)
        self.errors = list(errors)

    def lease(self, *args: Any, **options: Any) -> list[LeasedRecord]:
        if self.errors:
            raise self.errors.pop()
        return super().lease(*args, **options)


def test_an_outbox_that_fails_for_a_while_does_not_end_the_relay(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.outbox = Failing(world.clock, OutboxError("disk I/O error"), OutboxError("disk I/O error"), KeyError("ours"))
    world.outbox.put(submissions(1))

    def is_sent() -> bool:
        world.relay.wake()  # else it tries again after seconds
        return world.sink.sent == ["evt-0"]

    assert wait_until(is_sent)
    assert world.relay.stop(5.0)
    assert caplog.text.count("disk I/O error") == 1, "one outage is said once"
    assert "The relay failed" in caplog.text


def test_where_no_thread_can_start_a_drain_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)
    world = World(limit=1)
    world.outbox.put(submissions(3))
    world.relay.wake()
    assert world.sink.sent == []
    world.relay.drain(time.monotonic() - 1)
    assert world.sink.sent == [], "its time is over"
    world.relay.drain(time.monotonic() + 10)
    assert world.sink.sent == ["evt-0", "evt-1", "evt-2"]


def test_what_was_handed_over_too_late_goes_back() -> None:
    entered, leave = threading.Event(), threading.Event()

    def answer(batch: Sequence[Record]) -> Sequence[Verdict]:
        entered.set()
        assert leave.wait(10)
        return [Delivered()] * len(batch)

    world = World(answer)
    world.outbox.put(submissions(1))
    world.relay.wake()
    assert entered.wait(10)
    world.outbox.put(submissions(1, "late"))
    holder = world.relay.holder()
    assert holder
    holder.rows += world.outbox.lease(holder.owner, 10, limit_bytes=10**6, for_s=20)
    world.relay.hand(world.outbox, holder)
    assert not world.relay.stop(0.0)
    leave.set()
    assert world.relay.stop(5.0)
    assert world.sink.sent == ["evt-0"]
    assert world.outbox.due_in_s() == 0


class Asked(MemoryOutbox):
    """An outbox that an operator can ask to try again."""

    asked = 0

    def resumes(self) -> int:
        return self.asked


def test_halted_pixels_go_on_when_an_operator_says_so() -> None:
    world = World(saying(Halted("40105")))
    world.outbox = outbox = Asked(clock=world.clock, monotonic=world.clock)
    outbox.put([submission(record("a")), submission(record("b", pixel="OTHER"))])
    world.run()
    assert world.relay.backoff.halted.keys() == {PIXEL, "OTHER"}
    world.run()
    assert len(world.sink.batches) == 2
    world.sink.answer = saying(Delivered())
    outbox.asked += 1
    world.run()
    assert sorted(world.sink.sent[2:]) == ["a", "b"]
    assert world.relay.backoff.halted == {}


def test_a_full_request_does_not_wait_for_more(tmp_path: Path) -> None:
    outbox, sink = SqliteOutbox(tmp_path / "o.db"), ToldSink()
    relay = Relay(lambda: [outbox], lambda: sink, time.time, limit=2, gather_s=60.0)
    relay.wake()
    for event_id in ("a", "b"):
        holder = relay.holder()
        assert holder
        outbox.put([submission(record(event_id, event_time=time.time()))], holder=holder)
        relay.hand(outbox, holder)
        relay.wake()
    assert wait_until(lambda: len(sink.sent) == 2)
    assert relay.stop(10)
    outbox.close()
