"""How many events a process delivers, what handing one over costs, and how much memory one takes while it waits."""

from __future__ import annotations

import random
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.crew import Crew, WorkerError
from tests.bench.goals import GOALS
from tests.bench.loss_bench import LossBench, ask_sink
from tests.bench.report import Table, verdict
from tests.bench.senders import SENDERS

__all__ = ["DeliveryBench"]

_WARM = 200
_STALL_S = 10.0
_SETTLE_S = 2.0  # until what is imported for the first request is there


class DeliveryBench:
    """All tables about delivery.

    Args:
        crew: starts workers.
        folder: for outboxes, thrown away afterwards.
        port: of the sink.
        quick: whether to be done within a minute.
    """

    def __init__(self, crew: Crew, folder: Path, port: int, *, quick: bool) -> None:
        self._crew = crew
        self._folder = folder
        self._port = port
        self._events = 10_000 if quick else 30_000
        self._is_quick = quick
        self._repeats = 1 if quick else 5
        self._held = 20_000 if quick else 80_000
        self._files = 0

    def tables(self) -> Iterator[Table]:
        """One after the other, as they are ready."""
        runs, missing = self._run_all()
        yield self._delivered(runs, missing)
        yield self._handed_over(runs, missing)
        yield self._memory()
        if not self._is_quick:
            yield from LossBench(self._crew, self._folder, self._port).tables()

    def _outbox(self) -> str:
        self._files += 1
        return f"sqlite:///{self._folder}/delivery{self._files}.sqlite3"

    def _run_all(self) -> tuple[dict[str, list[dict[str, float]]], dict[str, str]]:
        """What each sender did in each round; the senders take turns in an order shuffled anew."""
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in SENDERS}
        missing: dict[str, str] = {}
        for number in range(self._repeats):
            names = [name for name in SENDERS if name not in missing]
            random.Random(number).shuffle(names)
            for name in names:
                try:
                    runs[name].append(self._run(name))
                except WorkerError as error:
                    if "ModuleNotFoundError" not in str(error):
                        raise
                    missing[name] = "not installed"
        return runs, missing

    def _run(self, name: str) -> dict[str, float]:
        self._ask_sink("/reset")
        worker = self._crew.start("delivery", name, self._port, self._outbox())
        worker.ask(do="warm", count=_WARM)
        self._wait_for(_WARM)
        self._ask_sink("/reset")
        sent = worker.ask(do="send", count=self._events)
        counts = self._wait_for(self._events)
        spent_s = worker.ask(do="spent")
        worker.end()
        return {
            "per_s": counts["events"] / (counts["last"] - sent["began"]),
            "lost": self._events - counts["events"],
            "per_request": counts["events"] / counts["requests"],
            "cpu_us": spent_s / self._events * 1e6,
            "thread_us": sent["thread_us"],
            "us": sent["us"],
        }

    def _wait_for(self, events: int) -> dict[str, float]:
        """The sink's counts once it has that many, or has seen nothing new for some time."""
        seen, since = -1.0, time.monotonic()
        while True:
            counts: dict[str, float] = self._ask_sink("/counts")
            if counts["events"] != seen:
                seen, since = counts["events"], time.monotonic()
            if seen >= events or time.monotonic() - since > _STALL_S:
                return counts
            time.sleep(0.02)

    def _ask_sink(self, path: str) -> Any:
        return ask_sink(self._port, path)

    def _delivered(self, runs: dict[str, list[dict[str, float]]], missing: dict[str, str]) -> Table:
        table = Table(
            f"Events from one process to TikTok's answer, {self._events:,} at once",
            (
                "sender",
                "events/s",
                "least .. most",
                "of the loop",
                "processor, us/event",
                "events/request",
                "lost",
                "goal",
            ),
            "Largest batches each allows; one connection; sender and sink on a processor each.",
        )
        for name, (title, _) in SENDERS.items():
            if name in missing:
                table.add((title, missing[name], "", "", "", "", "", ""), sender=name)
                continue
            rates = [run["per_s"] for run in runs[name]]
            rate = statistics.median(rates)
            ratio = statistics.median([one / run["per_s"] for one, run in zip(rates, runs["loop"], strict=True)])
            goal = GOALS["delivered"] if title.startswith("ours") else None
            middle = {key: statistics.median([run[key] for run in runs[name]]) for key in runs[name][0]}
            table.add(
                (
                    title,
                    f"{rate:,.0f}",
                    f"{min(rates):,.0f} .. {max(rates):,.0f}",
                    f"{ratio:.0%}",
                    f"{middle['cpu_us']:.1f}",
                    f"{middle['per_request']:.0f}",
                    f"{sum(run['lost'] for run in runs[name]):.0f}",
                    verdict(goal, rate),
                ),
                sender=name,
                of_the_loop=ratio,
                is_met=goal.is_met(rate) if goal else None,
                **middle,
            )
        return table

    @staticmethod
    def _handed_over(runs: dict[str, list[dict[str, float]]], missing: dict[str, str]) -> Table:
        table = Table(
            "What the caller's thread spends on one event, in a burst, us",
            ("sender", "processor", "by the clock"),
            "By the clock others' threads are in it, all on one processor.",
        )
        for name, (title, _) in SENDERS.items():
            if name in missing:
                table.add((title, missing[name], ""), sender=name)
            elif name not in {"left", "loop"}:
                thread_us, us = (statistics.median([run[key] for run in runs[name]]) for key in ("thread_us", "us"))
                table.add((title, f"{thread_us:.1f}", f"{us:.1f}"), sender=name, thread_us=thread_us, us=us)
        return table

    def _memory(self) -> Table:
        table = Table(
            f"Memory of an event that waits, KB, with {self._held:,} waiting and nobody answering",
            ("outbox", "KB", "goal"),
        )
        with socket.socket() as refusing:  # bound and not listening: whoever connects is refused
            refusing.bind(("127.0.0.1", 0))
            port = refusing.getsockname()[1]
            for title, outbox in (("in memory", "memory://"), ("on disk", self._outbox())):
                worker = self._crew.start("delivery", "submitted", port, outbox)
                worker.ask(do="hold", count=5_000)  # caches of the database, threads, failed connections
                time.sleep(_SETTLE_S)
                held_kb = worker.ask(do="hold", count=self._held)
                worker.end()
                goal = GOALS[f"waiting {'in memory' if outbox == 'memory://' else 'on disk'}"]
                table.add(
                    (title, f"{held_kb:.2f}", verdict(goal, held_kb)),
                    outbox=title,
                    kb=held_kb,
                    is_met=goal.is_met(held_kb),
                )
        return table
