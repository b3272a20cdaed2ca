"""First bytes, memory and ``track()`` alone: what one process at a time shows without interleaving."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterator, Mapping

from tests.bench import pages
from tests.bench.crew import Worker
from tests.bench.goals import GOALS
from tests.bench.report import Table, verdict
from tests.bench.rounds import spread

__all__ = ["StreamsBench"]


class StreamsBench:
    """These tables.

    Args:
        start: makes a worker of a door and a variant.
        missing: doors and variants whose package is not installed.
        variants: titles by name.
        quick: whether to be done soon.
    """

    def __init__(
        self,
        start: Callable[[str, str], Worker],
        missing: Collection[tuple[str, str]],
        variants: Mapping[str, str],
        *,
        quick: bool,
    ) -> None:
        self._start = start
        self._variants = variants
        self._quick = quick
        self._pairs = [
            (door, variant)
            for door in ("asgi", "wsgi")
            for variant in variants
            if variant != "noop" and (door, variant) not in missing
        ]

    def tables(self) -> Iterator[Table]:
        """One after the other, as they are ready."""
        yield self._burst()
        yield self._first_byte()
        yield self._memory()

    def _burst(self) -> Table:
        table = Table("track() alone, on the caller's thread, us", ("what", "us", "quartiles", "goal"))
        worker = self._start("asgi", "ours")
        rounds = [worker.ask(do="burst") for _ in range(5 if self._quick else 20)]
        worker.end()
        for key, title in (("burst_us", "many in one request"), ("first_us", "the first of a request")):
            figure = spread([each[key] for each in rounds])
            table.add(
                (
                    title,
                    f"{figure.median:.1f}",
                    f"{figure.low:.1f} .. {figure.high:.1f}",
                    verdict(GOALS["track"], figure.median),
                ),
                what=key,
                us=figure._asdict(),
                is_met=GOALS["track"].is_met(figure.median),
            )
        return table

    def _first_byte(self) -> Table:
        table = Table(
            "First byte of a page in two pieces, ms after the request",
            ("door and variant", "head in the first piece", "head ends in the second", "goal"),
            f"The second piece comes {pages.PAUSE_S * 1e3:.0f} ms after the first.",
        )
        for door, variant in self._pairs:
            worker = self._start(door, variant)
            early, later = (
                statistics.median([worker.ask(do="first_byte", scene=scene) for _ in range(2 if self._quick else 5)])
                for scene in ("early", "later")
            )
            worker.end()
            goal = GOALS["first byte"] if variant == "ours" else None
            table.add(
                (
                    f"{door.upper()}: {self._variants[variant]}",
                    f"{early:.1f}",
                    f"{later:.1f}",
                    verdict(goal, max(early, later)),
                ),
                door=door,
                variant=variant,
                early_ms=early,
                later_ms=later,
                is_met=goal.is_met(max(early, later)) if goal else None,
            )
        return table

    def _memory(self) -> Table:
        table = Table("Largest extra memory while 50 MB of HTML stream by, MB", ("door and variant", "MB", "goal"))
        for door, variant in self._pairs:
            grown = []
            for _ in range(1 if self._quick else 3):
                worker = self._start(door, variant)
                grown.append(worker.ask(do="memory"))
                worker.end()
            figure = statistics.median(grown)
            goal = GOALS["memory"] if variant == "ours" else None
            table.add(
                (f"{door.upper()}: {self._variants[variant]}", f"{figure:.2f}", verdict(goal, figure)),
                door=door,
                variant=variant,
                mb=figure,
                is_met=goal.is_met(figure) if goal else None,
            )
        return table
