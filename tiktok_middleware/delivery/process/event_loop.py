"""Work on a thread, and waiting for it on an event loop, asyncio's or trio's."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

__all__ = ["in_thread", "is_in_event_loop", "mark_as_coroutine_function", "pause", "wait_for"]

_T = TypeVar("_T")


async def wait_for(future: Future[Any], timeout_s: float) -> None:
    """Wait until the future is done or the time is over; neither cancels nor reads it."""
    await (_wait_asyncio(future, timeout_s) if _is_asyncio() else _wait_trio(future, timeout_s))


async def pause() -> None:
    """Let the event loop do what else is due."""
    if _is_asyncio():
        import asyncio  # noqa: PLC0415  # it runs

        await asyncio.sleep(0)
    else:
        import trio  # noqa: PLC0415  # it runs

        await trio.lowlevel.checkpoint()


def in_thread(call: Callable[[], _T]) -> Future[_T]:
    """The result of a call on a thread of its own, which ends with it; no pool is left behind."""
    from concurrent.futures import Future  # noqa: PLC0415  # a door's import need not pay it
    from threading import Thread  # noqa: PLC0415

    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001  # whoever waits is told
            future.set_exception(error)

    try:
        Thread(target=run, name="tiktok-request").start()
    except RuntimeError:  # the interpreter shuts down
        run()
    return future


def _is_asyncio() -> bool:
    """Whether an asyncio loop runs here. It is asked first: another thread may be in the middle of importing trio."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001  # documented for such use


def mark_as_coroutine_function(function: Any) -> None:
    """For those who ask before they call what is to be awaited: asgiref warns of anything else."""
    if sys.version_info >= (3, 12):
        import inspect  # noqa: PLC0415  # as below

        inspect.markcoroutinefunction(function)
    else:
        import asyncio.coroutines  # noqa: PLC0415  # dear, and there already where a server runs

        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001


def is_in_event_loop() -> bool:
    """Whether this code runs on an event loop, asyncio's or trio's."""
    if _is_asyncio():
        return True
    trio = sys.modules.get("trio")
    return trio is not None and hasattr(trio, "lowlevel") and bool(trio.lowlevel.in_trio_run())


async def _wait_asyncio(future: Future[Any], timeout_s: float) -> None:
    import asyncio  # noqa: PLC0415  # not every server brings it

    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the disk was slower than the server's end
            loop.call_soon_threadsafe(_end, done)

    # `asyncio.wait` does the same by way of four more objects and turns of the loop, at three times the cost.
    future.add_done_callback(tell)
    _patience_of(loop, timeout_s).end_in_time(done)
    await done


def _end(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


class _Patience:
    """Ends the waits of one loop that take too long: one timer for all, since one for each costs as much as the wait.

    Args:
        loop: the loop.
        timeout_s: how long each of the waits may take, in seconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self.loop = loop
        self._timeout_s = timeout_s
        self._waits: deque[tuple[float, asyncio.Future[None]]] = deque()  # in the order in which their time is over

    def end_in_time(self, done: asyncio.Future[None]) -> None:
        """End this wait, which begins now, once its time is over."""
        if not self._waits:
            self.loop.call_later(self._timeout_s, self._look)
        self._waits.append((self.loop.time() + self._timeout_s, done))

    def _look(self) -> None:
        now = self.loop.time()
        while self._waits and (self._waits[0][0] <= now or self._waits[0][1].done()):
            _end(self._waits.popleft()[1])
        if self._waits:
            self.loop.call_at(self._waits[0][0], self._look)


class _Patiences(threading.local):
    """Those of the loop that this thread ran last, by their time."""

    def __init__(self) -> None:
        self.by_timeout: dict[float, _Patience] = {}


_patiences = _Patiences()


def _patience_of(loop: asyncio.AbstractEventLoop, timeout_s: float) -> _Patience:
    known = _patiences.by_timeout.get(timeout_s)
    if known is None or known.loop is not loop:
        known = _patiences.by_timeout[timeout_s] = _Patience(loop, timeout_s)
    return known


async def _wait_trio(future: Future[Any], timeout_s: float) -> None:
    import trio  # noqa: PLC0415  # what runs this coroutine, if asyncio does not

    done, token = trio.Event(), trio.lowlevel.current_trio_token()

    def tell(_: object) -> None:
        with contextlib.suppress(trio.RunFinishedError):  # the disk was slower than the server's end
            token.run_sync_soon(done.set)

    future.add_done_callback(tell)
    with trio.move_on_after(timeout_s):
        await done.wait()
