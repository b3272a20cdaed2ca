"""Calls that may hang, such as those to a database, on a thread of their own; their callers wait a limited time."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any, TypeVar

from tiktok_middleware.delivery.process.threads import has_greenlets, run_off_hub

__all__ = ["BoundedCalls", "TooSlowError"]

_T = TypeVar("_T")
_END_S = 0.5


class TooSlowError(Exception):
    """A call takes longer than its caller waits. The call goes on."""


class BoundedCalls:
    """Runs calls one after another, on a thread that starts with the first call.

    Args:
        keeps_thread: whether the thread waits for the next call; else it ends when no call waits.
    """

    def __init__(self, *, keeps_thread: bool = True) -> None:
        self._keeps_thread = keeps_thread
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._waiting = 0
        self._has_thread = False
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Return whether a call runs or waits."""
        return self._waiting > 0

    @property
    def has_others(self) -> bool:
        """Return whether a call waits while another one, the caller of this property, runs."""
        return self._waiting > 1

    def run(self, call: Callable[[], _T], timeout_s: float) -> _T:
        """Return the result of ``call``.

        Raises:
            TooSlowError: there is no result within ``timeout_s`` seconds.
        """
        future = self.start(call)
        try:
            return future.result(timeout_s)
        except (TimeoutError, FutureTimeoutError):
            if future.done():
                return future.result()  # the call ended just now, or itself raised a TimeoutError
            raise TooSlowError from None

    def start(self, call: Callable[[], _T]) -> Future[_T]:
        """Run ``call`` later, and return a future of its result."""
        future: Future[_T] = Future()
        with self._lock:
            self._waiting += 1
            if has_greenlets():
                self._spawn(call, future)
                return future
            self._queue.put((call, future))
            has_thread = self._has_thread or self._start()
        if not has_thread:  # the interpreter shuts down and starts no threads
            self._answer(*self._queue.get())
        return future

    def close(self, *, waits: bool = True) -> None:
        """Let the thread end. Later calls still work.

        Args:
            waits: whether to wait for that, for half a second at most; not on an event loop.
        """
        self._keeps_thread = False
        if self._has_thread and self._thread is not None:
            self.start(lambda: None)
            self._thread.join(_END_S if waits else 0)

    def _start(self) -> bool:
        thread = threading.Thread(target=self._run, name="tiktok-database", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        self._has_thread = True
        return True

    def _run(self) -> None:
        while not self._may_end():
            with contextlib.suppress(queue.Empty):
                self._answer(*self._queue.get(block=self._keeps_thread))

    def _may_end(self) -> bool:
        if self._keeps_thread:
            return False
        with self._lock:
            self._has_thread = not self._queue.empty()
            return not self._has_thread

    def _answer(self, call: Callable[[], Any], future: Future[Any]) -> None:
        result, error = None, None
        try:
            result = call()
        except BaseException as caught:  # noqa: BLE001  # passed to the future's caller
            error = caught
        with self._lock:
            self._waiting -= 1
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _spawn(self, call: Callable[[], Any], future: Future[Any]) -> None:
        """Run the call on a native thread of gevent's hub, so that no greenlet is blocked."""
        sys.modules["gevent"].spawn(self._answer, partial(run_off_hub, call), future)
