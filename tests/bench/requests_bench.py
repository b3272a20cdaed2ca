"""What a request costs through each variant of each door, on the request's own thread and for the one who waits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench import pages
from tests.bench.crew import Crew, Worker, WorkerError
from tests.bench.goals import GOALS, Goal
from tests.bench.report import Table, verdict
from tests.bench.rounds import Effort, Samples, compare, percentile, run_rounds, spread
from tests.bench.streams_bench import StreamsBench

__all__ = ["DOORS", "RequestsBench"]

DOORS = {"asgi": "ASGI, over a Starlette app", "wsgi": "WSGI, over an app of three lines"}

VARIANTS = {
    "bare": "the app alone",
    "noop": "wrapper that does nothing",
    "splice": "minimal splice, one cookie",
    "ours": "tiktok_middleware",
    "newrelic": "New Relic, insertion only",
    "sentry": "Sentry, errors only",
}
_SCENES = ("json", "page", "varying", "landing", "long", "stream")
_REFERENCE = " Goals compare with another row of the same rounds."
_HOSTS = 8
_EVENTS_PER_S = 200
_SETTLE_S = 1.0

_FULL = {"asgi": Effort(12, 3, 0.06), "wsgi": Effort(12, 3, 0.04)}
_QUICK = {"asgi": Effort(5, 1, 0.02), "wsgi": Effort(5, 1, 0.015)}


class RequestsBench:
    """All tables about requests.

    Args:
        crew: starts workers.
        folder: for outboxes, thrown away afterwards.
        api_url: of the sink.
        quick: whether to be done within a minute.
    """

    def __init__(self, crew: Crew, folder: Path, api_url: str, *, quick: bool) -> None:
        self._crew = crew
        self._folder = folder
        self._api_url = api_url
        self._quick = quick
        self._files = 0
        self._missing: dict[tuple[str, str], str] = {}

    def tables(self) -> Iterator[Table]:
        """One after the other, as they are ready."""
        for door in DOORS:
            yield self._cost(door)
        yield self._tracked()
        yield self._paced()
        missing = self._missing.keys()
        yield from StreamsBench(self._start, missing, VARIANTS, quick=self._quick).tables()

    def _start(self, door: str, variant: str, *, cpu: str = "0", outbox: str = "") -> Worker:
        self._files += 1
        outbox = outbox or f"sqlite:///{self._folder}/requests{self._files}.sqlite3"
        return self._crew.start("requests", door, variant, outbox, self._api_url, cpu)

    def _start_warm(self, door: str, variant: str) -> Worker:
        """A worker whose first events are on their way, with all that is imported for them."""
        worker = self._start(door, variant)
        worker.ask(do="time", scene="tracked", count=100)
        if variant == "ours":
            time.sleep(_SETTLE_S)
        return worker

    def _able(self, door: str) -> list[str]:
        """The variants whose packages are here; each has shown that it does what it is measured for."""
        able = []
        for variant in VARIANTS:
            worker = self._start(door, variant)
            try:
                for scene in _SCENES:
                    self._check(variant, scene, worker.ask(do="check", scene=scene))
                able.append(variant)
            except WorkerError as error:
                if "ModuleNotFoundError" not in str(error):
                    raise
                self._missing[door, variant] = "not installed"
            worker.end()
        return able

    @staticmethod
    def _check(variant: str, scene: str, seen: dict[str, object]) -> None:
        is_right = seen["status"] == 200 and seen["is_length_true"]
        if variant == "ours":
            # The pages hold two scripts of their own; ours is the base code, which requests the helper.
            is_right = is_right and seen["scripts"] == (3 if pages.SCENES[scene].is_page else 0)
            is_right = is_right and seen["cookies"] == (scene == "landing")
        if not is_right:
            raise WorkerError(f"{variant} answers {scene} wrongly: {seen}")

    def _cost(self, door: str) -> Table:
        able = self._able(door)
        effort = (_QUICK if self._quick else _FULL)[door]
        samples = run_rounds(partial(self._start, door), able, _SCENES, effort)
        table = Table(
            f"Requests, {DOORS[door]}",
            ("scene and variant", "us", "over bare, us", "quartiles", "times bare", "goal"),
            f"Processor time of the request's thread. Medians of {effort.rounds * effort.generations} blocks; differences"
            " and ratios are taken within each round." + (_REFERENCE if door == "asgi" else ""),
        )
        for scene in _SCENES:
            for variant, title in VARIANTS.items():
                name = f"{pages.SCENES[scene].title}: {title}"
                if variant in able:
                    self._add_cost(table, door, scene, variant, samples)
                else:
                    table.add(
                        (name, self._missing[door, variant], "", "", "", ""), door=door, scene=scene, variant=variant
                    )
        return table

    @staticmethod
    def _add_cost(table: Table, door: str, scene: str, variant: str, samples: Samples) -> None:
        over, ratio = compare(samples, variant, scene, "bare", "thread_us")
        us = spread(samples[variant, scene, "thread_us"]).median
        goal: Goal | None = None
        figure = 0.0
        peer = "noop" if scene == "json" else "newrelic"
        if variant == "ours" and (peer, scene, "thread_us") in samples:
            goal = GOALS[f"{door} {scene}"]
            figure = compare(samples, variant, scene, peer, "thread_us")[0].median
        table.add(
            (
                f"{pages.SCENES[scene].title}: {VARIANTS[variant]}",
                f"{us:.1f}",
                "" if variant == "bare" else f"{over.median:+.1f}",
                "" if variant == "bare" else f"{over.low:+.1f} .. {over.high:+.1f}",
                "" if variant == "bare" else f"{ratio.median:.2f}",
                verdict(goal, figure),
            ),
            door=door,
            scene=scene,
            variant=variant,
            us=us,
            over_us=over._asdict(),
            ratio=ratio.median,
            is_met=goal.is_met(figure) if goal else None,
        )

    def _tracked(self) -> Table:
        table = Table(
            "HTML, 20 KB, with one tracked event that is matched and on disk before the page leaves",
            ("door", "request's thread over bare, us", "quartiles", "until the page is out, over bare, us", "goal"),
            "Thread: processor time. The wait for the commit is another thread's time, here on the same processor.",
        )
        effort = Effort(5, 1, 0.05) if self._quick else Effort(12, 3, 0.1)
        for door in DOORS:
            samples = run_rounds(partial(self._start_warm, door), ["bare", "ours"], ["tracked"], effort)
            thread, _ = compare(samples, "ours", "tracked", "bare", "thread_us")
            wall, _ = compare(samples, "ours", "tracked", "bare")
            table.add(
                (
                    door.upper(),
                    f"{thread.median:+.1f}",
                    f"{thread.low:+.1f} .. {thread.high:+.1f}",
                    f"{wall.median:+.1f}",
                    verdict(GOALS[f"{door} tracked"], thread.median),
                ),
                door=door,
                thread_us=thread._asdict(),
                wall_us=wall._asdict(),
                is_met=GOALS[f"{door} tracked"].is_met(thread.median),
            )
        return table

    def _paced(self) -> Table:
        for_s = 3.0 if self._quick else 12.0
        table = Table(
            f"{_HOSTS} processes, {_EVENTS_PER_S} events/s in all, one outbox: time of a request, ms",
            ("door and variant", "p50", "p99", "largest", "goal"),
            f"{for_s:.0f} s; each process takes the three in turn. Waking a thread is the least that a commit elsewhere costs.",
        )
        for door in DOORS:
            outbox = f"sqlite:///{self._folder}/shared-{door}.sqlite3"
            workers = [self._start(door, "ours", cpu="", outbox=outbox) for _ in range(_HOSTS)]
            for worker in workers:  # all are up before the first begins
                worker.ask(do="check", scene="page")
            for worker in workers:
                worker.tell(do="pace", per_s=_EVENTS_PER_S / _HOSTS, for_s=for_s)
            heard = [worker.hear() for worker in workers]
            for worker in workers:
                worker.end()
            titles = {
                "bare": VARIANTS["bare"],
                "thread": "the app and an idle thread's answer",
                "ours": VARIANTS["ours"],
            }
            for variant, title in titles.items():
                goal = GOALS["tracked p99"] if variant == "ours" else None
                times = [time for one in heard for time in one[variant]]
                p50, p99, largest = statistics.median(times), percentile(times, 99), max(times)
                table.add(
                    (
                        f"{door.upper()}: {title}",
                        f"{p50:.2f}",
                        f"{p99:.2f}",
                        f"{largest:.1f}",
                        verdict(goal, p99),
                    ),
                    door=door,
                    variant=variant,
                    p50_ms=p50,
                    p99_ms=p99,
                    largest_ms=largest,
                    is_met=goal.is_met(p99) if goal else None,
                )
        return table
