"""Clock of an outbox: follows the host's clock, but accepts a large step only after it has lasted."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tiktok_middleware._printable import own_logger

__all__ = ["StoreClock"]

log: logging.Logger = own_logger(__name__)

_BELIEVED_S = 30 * 86400.0  # smaller steps are accepted at once: a machine that slept, an outage, a corrected clock
_CONFIRM_S = 300.0  # how long a larger step must last before it is accepted
_SAME_STEP_S = 60.0
_RECENT_S = 3600.0


class StoreClock:
    """Unix time for leases, delays and retention.

    A host's clock that is briefly wrong by more than 30 days must not expire every lease or prune every claim. So such
    a step is ignored until it has lasted for five minutes. Meanwhile the time advances by the monotonic clock.

    Args:
        wall: returns the host's time, in Unix seconds.
        monotonic: returns seconds of a clock that only a restart of the host sets back.

    Attributes:
        is_in_doubt: whether the host's clock shows a step that is not accepted yet. Nothing may be pruned or expired
            meanwhile.
        has_stepped_back: whether the time has gone back, so that due times by the old clock must be corrected.
    """

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.is_in_doubt: bool = False
        self.has_stepped_back: bool = False
        self._wall = wall
        self._monotonic = monotonic
        self._offset: float | None = None
        self._doubted_offset = 0.0
        self._doubted_at = 0.0

    def now(self) -> float:
        """Return the time in Unix seconds."""
        monotonic = self._monotonic()
        offset = self._wall() - monotonic
        known = self._offset
        if known is not None and abs(offset - known) < _SAME_STEP_S and not self.is_in_doubt:
            self._offset = offset
            return offset + monotonic
        if known is None or abs(offset - known) <= _BELIEVED_S:
            return self._believe(offset) + monotonic
        return self._doubt(offset, monotonic)

    def cutoff(self, age_s: float) -> float:
        """Return the time before which a claim is older than ``age_s`` seconds.

        While the host's clock is in doubt, a claim is old if it is old by either clock, so that nothing is counted
        twice; but a claim of the last hour is never old.
        """
        now = self.now()
        return min(max(now, self._wall()) - age_s, now - _RECENT_S) if self.is_in_doubt else now - age_s

    def resume(self, last_seen: float) -> None:
        """Start from the newest time that the store has recorded, in Unix seconds; 0 for a new store."""
        if last_seen > 0 and self._offset is None:
            self._offset = last_seen - self._monotonic()

    def _doubt(self, offset: float, monotonic: float) -> float:
        known = self._offset or 0.0
        if not self.is_in_doubt or abs(offset - self._doubted_offset) > _SAME_STEP_S:
            if not self.is_in_doubt:
                log.warning(
                    "The host's clock is %.0f days %s of the outbox: nothing is sent or removed until it has stayed so"
                    " for %.0f minutes; check the clock of this host",
                    abs(offset - known) / 86400,
                    "ahead" if offset > known else "behind",
                    _CONFIRM_S / 60,
                )
            self.is_in_doubt = True
            self._doubted_offset, self._doubted_at = offset, monotonic
        elif monotonic - self._doubted_at >= _CONFIRM_S:
            return self._believe(offset) + monotonic
        return known + monotonic

    def _believe(self, offset: float) -> float:
        self.has_stepped_back |= self._offset is not None and offset < self._offset - _SAME_STEP_S
        self._offset = offset
        self.is_in_doubt = False
        return offset
