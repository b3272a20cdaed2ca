"""Interleaving: every variant in every round, in an order shuffled anew, and statistics of differences within rounds."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tests.bench.crew import Worker

__all__ = ["Effort", "Figure", "Samples", "compare", "percentile", "run_rounds", "spread"]

_METERS = ("us", "thread_us")
# Before a scene is timed at all: caches are filled, and code is specialised.
_WARM_UP = 400

#: Microseconds by variant, scene and meter, one a round; the rounds of all variants stand in the same order.
Samples = dict[tuple[str, str, str], list[float]]


class Effort(NamedTuple):
    """How hard to try.

    Attributes:
        rounds: in each generation of workers.
        generations: of fresh processes.
        block_s: how long one timed block takes, in seconds.
    """

    rounds: int
    generations: int
    block_s: float


class Figure(NamedTuple):
    """A median, and the quartiles beside it."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Figure:
    """The median and quartiles of the values."""
    if len(values) < 2:
        return Figure(values[0], values[0], values[0])
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(statistics.median(values), low, high)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many of a hundred do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def run_rounds(
    start: Callable[[str], Worker], variants: Sequence[str], scenes: Sequence[str], effort: Effort, seed: int = 1
) -> Samples:
    """Time every variant in every scene.

    Args:
        start: makes a worker of a variant.
        variants: their names.
        scenes: their names.
        effort: how hard to try.
        seed: of the order.
    """
    shuffle = random.Random(seed).shuffle
    samples: Samples = {(v, s, meter): [] for v in variants for s in scenes for meter in _METERS}
    for _ in range(effort.generations):
        workers = {variant: start(variant) for variant in variants}
        counts = {
            (variant, scene): _calibrate(worker, scene, effort.block_s)
            for variant, worker in workers.items()
            for scene in scenes
        }
        for _ in range(effort.rounds):
            for scene in scenes:
                order = list(variants)
                shuffle(order)
                for variant in order:
                    timed = workers[variant].ask(do="time", scene=scene, count=counts[variant, scene])
                    for meter in _METERS:
                        samples[variant, scene, meter].append(timed[meter])
        for worker in workers.values():
            worker.end()
    return samples


def _calibrate(worker: Worker, scene: str, block_s: float) -> int:
    """How many requests fill a block of a worker that is warm."""
    worker.ask(do="time", scene=scene, count=_WARM_UP)
    count = 8
    while True:
        took_s: float = worker.ask(do="time", scene=scene, count=count)["us"] * count / 1e6
        if took_s > block_s / 3:
            return max(1, round(count * block_s / took_s))
        count *= 4


def compare(
    samples: Mapping[tuple[str, str, str], Sequence[float]], variant: str, scene: str, base: str, meter: str = "us"
) -> tuple[Figure, Figure]:
    """What the variant costs more than its base in microseconds, and how many times as much, round by round."""
    pairs = list(zip(samples[variant, scene, meter], samples[base, scene, meter], strict=True))
    return spread([one - other for one, other in pairs]), spread([one / other for one, other in pairs])
