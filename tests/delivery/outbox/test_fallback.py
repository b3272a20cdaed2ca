"""Events that came while the disk failed go there once it works, and none ends with the process in silence."""

from __future__ import annotations

import itertools
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.delivery.delivery_world import (
    PIXEL,
    WALL,
    ToldSink,
    memory_outbox,
    record,
    sqlite_outbox,
    submission,
    submissions,
    wait_until,
)
from tiktok_middleware.core.events.event import Claim, DeferredPayload, OutboxEntry
from tiktok_middleware.core.events_api.answers import Retry
from tiktok_middleware.delivery.delivery import Delivery, DeliveryOptions, open_delivery
from tiktok_middleware.delivery.outbox.base import LeaseHolder, Limits, Outbox
from tiktok_middleware.delivery.outbox.fallback import FallbackOutbox
from tiktok_middleware.delivery.outbox.memory import MEMORY_LIMITS
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.outbox.undecided import UndecidedPuts
from tiktok_middleware.errors import OutboxError

PUT_IDS = (bytes(8) + number.to_bytes(8, "big") for number in itertools.count(1))


_disks: list[SqliteOutbox] = []


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    while _disks:
        _disks.pop().close()


def fallback(disk: SqliteOutbox, *, hands_out: bool = True, **options: Any) -> FallbackOutbox:
    _disks.append(disk)
    undecided = UndecidedPuts(MEMORY_LIMITS, hands_out=hands_out)
    return FallbackOutbox(disk, lambda: memory_outbox(MEMORY_LIMITS), undecided, **options)


def minutes() -> Callable[[], float]:
    """A clock that is a minute ahead at each look, so that a failed disk is tried again at once."""
    return itertools.count(0.0, 60.0).__next__


