"""Callers never wait for the disk, commits are shared, and nothing that was handed over is forgotten."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from tests.delivery.delivery_world import submissions, wait_until
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.delivery.sender.group_commit import GroupCommit


class Disk:
    """A commit that the test can hold up."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.threads: set[str] = set()
        self.is_free = threading.Event()
        self.is_free.set()
        self.is_busy = threading.Event()

    def commit(self, group: Sequence[OutboxEntry]) -> list[Claim]:
        self.is_busy.set()
        assert self.is_free.wait(10)
        self.threads.add(threading.current_thread().name)
        self.groups.append([s.event_id for s in group])
        return [Claim(browser=s.event_id.endswith("0"), server=True) for s in group]


def test_each_caller_gets_its_own_claims_in_order() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 100)
    disk.is_free.clear()
    first = writer.submit(submissions(1))
    assert disk.is_busy.wait(10)
    second, none, third = writer.submit(submissions(2)), writer.submit([]), writer.submit(submissions(1, "x"))
    assert writer.waiting == 3
    disk.is_free.set()
    assert first
    assert second
    assert none
    assert third
    assert first.result(10) == [Claim(browser=True, server=True)]
    assert [claim.browser for claim in second.result(10)] == [True, False]
    assert none.result(10) == []
    assert third.result(10) == [Claim(browser=True, server=True)]
    assert disk.groups == [["evt-0"], ["evt-0", "evt-1", "x-0"]], "what gathers during a commit shares the next"
    assert disk.threads == {"tiktok-writer"}
    assert writer.close(10)


def test_what_is_read_is_read_after_what_was_handed_over_before() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 2)
    disk.is_free.clear()
    writer.submit(submissions(1))
    assert disk.is_busy.wait(10)
    writer.submit(submissions(1, "x"))
    read = writer.read(lambda: list(disk.groups))
    assert writer.read(lambda: None) is None, "too much waits"
    disk.is_free.set()
    assert read is not None
    assert read.result(10) == [["evt-0"], ["x-0"]]
    failing = writer.read(lambda: 1 // 0)
    assert failing is not None
    assert isinstance(failing.exception(10), ZeroDivisionError)
    after = writer.submit(submissions(1))
    assert after is not None
    assert len(after.result(10)) == 1
    assert writer.close(10)


def test_a_group_is_bounded() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 10_000)
    disk.is_free.clear()
    writer.submit(submissions(1))
    assert disk.is_busy.wait(10)
    futures = [writer.submit(submissions(1)) for _ in range(2500)]
    disk.is_free.set()
    assert writer.close(10)
    assert all(future and future.done() for future in futures)
    assert [len(group) for group in disk.groups] == [1, 1000, 1000, 500]


def test_a_full_queue_refuses_at_once() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 2)
    disk.is_free.clear()
    writer.submit(submissions(1))
    assert disk.is_busy.wait(10)
    assert writer.submit(submissions(1))
    assert writer.submit(submissions(1))
    assert writer.submit(submissions(1)) is None
    disk.is_free.set()
    assert writer.close(10)


def test_a_caller_that_stops_waiting_does_not_take_its_event_back() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 10)
    disk.is_free.clear()
    future = writer.submit(submissions(1))
    assert future
    assert not future.cancel()
    disk.is_free.set()
    assert future.result(10)
    assert writer.close(10)


def test_after_close_the_caller_commits_itself() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 10)
    assert writer.close(10)
    future = writer.submit(submissions(1))
    assert future
    assert future.done()
    assert disk.threads == {threading.current_thread().name}
    assert writer.close(10)


def test_closing_does_not_wait_longer_than_told_and_commits_in_the_end() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 10)
    disk.is_free.clear()
    first, second = writer.submit(submissions(1)), None
    assert disk.is_busy.wait(10)
    assert not writer.close(0.01)
    disk.is_free.set()
    second = writer.submit(submissions(1))
    assert writer.close(10)
    assert first
    assert second
    assert first.result(10)
    assert second.result(10)


def test_a_caller_that_commits_itself_does_not_keep_the_thread_from_its_end() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 10)
    disk.is_free.clear()
    first = writer.submit(submissions(1))
    assert disk.is_busy.wait(10)
    closed: list[bool] = []
    closing = threading.Thread(target=lambda: closed.append(writer.close(10)))
    closing.start()
    assert wait_until(lambda: writer._is_closed and writer.waiting == 1)
    meanwhile = threading.Thread(target=lambda: writer.submit(submissions(1)))
    meanwhile.start()
    assert wait_until(lambda: writer.waiting == 0), "the caller has met the end on its way"
    disk.is_free.set()
    for thread in (meanwhile, closing):
        thread.join(20)
    assert closed == [True]
    assert first
    assert first.result(0)


def test_a_caller_waits_for_nothing_that_another_has_taken() -> None:
    """Whether a queue is empty is known only by taking from it."""

    class Contended(queue.SimpleQueue[Any]):
        def empty(self) -> bool:
            return False

    disk = Disk()
    writer = GroupCommit(disk.commit, 10)
    writer._queue = Contended()
    assert writer.close(10)
    caller = threading.Thread(target=lambda: writer.submit(submissions(1)), daemon=True)
    caller.start()
    caller.join(10)
    assert not caller.is_alive()
    assert disk.groups == [["evt-0"]]


def test_where_no_thread_can_start_the_caller_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    disk = Disk()
    writer = GroupCommit(disk.commit, 10)
    monkeypatch.setattr(threading.Thread, "start", start)
    future = writer.submit(submissions(1))
    assert future
    assert future.result(0) == [Claim(browser=True, server=True)]
    assert writer.close(0)


def test_many_callers_at_once_lose_nothing() -> None:
    disk = Disk()
    writer = GroupCommit(disk.commit, 100_000)
    callers = [
        threading.Thread(target=lambda n=n: [writer.submit(submissions(1, f"{n}-{i}")) for i in range(200)])
        for n in range(5)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert writer.close(10)
    assert sorted(name for group in disk.groups for name in group) == sorted(
        f"{n}-{i}-0" for n in range(5) for i in range(200)
    )
