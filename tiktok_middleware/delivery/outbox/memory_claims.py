"""Claims in memory: which channels have carried which event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from tiktok_middleware.core.events.event import Record

__all__ = ["ClaimKey", "MemoryClaims"]

ClaimKey = tuple[str, str, str]
"""Pixel, event id and channel."""

_OTHER = {"browser": "server", "server": "browser"}


class MemoryClaims:
    """Claims of one process, in the order in which they were made.

    Args:
        limit: largest number of claims; the oldest are removed first.
        pixels: pixels of the process; if empty, all pixels count as one.
    """

    def __init__(self, limit: int, pixels: tuple[str, ...]) -> None:
        self.now: float = 0.0
        self.too_old: float = 0.0
        self._limit = limit
        self._pixels = pixels
        self._made: dict[ClaimKey, float] = {}

    def wins(
        self,
        event_id: str,
        pixels: Sequence[str],
        channel: str,
        passing: bool,  # noqa: ARG002 - memory keeps no claim that long
        happened: float = inf,
    ) -> bool:
        keys = self._keys(event_id, pixels, channel)
        too_old = inf if happened < self.too_old else self.too_old
        if not all(self._is_free(key, too_old) for key in keys):
            return False
        for key in keys:
            self._made[key] = self.now
            if len(self._made) > self._limit:
                del self._made[next(iter(self._made))]
        return True

    def wins_both(self, event_id: str, pixels: Sequence[str], passing: bool) -> tuple[bool, bool]:
        return self.wins(event_id, pixels, "browser", passing), self.wins(event_id, pixels, "server", passing)

    def first_at(self, event_id: str, pixels: Sequence[str], channel: str) -> float:
        times = [self._made[key] for key in self._keys(event_id, pixels, channel) if key in self._made]
        return min(times, default=0.0)

    def unload(self, most: int) -> dict[ClaimKey, float]:
        """Remove and return the oldest claims, so that the caller can store them elsewhere."""
        keys = [key for key, _ in zip(self._made, range(most), strict=False)]
        return {key: self._made.pop(key) for key in keys}

    def load(self, claims: Mapping[ClaimKey, float]) -> None:
        """Store unloaded claims again."""
        self._made.update(claims)

    def has(self, record: Record, channel: str) -> bool:
        """Return whether the channel is claimed for the event of a record."""
        return self._keys(record.event_id, (record.pixel,), channel)[0] in self._made

    def _is_free(self, key: ClaimKey, too_old: float) -> bool:
        if key in self._made:
            return False
        other = self._made.get((key[0], key[1], _OTHER[key[2]]))
        return other is None or other >= too_old

    def _keys(self, event_id: str, pixels: Sequence[str], channel: str) -> list[ClaimKey]:
        counted = list(dict.fromkeys(pixels)) if self._pixels and pixels else [""]
        return [(pixel, event_id, channel) for pixel in counted]
