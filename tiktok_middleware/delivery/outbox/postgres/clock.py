"""The database's clock, so that all hosts measure leases and windows alike."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["DatabaseClock"]


class DatabaseClock:
    """Unix time by the database's clock, which each transaction reads. Between them this host's monotonic clock runs.

    Args:
        monotonic: returns seconds of a clock that is never set back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._offset: float | None = None

    def saw(self, at: float) -> None:
        """Note the database's time, in Unix seconds."""
        self._offset = at - self._monotonic()

    def __call__(self) -> float:
        """Return the database's time, in Unix seconds; this host's before the first connection."""
        return time.time() if self._offset is None else self._monotonic() + self._offset
