"""What the calls of an outbox file cost: an empty file, and one with a million waiting rows and ten million claims.

With ``--beside``, the same calls of another checkout of the package are measured in turns with ours.
"""

from __future__ import annotations

import random
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.crew import Crew, Worker
from tests.bench.goals import GOALS
from tests.bench.outbox_worker import fill
from tests.bench.report import Table, verdict

__all__ = ["OutboxBench"]

_CALLS: dict[str, dict[str, Any]] = {
    "put": {"do": "put", "calls": 300},
    "put of 100": {"do": "put", "calls": 12, "entries": 100},
    "put, once": {"do": "put", "calls": 300, "once": True},
    "put of 100, once": {"do": "put", "calls": 4, "entries": 100, "once": True},
    "put, once, three days late": {"do": "put", "calls": 20, "once": True, "is_late": True},
    "lease of 100": {"do": "lease", "calls": 16, "rows": 100},
    "ack of 100": {"do": "ack"},
}
"""Orders of one round: as many rows are stored as are leased and removed."""

_NO_MORE_THAN_BEFORE = {"put", "put of 100", "put, once", "put of 100, once", "lease of 100"}
"""Calls with the same work in release 0.1. Since then, `ack` enters events in a ledger, and late events are looked up."""


class OutboxBench:
    """The tables about an outbox file.

    Args:
        crew: starts workers.
        folder: for outboxes, removed afterwards; 2.5 GB for each checkout.
        beside: folder of another checkout of the package to compare with; empty for none.
        quick: whether to be done within a minute or two: a tenth of the rows, fewer rounds.
    """

    def __init__(self, crew: Crew, folder: Path, beside: str, *, quick: bool) -> None:
        self._crew = crew
        self._folder = folder
        self._trees = {"ours": "", "other": str(Path(beside).resolve())} if beside else {"ours": ""}
        self._rounds = 5 if quick else 15
        self._rows, self._claims, self._entries = (
            (100_000, 1_000_000, 200_000) if quick else (1_000_000, 10_000_000, 2_000_000)
        )

    def tables(self) -> Iterator[Table]:
        """One after the other, as they are ready."""
        yield self._table("an empty file", {name: self._worker(name, "empty") for name in self._trees})
        began = time.monotonic()
        self._worker("ours", "full").end()  # makes the tables
        ours = self._file("ours", "full")
        fill(ours, rows=self._rows, claims=self._claims, entries=self._entries)
        for name in self._trees:
            if name != "ours":
                shutil.copy(ours, self._file(name, "full"))
        title = f"{self._rows:,} waiting rows, {self._claims:,} claims, {self._entries:,} entries in the ledger"
        note = f"{ours.stat().st_size / 1e9:.1f} GB, made in {time.monotonic() - began:.0f} s."
        yield self._table(title, {name: self._worker(name, "full") for name in self._trees}, note)

    def _file(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}-{kind}.sqlite3"

    def _worker(self, name: str, kind: str) -> Worker:
        worker = self._crew.start("outbox", self._trees[name], self._file(name, kind))
        worker.ask(do="put", calls=200)  # tables, statements and caches
        return worker

    def _table(self, title: str, workers: dict[str, Worker], note: str = "") -> Table:
        seen = self._measure(workers)
        for worker in workers.values():
            worker.end()
        table = Table(
            f"Calls of an outbox file, us of the thread's processor time: {title}",
            (
                "call",
                "ours",
                "ours, lowest tenth",
                *(("other", "other, lowest tenth", "ours/other", "goal") if "other" in workers else ()),
            ),
            f"The lowest tenth is disturbed least by other work on the machine. {note}".rstrip(),
        )
        for call in _CALLS:
            cells: list[str] = []
            for name in workers:
                cells += [f"{seen[call, name]['cpu_us']:,.1f}", f"{seen[call, name]['low_us']:,.1f}"]
            ratio = None
            if "other" in workers:
                ratio = seen[call, "ours"]["low_us"] / seen[call, "other"]["low_us"]
                goal = GOALS["outbox call"] if call in _NO_MORE_THAN_BEFORE else None
                cells += [f"{ratio:.2f}", verdict(goal, round(ratio, 2))]
            table.add((call, *cells), call=call, ratio=ratio, **{name: seen[call, name] for name in workers})
        return table

    def _measure(self, workers: dict[str, Worker]) -> dict[tuple[str, str], dict[str, float]]:
        """Return the median over all rounds of each call's figures; the workers take turns at each call."""
        runs: dict[tuple[str, str], list[dict[str, float]]] = {}
        for number in range(self._rounds):
            names = list(workers)
            random.Random(number).shuffle(names)
            for call, order in _CALLS.items():
                for name in names:
                    runs.setdefault((call, name), []).append(workers[name].ask(**order))
            for name in names:
                workers[name].ask(do="tidy")
        return {
            key: {figure: statistics.median(run[figure] for run in found) for figure in found[0]}
            for key, found in runs.items()
        }
