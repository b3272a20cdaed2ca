"""A worker that hands events to one sender, or lets them wait, and says what that cost."""

from __future__ import annotations

import gc
import time
from typing import Any

from tests.bench.crew import answer_lines, pin
from tests.bench.memory import resident_mb
from tests.bench.senders import SENDERS, Sender

__all__ = ["serve"]


def serve(name: str, port: str, outbox: str) -> None:
    """Answer orders until standard input ends.

    Args:
        name: of a sender.
        port: of the sink.
        outbox: of ours.
    """
    pin(0)
    worker = _DeliveryWorker(name, int(port), outbox)
    answer_lines(worker.answer)


class _DeliveryWorker:
    """One sender at work; each method named ``_do_...`` is an order."""

    def __init__(self, name: str, port: int, outbox: str) -> None:
        self._name = name
        self._arguments = (port, outbox)
        self._sender: Sender | None = None

    def answer(self, order: dict[str, Any]) -> Any:
        """Do what the order's ``do`` says."""
        if self._sender is None:
            self._sender = SENDERS[self._name][1](*self._arguments)
        return getattr(self, f"_do_{order.pop('do')}")(self._sender, **order)

    @staticmethod
    def _do_warm(sender: Sender, count: int) -> None:
        """Connections, threads, statements and files are made."""
        for number in range(count):
            sender.send(number)
        sender.flush()

    def _do_send(self, sender: Sender, count: int) -> dict[str, float]:
        """When it began (Unix seconds), and microseconds of each call on this thread: processor and clock."""
        cpu = time.process_time()
        began = time.time()
        begin, thread_begin = time.perf_counter(), time.thread_time()
        for number in range(count):
            sender.send(number)
        thread_end, end = time.thread_time(), time.perf_counter()
        if self._name == "left":
            began, cpu = time.time(), time.process_time()
        sender.flush()
        self._cpu = cpu
        return {
            "began": began,
            "thread_us": (thread_end - thread_begin) / count * 1e6,
            "us": (end - begin) / count * 1e6,
        }

    def _do_spent(self, _: Sender) -> float:
        """Seconds of processor time, of all threads, since the last ``send`` began."""
        return time.process_time() - self._cpu

    @staticmethod
    def _do_accept(sender: Sender, count: int) -> None:
        """Take events, until a sender says that it has; what comes next is the end."""
        for number in range(count):
            sender.send(number)
        getattr(sender, "accepted", lambda: None)()

    @staticmethod
    def _do_resume(sender: Sender) -> None:
        """Send what an earlier process left, where a sender does that."""
        getattr(sender, "resume", lambda: None)()

    @staticmethod
    def _do_hold(sender: Sender, count: int) -> float:
        """KB that each event takes while it waits."""
        gc.collect()
        before = resident_mb()
        for number in range(count):
            sender.send(number)
            if number % 100 == 0:
                sender.flush()
        sender.flush()
        gc.collect()
        return (resident_mb() - before) * 1024 / count
