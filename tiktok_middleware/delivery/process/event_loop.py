"""Run calls on a thread, and wait for them on an asyncio or trio event loop."""

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
    """Wait until the future is done or ``timeout_s`` is over; neither cancel the future nor read its result."""
    await (_wait_asyncio(future, timeout_s) if _is_asyncio() else _wait_trio(future, timeout_s))


async def pause() -> None:
    """Let the event loop run other tasks. Without an asyncio or trio loop, return at once."""
    if _is_asyncio():
        import asyncio  # noqa: PLC0415  # already imported: its loop runs

        await asyncio.sleep(0)
    elif is_in_event_loop():
        import trio  # noqa: PLC0415  # already imported: its loop runs

        await trio.lowlevel.checkpoint()


def in_thread(call: Callable[[], _T]) -> Future[_T]:
    """Run ``call`` on a new thread that ends with it, and return a future of its result; no thread pool remains."""
    from concurrent.futures import Future  # noqa: PLC0415  # keeps the import of adapters fast
    from threading import Thread  # noqa: PLC0415

    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001  # passed to the future's caller
            future.set_exception(error)

    try:
        Thread(target=run, name="tiktok-request").start()
    except RuntimeError:  # the interpreter shuts down
        run()
    return future


def _is_asyncio() -> bool:
    """Return whether an asyncio loop runs here. Check before trio: another thread may be importing trio now."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001  # documented for such use


def mark_as_coroutine_function(function: Any) -> None:
    """Mark ``function`` as a coroutine function, since asgiref checks for that and warns about other callables."""
    if sys.version_info >= (3, 12):
        import inspect  # noqa: PLC0415  # as below

        inspect.markcoroutinefunction(function)
    else:
        import asyncio.coroutines  # noqa: PLC0415  # slow to import, and already imported in a running server

        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001


def is_in_event_loop() -> bool:
    """Return whether this code runs on an asyncio or trio event loop."""
    if _is_asyncio():
        return True
    trio = sys.modules.get("trio")
    return trio is not None and hasattr(trio, "lowlevel") and bool(trio.lowlevel.in_trio_run())


async def _wait_asyncio(future: Future[Any], timeout_s: float) -> None:
    import asyncio  # noqa: PLC0415  # not every server uses it

    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed before the disk answered
            loop.call_soon_threadsafe(_end, done)

    # `asyncio.wait` does the same with four more objects and loop iterations, at three times the cost.
    future.add_done_callback(tell)
    _patience_of(loop, timeout_s).end_in_time(done)
    await done


def _end(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


class _Patience:
    """Ends the waits of one loop that take too long.

    All waits share one timer, since a timer for each would cost as much as the wait itself.

    Args:
        loop: the event loop.
        timeout_s: limit of each wait, in seconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self.loop = loop
        self._timeout_s = timeout_s
        self._waits: deque[tuple[float, asyncio.Future[None]]] = deque()  # ordered by deadline

    def end_in_time(self, done: asyncio.Future[None]) -> None:
        """Start the time limit of this wait."""
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
    """`_Patience` objects of the loop that this thread ran last, by time limit."""

    def __init__(self) -> None:
        self.by_timeout: dict[float, _Patience] = {}


_patiences = _Patiences()


def _patience_of(loop: asyncio.AbstractEventLoop, timeout_s: float) -> _Patience:
    known = _patiences.by_timeout.get(timeout_s)
    if known is None or known.loop is not loop:
        known = _patiences.by_timeout[timeout_s] = _Patience(loop, timeout_s)
    return known


async def _wait_trio(future: Future[Any], timeout_s: float) -> None:
    import trio  # noqa: PLC0415  # already imported: asyncio does not run this coroutine, so trio does

    done, token = trio.Event(), trio.lowlevel.current_trio_token()

    def tell(_: object) -> None:
        with contextlib.suppress(trio.RunFinishedError):  # the loop ended before the disk answered
            token.run_sync_soon(done.set)

    future.add_done_callback(tell)
    with trio.move_on_after(timeout_s):
        await done.wait()
