"""Events that came while the disk failed go there once it works, and none ends with the process in silence."""

from __future__ import annotations

import itertools
import logging
import sqlite3
import time
from pathlib import Path

import pytest

from tests.delivery.delivery_world import (
    PIXEL,
    ToldSink,
    memory_outbox,
    record,
    sqlite_outbox,
    submission,
    submissions,
    wait_until,
)
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.core.events_api.protocol import Retry
from tiktok_middleware.delivery.delivery import Delivery, DeliveryOptions, open_delivery
from tiktok_middleware.delivery.outbox.base import LeaseHolder, Outbox
from tiktok_middleware.delivery.outbox.fallback import FallbackOutbox
from tiktok_middleware.delivery.outbox.memory import MEMORY_LIMITS
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.outbox.undecided import UndecidedPuts

PUT_IDS = (bytes(8) + number.to_bytes(8, "big") for number in itertools.count(1))


def fallback(disk: SqliteOutbox, *, hands_out: bool = True) -> FallbackOutbox:
    undecided = UndecidedPuts(MEMORY_LIMITS, hands_out=hands_out)
    return FallbackOutbox(disk, lambda: memory_outbox(MEMORY_LIMITS), undecided)


def put(storage: FallbackOutbox, *given: OutboxEntry) -> list[Claim]:
    def hand(outbox: Outbox, taker: LeaseHolder) -> None:
        raise AssertionError("nobody takes rows here")

    return storage.put(given, next(PUT_IDS), None, hand)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the outbox shall be: a file is in the way, as when a disk cannot be written."""
    folder = tmp_path / "state"
    folder.write_text("in the way")
    return folder


@pytest.fixture
def storage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FallbackOutbox:
    monkeypatch.setattr("tiktok_middleware.delivery.outbox.fallback._DISK_AGAIN_S", 0.0)
    monkeypatch.setattr("tiktok_middleware.delivery.outbox.fallback._PART", 10)
    return fallback(sqlite_outbox(folder / "outbox.sqlite3"))


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
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM waiting").fetchone() == (30,)
    db.close()
