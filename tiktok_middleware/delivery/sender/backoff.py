"""Backoff, circuit breaker and halt of each pixel."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events_api.answers import MAX_RETRY_AFTER_S

__all__ = ["MAX_PROBE_S", "MAX_WAIT_S", "MIN_WAIT_S", "Backoff", "jitter"]

log: logging.Logger = own_logger(__name__)

MIN_WAIT_S = 0.5
MAX_WAIT_S = 300.0
"""Longest wait of a failing event while TikTok accepts other events of its pixel, in seconds."""

MAX_PROBE_S = 40.0
"""Longest wait between two tries while TikTok accepts no event of the pixel, in seconds. Even if the last failing
request hangs for its whole 15 s, sending resumes within a minute after an outage."""


class _Trouble(msgspec.Struct):
    """Failure state of a pixel.

    Attributes:
        failures: number of requests that failed in a row.
        until: Unix seconds; nothing is sent before this time.
    """

    failures: int
    until: float


class Backoff:
    """One circuit breaker per pixel: a failure blocks the pixel for a while, then one small request tries again.

    Args:
        random: returns a number from 0 to 1 for the jitter.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self.halted: dict[str, str] = {}
        self._random = random
        self._troubles: dict[str, _Trouble] = {}

    def blocked(self, now: float) -> set[str]:
        """Return the pixels that nothing may be sent to at ``now``, in Unix seconds."""
        # A remaining wait above the longest possible one means that the clock was set back. Ignore it.
        latest = now + 2 * MAX_RETRY_AFTER_S
        closed = {pixel for pixel, trouble in self._troubles.items() if now < trouble.until <= latest}
        return closed | self.halted.keys()

    @property
    def is_troubled(self) -> bool:
        """Return whether any pixel is halted or failed at its last request."""
        return bool(self._troubles or self.halted)

    def opens_at(self) -> float | None:
        """Return when the first blocked pixel may be tried again, in Unix seconds; None if no pixel waits."""
        return min((t.until for pixel, t in self._troubles.items() if pixel not in self.halted), default=None)

    def limit(self, pixel: str, most: int) -> int:
        """Return how many events the next request may hold: half as many after each failure in a row.

        So an outage is probed with small requests, and an event that TikTok cannot process is soon sent alone.
        """
        trouble = self._troubles.get(pixel)
        return max(1, most >> trouble.failures) if trouble else most

    def succeeded(self, pixel: str) -> None:
        """Clear the failures of ``pixel``."""
        if self._troubles.pop(pixel, None):
            log.info("TikTok takes events for pixel %s again", pixel)

    def failed(self, pixel: str, now: float, after_s: float | None, reason: str) -> None:
        """Block ``pixel`` for a while after a failed request.

        Args:
            pixel: pixel of the request.
            now: Unix seconds.
            after_s: wait from the answer's ``Retry-After``, in seconds; None without one.
            reason: why the request failed.
        """
        trouble = self._troubles.setdefault(pixel, _Trouble(0, now))
        if not trouble.failures:
            log.warning("TikTok does not take events for pixel %s (%s): they wait in the outbox", pixel, reason)
        trouble.failures += 1
        wait_s = max(jitter(trouble.failures, self._random(), MAX_PROBE_S), after_s or 0.0)
        trouble.until = now + wait_s

    def due(self, pixel: str, now: float, tries: int) -> float:
        """Return the due time of rows that failed now, after ``tries`` earlier failures; not before the block ends.

        Several failures in a row are caused by the pixel, not by these rows, so the rows' jitter is then capped at
        `MAX_PROBE_S`, as the pixel's is.
        """
        trouble = self._troubles[pixel]
        max_s = MAX_PROBE_S if trouble.failures > 1 else MAX_WAIT_S
        return max(trouble.until, now + jitter(tries + 1, self._random(), max_s))

    def halt(self, pixel: str, reason: str) -> None:
        """Stop sending for ``pixel`` until `resume`, or until the process restarts."""
        if self.halted.setdefault(pixel, reason) is reason:
            log.error(
                "Events of pixel %s stay in the outbox until you mend this and restart or say `outbox retry`: %s",
                pixel,
                reason,
            )

    def resume(self) -> None:
        """Allow sending for all halted pixels again."""
        self.halted.clear()


def jitter(failures: int, random: float, max_s: float = MAX_WAIT_S) -> float:
    """Return a wait with full jitter: from `MIN_WAIT_S` to a cap that doubles with each failure, up to ``max_s``."""
    cap_s = min(max_s, MIN_WAIT_S * 2.0 ** min(failures, 20))
    return MIN_WAIT_S + (cap_s - MIN_WAIT_S) * random
