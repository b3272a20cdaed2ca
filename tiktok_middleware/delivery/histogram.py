"""Histogram of measurements, cheap enough for every request."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

__all__ = ["Distribution", "Histogram"]


class Distribution(msgspec.Struct, frozen=True):
    """Content of a histogram at one moment.

    Attributes:
        bounds: inclusive upper bounds of the buckets; a last bucket without an upper bound follows.
        counts: number of measurements in each bucket; one more than there are bounds.
        sum: sum of all measurements.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class Histogram:
    """Counts measurements by bucket. One thread at a time may write; any thread may read.

    Args:
        bounds: upper bounds of the buckets, ascending.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, *bounds: float) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one measurement."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def read(self) -> Distribution:
        """Return the measurements so far."""
        return Distribution(self._bounds, tuple(self._counts), self._sum)
