"""Worker processes: started, asked one line of JSON at a time, and ended by their own ids; it measures nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Crew", "Worker", "WorkerError", "answer_lines", "pin"]

_ROOT = Path(__file__).parents[2]
_END_S = 5.0


class WorkerError(Exception):
    """A worker could not do what it was asked; the message is the worker's own."""


class Worker:
    """One process.

    Args:
        role: the first argument of ``python -m tests.bench worker``.
        arguments: those that follow.
        log: where its standard error goes.
    """

    def __init__(self, role: str, arguments: list[str], log: Path) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.bench", "worker", role, *arguments],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONHASHSEED": "0"},
                text=True,
            )
        self._role = " ".join([role, *arguments[:2]])

    def tell(self, **order: Any) -> None:
        """Ask without waiting."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        """Its next answer.

        Raises:
            WorkerError: it failed or ended.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(f"{self._role} ended; see the log")
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def ask(self, **order: Any) -> Any:
        """Ask, and wait for the answer; raises as `hear` does."""
        self.tell(**order)
        return self.hear()

    def kill(self) -> None:
        """End it at once, with nothing done any more."""
        self.process.kill()
        self.process.wait()

    def end(self, within_s: float = _END_S) -> None:
        """End it: by the end of its input, and if that does not help by its id."""
        if self.process.poll() is None:
            assert self.process.stdin is not None
            try:
                self.process.stdin.close()
                self.process.wait(within_s)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()


class Crew:
    """All workers of one run; when the block ends, or the time is up, none is left.

    Args:
        log: where what they say on standard error goes.
        limit_s: seconds until the run is cut off.
    """

    def __init__(self, log: Path, limit_s: float) -> None:
        self._log = log
        self._workers: list[Worker] = []
        self._watch = threading.Timer(limit_s, self._time_is_up)
        self._watch.daemon = True

    def __enter__(self) -> Crew:  # noqa: PYI034  # typing has no Self on Python 3.10
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watch.cancel()
        for worker in self._workers:
            worker.end()

    def start(self, role: str, *arguments: object) -> Worker:
        """A new worker, which has said nothing yet."""
        worker = Worker(role, [str(argument) for argument in arguments], self._log)
        self._workers.append(worker)
        return worker

    def _time_is_up(self) -> None:
        print("The time is up: ending all workers.", file=sys.stderr)
        for worker in self._workers:
            worker.process.kill()


def answer_lines(answer: Callable[[dict[str, Any]], Any]) -> None:
    """Serve orders from standard input until it ends; the worker's side of `Worker`.

    Libraries that print do it on standard error.
    """
    with os.fdopen(os.dup(1), "w", buffering=1) as out:
        os.dup2(2, 1)
        for line in sys.stdin:
            try:
                reply = answer(json.loads(line))
            except Exception as error:
                import traceback

                traceback.print_exc()
                reply = {"error": f"{type(error).__name__}: {error}"}
            out.write(json.dumps(reply) + "\n")


def pin(cpu: int) -> None:
    """Stay on one processor, where the system lets us and there are several."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > cpu:
        os.sched_setaffinity(0, {cpu})