def put(storage: FallbackOutbox, *given: OutboxEntry) -> list[Claim]:
    def hand(outbox: Outbox, holder: LeaseHolder) -> None:
        raise AssertionError("nobody takes rows here")

    return storage.put(given, next(PUT_IDS), None, hand)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the outbox shall be: a file is in the way, as when a disk cannot be written."""
    folder = tmp_path / "state"
    folder.write_text("in the way")
    return folder


@pytest.fixture
def storage(folder: Path) -> FallbackOutbox:
    return fallback(sqlite_outbox(folder / "outbox.sqlite3"), monotonic=minutes(), part=10)


def test_what_came_while_the_disk_failed_goes_there_in_parts(
    storage: FallbackOutbox, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    put(storage, *submissions(24, "early"))
    [memory] = [outbox for outbox in storage.outboxes() if outbox is not storage.disk]
    memory.retry("me", [row.id for row in memory.lease("me", 5, limit_bytes=10**6, for_s=60)], 600)
    folder.unlink()
    put(storage, *submissions(1, "late"))
    assert storage.disk
    assert (storage.disk.counts()["waiting"], memory.counts()["waiting"]) == (11, 14)
    assert storage.settle() == 0
    found = storage.disk.lease("me", 100, limit_bytes=10**6, for_s=60)
    assert {row.record.event_id for row in found} == {"late-0", *(f"early-{i}" for i in range(24))}
    assert storage.disk.counts()["bytes"] == sum(len(row.record.body) for row in found)
    assert "10 event(s) that waited in memory are on disk" in caplog.text


@pytest.mark.parametrize("fails_again", [False, True])
@pytest.mark.parametrize("once", [False, True])
def test_delay_goes_on_when_the_disk_is_back(
    storage: FallbackOutbox, folder: Path, once: bool, fails_again: bool
) -> None:
    """Otherwise a purchase would leave before it can be cancelled."""
    order = OutboxEntry("order", (record("order"),), browser=True, once=once, delay_s=600.0)
    put(storage, order, *submissions(2))
    WALL.pass_by(100.0)
    if fails_again:
        assert storage.settle() == 3
        WALL.pass_by(100.0)
    folder.unlink()
    assert storage.settle() == 0
    assert storage.disk
    passed = 200.0 if fails_again else 100.0
    for left_s, found in ((600.0 - passed - 1.0, ["evt-0", "evt-1"]), (2.0, ["order"])):
        WALL.pass_by(left_s)
        rows = storage.disk.lease("me", 9, limit_bytes=10**6, for_s=6000.0)
        assert [row.record.event_id for row in rows] == found
    again = storage.disk.put([msgspec.structs.replace(order, delay_s=0.0)])
    assert again == [Claim(browser=not once, server=not once)]


def test_purchase_that_waits_in_memory_is_cancelled_once_the_disk_is_back(
    storage: FallbackOutbox, folder: Path
) -> None:
    put(storage, OutboxEntry("order", (record("order"),), once=True, delay_s=600.0), *submissions(1))
    with pytest.raises(OutboxError):
        storage.cancel("order")
    folder.unlink()
    assert storage.cancel("order")
    assert storage.settle() == 0
    WALL.pass_by(700.0)
    assert storage.disk
    rows = storage.disk.lease("me", 9, limit_bytes=10**6, for_s=60.0)
    assert [row.record.event_id for row in rows] == ["evt-0"]
    assert put(storage, submission(record("order"), once=True)) == [Claim(browser=False, server=False)]


def test_what_was_counted_in_memory_stays_counted(storage: FallbackOutbox, folder: Path) -> None:
    order = submission(record("order"), browser=True, once=True)
    late = submission(record("other"), browser=False, once=True)
    assert put(storage, order, late) == [Claim(browser=True, server=True), Claim(browser=False, server=True)]
    folder.unlink()
    assert storage.settle() == 0
    assert storage.disk
    assert put(storage, order) == [Claim(browser=False, server=False)]
    assert storage.disk.counts()["waiting"] == 2
    paired = {
        row.record.event_id: row.record.paired for row in storage.disk.lease("me", 9, limit_bytes=10**6, for_s=60)
    }
    assert paired == {"order": True, "other": False}


def test_what_somebody_has_in_hand_at_the_end_goes_to_the_disk_too(storage: FallbackOutbox, folder: Path) -> None:
    put(storage, *submissions(3))
    [memory] = [outbox for outbox in storage.outboxes() if outbox is not storage.disk]
    held = memory.lease("hanging", 2, limit_bytes=10**6, for_s=60)
    folder.unlink()
    assert storage.settle() == 0
    assert memory.ack("hanging", held) == 0
    assert storage.disk
    assert storage.disk.counts()["waiting"] == 3


def test_a_disk_that_fails_again_loses_nothing(storage: FallbackOutbox, folder: Path) -> None:
    put(storage, *submissions(15), submission(record("order"), browser=True, once=True))
    assert storage.settle() == 16
    assert put(storage, submission(record("order"), browser=True, once=True)) == [Claim(browser=False, server=False)]
    folder.unlink()
    assert storage.settle() == 0


def _opened(outbox: str) -> Delivery:
    sink = ToldSink(lambda batch: [Retry(600.0, "later")] * len(batch))
    return open_delivery(DeliveryOptions(outbox=outbox, tokens={PIXEL: "t"}, sink=lambda _: sink))


@pytest.mark.parametrize("kind", ["memory", "broken"])
def test_what_is_lost_with_a_process_is_said_and_counted(
    folder: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = _opened("memory://" if kind == "memory" else f"sqlite:///{folder}/o.db")
    delivery.submit(submissions(3, event_time=time.time())).result(10)
    assert wait_until(lambda: delivery.stats()["retried"] == 3)
    assert not delivery.close(0)
    assert delivery.stats()["dropped"] == {"unsent": 3}
    assert "3 event(s) are in memory alone" in caplog.text
    assert not delivery.close(0)
    assert delivery.stats()["dropped"] == {"unsent": 3}, "not counted twice"


def test_a_process_that_ends_when_its_disk_is_back_loses_nothing(folder: Path) -> None:
    path = folder / "o.db"
    delivery = _opened(f"sqlite:///{path}")
    delivery.submit(submissions(30, event_time=time.time())).result(10)
    folder.unlink()
    delivery.close(0)
    assert (delivery.stats()["dropped"], delivery.stats()["waiting"]) == ({}, 30)
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT count(*) FROM waiting").fetchone() == (30,)
    db.close()


# -- events that count once, across a failure of the disk


@pytest.fixture
def used(tmp_path: Path) -> FallbackOutbox:
    """A disk that this process has used, and that `failing` lets fail."""
    used = fallback(sqlite_outbox(tmp_path / "outbox.sqlite3"), monotonic=minutes())
    put(used, *submissions(1, "before"))
    return used


@contextmanager
def failing(storage: FallbackOutbox, *, commits: bool = False) -> Iterator[None]:
    """The disk fails; with ``commits`` it stores what it is given, and its answer is lost."""
    disk = storage.disk
    assert disk
    real = disk.put

    def fails(*args: object, **options: object) -> list[Claim]:
        if commits:
            real(*args, **options)  # type: ignore[arg-type]
        raise OutboxError("disk I/O error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "put", fails)
        yield


def server(key: str) -> OutboxEntry:
    return submission(record(key), once=True)


def page(key: str) -> OutboxEntry:
    return submission(record(key, paired=True), browser=True, once=True)


def leased(outbox: Outbox) -> list[tuple[str, bool]]:
    rows = outbox.lease("me", 100, limit_bytes=10**6, for_s=60)
    return sorted((row.record.event_id, row.record.paired) for row in rows)


@pytest.mark.parametrize("commits", [False, True], ids=["refused", "answer lost"])
def test_an_order_of_before_the_failure_is_not_counted_again(used: FallbackOutbox, commits: bool) -> None:
    put(used, page("order"))
    with failing(used, commits=commits):
        [claim] = put(used, page("order"))
        assert claim == Claim(browser=True, server=True, is_decided=False)
        assert put(used, page("order")) == [Claim(browser=False, server=False, is_decided=False)], "a reload"
        [memory] = [outbox for outbox in used.outboxes() if outbox is not used.disk]
        assert leased(memory) == [], "nothing is sent before the disk has decided"
        assert used.undecided == 1
    put(used, *submissions(1, "after"))
    assert used.undecided == 0
    assert used.disk
    assert leased(used.disk) == [("after-0", False), ("before-0", False), ("order", True)]
    assert used.disk.duplicates == (0 if commits else 1) or commits


@pytest.mark.parametrize("commits", [False, True], ids=["refused", "answer lost"])
@pytest.mark.parametrize("first", ["webhook", "page"])
def test_webhook_and_thank_you_page_count_once_across_the_failure(
    used: FallbackOutbox, first: str, commits: bool
) -> None:
    one, other = (server("order"), page("order")) if first == "webhook" else (page("order"), server("order"))
    with failing(used, commits=commits):
        put(used, one)
    put(used, other)
    assert used.disk
    assert leased(used.disk) == [("before-0", False), ("order", True)], "one server copy, and the pair is known"
    with failing(used):
        again = put(used, page("order"))
    assert again[0].browser, "within TikTok's window its id alone keeps it from counting twice"
    put(used, server("order"))
    assert leased(used.disk) == []


def test_an_undecided_event_that_is_new_is_sent_once_the_disk_is_back(used: FallbackOutbox) -> None:
    with failing(used):
        claims = put(used, page("new"), *submissions(1, "view", event="Pageview"), server("hook"))
        assert [claim.is_decided for claim in claims] == [False, True, False]
    assert used.settle() == 0
    assert used.disk
    assert leased(used.disk) == [("before-0", False), ("hook", False), ("new", True), ("view-0", False)]


def test_a_browser_copy_can_be_held_until_the_disk_decides(tmp_path: Path) -> None:
    held = fallback(sqlite_outbox(tmp_path / "outbox.sqlite3"), hands_out=False)
    put(held, *submissions(1))
    with failing(held):
        assert put(held, page("order")) == [Claim(browser=False, server=True, is_decided=False)]


def test_a_deferred_copy_of_an_undecided_event_can_be_fetched(used: FallbackOutbox) -> None:
    entry = msgspec.structs.replace(page("order"), deferred=DeferredPayload("ref", b"[1]"))
    with failing(used):
        put(used, entry)
        assert used.take("ref") == b"[1]"


def test_what_stays_undecided_at_the_end_is_named_and_not_sent(
    used: FallbackOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    with failing(used):
        put(used, page("order-7"))
        assert used.settle() == 0
        assert used.undecided == 1
    assert "Purchase order-7: the disk never said" in caplog.text


def test_undecided_events_take_bounded_room(tmp_path: Path) -> None:
    limits = Limits(rows=2, bytes=10**6, dead=1)
    undecided = UndecidedPuts(limits)
    claims = undecided.put([page(f"o{number}") for number in range(4)], b"")
    assert [claim.server for claim in claims] == [True, True, False, False]
    assert all(claim.browser for claim in claims)
