"""Limits of the time that the end of a process may take, whatever hangs."""

from __future__ import annotations

import contextlib
import contextvars
import mmap
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from math import inf
from typing import TypeVar

__all__ = ["STOP", "StopBudget", "StopFlag", "StoppedError", "run_until"]

_T = TypeVar("_T")

_SEND_S = 2.0  # for sending: what is not sent stays on disk
_COMMIT_S = 4.5  # for sending and storing together
_LEAST_S = 0.2  # a request or a commit that begins late still gets this time
_NEW_STOP_S = 30.0
_POLL_S = 0.1


class StopBudget:
    """Seconds for sending and storing that all steps of one stop share.

    A server may stop a process in several steps: the lifespan protocol's shutdown, the exit functions of
    ``multiprocessing``, and those of ``atexit``. Each step spends what it takes. A process that goes on afterwards, as
    one with a test client does, has the whole budget again 30 seconds after its last step.

    Args:
        send_s: seconds for sending.
        commit_s: seconds for sending and storing together.
        monotonic: returns seconds of a clock that is never set back.

    Attributes:
        until: no request may last longer than this time of the clock; infinite while no step runs.
    """

    def __init__(
        self,
        send_s: float = _SEND_S,
        commit_s: float = _COMMIT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send_s = send_s
        self._commit_s = commit_s
        self._monotonic = monotonic
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget earlier steps. A forked child calls this."""
        self.until = inf
        self._spent_s = 0.0
        self._ended_at = -inf

    @contextlib.contextmanager
    def step(self) -> Iterator[float]:
        """Yield the seconds that are left for sending, and subtract what the block takes."""
        began = self._monotonic()
        if began - self._ended_at > _NEW_STOP_S:
            self._spent_s = 0.0
        left_s = max(0.0, self._send_s - self._spent_s)
        self.until = began + left_s
        try:
            yield left_s
        finally:
            self._ended_at = self._monotonic()
            self._spent_s += self._ended_at - began
            self.until = inf

    def spend(self, call: Callable[[float], _T]) -> _T:
        """Return the result of ``call``, which gets the seconds that are left for sending, as one step."""
        with self.step() as left_s:
            return call(left_s)

    @property
    def commit_s(self) -> float:
        """Return the seconds that storing may take now."""
        return max(_LEAST_S, self._commit_s - self._spent_s)

    def request_s(self, limit_s: float) -> float:
        """Return the seconds that a request which begins now may take: ``limit_s``, or less during a stop."""
        return min(limit_s, max(_LEAST_S, self.until - self._monotonic()))


#: The budget of this process.
STOP = StopBudget()


class StopFlag:
    """Whether a worker was asked to end, and since when. Children that it has forked see it too.

    Args:
        send_s: seconds for sending after that.
    """

    def __init__(self, send_s: float = _SEND_S) -> None:
        self._send_s = send_s
        self._page = mmap.mmap(-1, 8)

    def set(self) -> None:
        """Note that the worker is to end from now on."""
        if not self._set_at:
            self._page[:8] = struct.pack("d", time.monotonic())

    def is_over(self) -> bool:
        """Return whether the time for sending after the stop has passed."""
        return bool(self._set_at) and time.monotonic() >= self._set_at + self._send_s

    @property
    def _set_at(self) -> float:
        return float(struct.unpack("d", self._page[:8])[0])


class StoppedError(Exception):
    """A call was still running when its process had to end. The call goes on until the process has ended."""


def run_until(call: Callable[[], _T], is_over: Callable[[], bool]) -> _T:
    """Return the result of ``call``, which runs on a thread of its own and in an empty context.

    Raises:
        StoppedError: there was no result when ``is_over`` became true.
    """
    future: Future[_T] = Future()
    run = partial(contextvars.Context().run, _answer, call, future)  # pyright: ignore[reportArgumentType]
    threading.Thread(target=run, name="tiktok-task", daemon=True).start()
    while not future.done():
        if is_over():
            raise StoppedError
        wait([future], _POLL_S)
    return future.result()


def _answer(call: Callable[[], _T], future: Future[_T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  # passed to the caller of `run_until`
        future.set_exception(error)
    else:
        future.set_result(result)
