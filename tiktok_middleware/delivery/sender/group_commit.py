"""Writer thread: stores submitted entries, many in one transaction."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from tiktok_middleware.core.events.event import Claim, OutboxEntry

__all__ = ["CommitEntries", "GroupCommit"]

_T = TypeVar("_T")

CommitEntries = Callable[[Sequence[OutboxEntry]], "list[Claim]"]

_GATHER = 1000  # entries in one transaction; more would not be cheaper per entry, and the first would wait longer


class _Job:
    """Entries to store or a function to call, with the future of the result."""

    __slots__ = ("entries", "future", "read")

    def __init__(self, entries: Sequence[OutboxEntry], read: Callable[[], Any] | None = None) -> None:
        self.entries = entries
        self.read = read
        self.future: Future[Any] = Future()
        self.future.set_running_or_notify_cancel()  # a caller that stops waiting cannot cancel its event


class GroupCommit:
    """Commits entries in groups, on a thread that starts with the first entry.

    Args:
        commit: stores entries in order and returns their claims; it never raises.
        limit: number of waiting calls from which `submit` and `read` return None.
    """

    def __init__(self, commit: CommitEntries, limit: int) -> None:
        self._commit = commit
        self._limit = limit
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Return the number of calls that are not committed yet."""
        return self._queue.qsize()

    def submit(self, entries: Sequence[OutboxEntry]) -> Future[list[Claim]] | None:
        """Return a future that resolves when ``entries`` are durable, or None when too many calls wait."""
        return self._hand_over(_Job(entries))

    def read(self, call: Callable[[], _T]) -> Future[_T] | None:
        """Return a future of the result of ``call``, which runs after all earlier calls; None when too many wait."""
        return self._hand_over(_Job((), call))

    def _hand_over(self, job: _Job) -> Future[Any] | None:
        if self._queue.qsize() >= self._limit:
            return None
        self._queue.put(job)
        if self._is_closed or (self._thread is None and not self._start()):
            self._drain()
        return job.future

    def close(self, timeout_s: float) -> bool:
        """Return whether all is committed within ``timeout_s`` seconds; later entries are committed inline."""
        self._is_closed = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        self._drain()
        return True

    def _start(self) -> bool:
        """Return whether the thread runs now; an interpreter that shuts down allows no new threads."""
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(
                    # An empty context: otherwise tracing libraries would keep the first request in this thread.
                    target=contextvars.Context().run,
                    args=(self._run,),
                    name="tiktok-writer",
                    daemon=True,
                )
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
        return True

    def _run(self) -> None:
        while True:
            job = self._queue.get()
            if job is None:
                return
            if not self._commit_with_followers(job):
                return

    def _drain(self) -> None:
        """Commit the waiting jobs on the caller's thread; if the writer still runs, either thread may take a job."""
        is_end_met = False
        with self._lock:
            with contextlib.suppress(queue.Empty):
                while True:
                    job = self._queue.get_nowait()
                    is_end_met |= job is None or not self._commit_with_followers(job)
            if is_end_met and self._thread is not None and self._thread.is_alive():
                self._queue.put(None)  # the end marker was meant for the writer's thread

    def _commit_with_followers(self, job: _Job) -> bool:
        """Commit ``job`` and the jobs queued after it; return False if the end marker was among them."""
        jobs = [job]
        entries = list(job.entries)
        goes_on = True
        while goes_on and len(entries) < _GATHER:
            try:
                follower = self._queue.get_nowait()
            except queue.Empty:
                break
            if follower is None:
                goes_on = False
            else:
                jobs.append(follower)
                entries += follower.entries
        claims = self._commit(entries)
        start = 0
        for done in jobs:
            end = start + len(done.entries)
            if done.read is None:
                done.future.set_result(claims[start:end])
            else:
                _answer(done.future, done.read)
            start = end
        return goes_on


def _answer(future: Future[Any], read: Callable[[], Any]) -> None:
    try:
        future.set_result(read())
    except Exception as error:  # noqa: BLE001  # passed to the caller of `read`; the writer goes on
        future.set_exception(error)
