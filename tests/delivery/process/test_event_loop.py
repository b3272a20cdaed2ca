"""An event loop waits for a thread without being blocked, not longer than told, and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import pytest
import trio

from tiktok_middleware.delivery.process.event_loop import in_thread, wait_for


def on_asyncio(call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    asyncio.run(call())


RUNNERS = pytest.mark.parametrize("run", [on_asyncio, trio.run], ids=["asyncio", "trio"])


@RUNNERS
def test_it_ends_with_the_future(run: Callable[[Any], None]) -> None:
    future: Future[int] = Future()

    async def main() -> None:
        threading.Timer(0.01, future.set_result, (7,)).start()
        await wait_for(future, 30)
        assert future.result(0) == 7

    run(main)


@RUNNERS
def test_it_ends_when_the_time_is_over_and_leaves_the_future_alone(run: Callable[[Any], None]) -> None:
    future: Future[int] = Future()

    async def main() -> None:
        began = time.monotonic()
        await wait_for(future, 0.02)
        assert 0.01 < time.monotonic() - began < 10
        assert not future.done()

    run(main)
    future.set_result(1)  # the loop is gone: nobody is told, and nothing is raised
    assert future.result(0) == 1


@RUNNERS
def test_a_future_that_is_done_already_is_not_waited_for(run: Callable[[Any], None]) -> None:
    future: Future[int] = Future()
    future.set_exception(OSError())

    async def main() -> None:
        await wait_for(future, 30)

    run(main)


def test_many_waits_of_one_loop_each_end_in_their_own_time() -> None:
    never: Future[int] = Future()
    soon: Future[int] = Future()

    async def timed(future: Future[int], timeout_s: float) -> float:
        began = time.monotonic()
        await wait_for(future, timeout_s)
        return time.monotonic() - began

    async def main() -> None:
        waits = [asyncio.create_task(timed(never, 0.05))]
        await asyncio.sleep(0.03)
        waits += [asyncio.create_task(timed(*wait)) for wait in ((never, 0.05), (soon, 30), (never, 0.01))]
        threading.Timer(0.02, soon.set_result, (1,)).start()
        first, second, third, fourth = await asyncio.gather(*waits)
        assert 0.045 < first < 10
        assert 0.045 < second < 10
        assert 0.01 < third < 10
        assert 0.008 < fourth < 10
        assert 0.045 < await timed(never, 0.05) < 10, "after a time without any"

    for _ in range(2):  # each with a loop of its own
        soon = Future()
        asyncio.run(main())


def test_who_is_cancelled_stops_waiting() -> None:
    future: Future[int] = Future()

    async def main() -> None:
        waiting = asyncio.create_task(wait_for(future, 30))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        future.set_result(1)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert not future.cancelled()


def test_the_result_comes_from_a_thread_that_ends() -> None:
    assert in_thread(lambda: threading.current_thread().name).result(10) == "tiktok-request"
    for thread in threading.enumerate():
        if thread.name == "tiktok-request":
            thread.join(10)
            assert not thread.is_alive()


def test_an_error_is_told_to_whoever_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 // 0).result(10)


def test_where_no_thread_can_start_the_caller_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert in_thread(threading.current_thread).result(0) is threading.current_thread()
