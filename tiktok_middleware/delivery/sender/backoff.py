"""When each pixel may be asked next: backoff, circuit breaker, halt."""

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
"""The longest wait of an event that fails while others of its pixel are taken."""

MAX_PROBE_S = 40.0
"""The longest wait between two tries of a pixel that takes nothing: with a last request that hangs for all of its 15 s,
everything is on its way again within a minute after an outage."""


class _Trouble(msgspec.Struct):
    """A pixel that does not answer as it should.

    Attributes:
        failures: requests that failed in a row.
        until: Unix seconds; nothing is sent before.
    """

    failures: int
    until: float


class Backoff:
    """One circuit breaker a pixel: a failure closes the road for a while, and a single small request tries it again.

    Args:
        random: gives a number from 0 to 1 for the jitter.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self.halted: dict[str, str] = {}
        self._random = random
        self._troubles: dict[str, _Trouble] = {}

    def blocked(self, now: float) -> set[str]:
        """The pixels that nothing may be sent to at Unix second ``now``."""
        # What lasts longer than any wait that is meant began before the clock was set back.
        latest = now + 2 * MAX_RETRY_AFTER_S
        closed = {pixel for pixel, trouble in self._troubles.items() if now < trouble.until <= latest}
        return closed | self.halted.keys()

    @property
    def is_troubled(self) -> bool:
        """Whether any pixel is halted or had a failure last."""
        return bool(self._troubles or self.halted)

    def opens_at(self) -> float | None:
        """When the first closed road opens, in Unix seconds."""
        return min((t.until for pixel, t in self._troubles.items() if pixel not in self.halted), default=None)

    def limit(self, pixel: str, most: int) -> int:
        """How many events the next request may hold: half as many after each failure in a row.

        So an outage is probed with little, and one event that TikTok cannot process ends up alone.
        """
        trouble = self._troubles.get(pixel)
        return max(1, most >> trouble.failures) if trouble else most

    def succeeded(self, pixel: str) -> None:
        """Note that ``pixel`` answers again."""
        if self._troubles.pop(pixel, None):
            log.info("TikTok takes events for pixel %s again", pixel)

    def failed(self, pixel: str, now: float, after_s: float | None, reason: str) -> None:
        """Close the road to ``pixel`` for a while.

        Args:
            pixel: whose request failed.
            now: Unix seconds.
            after_s: the wait that the answer asks for.
            reason: what happened.
        """
        trouble = self._troubles.setdefault(pixel, _Trouble(0, now))
        if not trouble.failures:
            log.warning("TikTok does not take events for pixel %s (%s): they wait in the outbox", pixel, reason)
        trouble.failures += 1
        wait_s = max(jitter(trouble.failures, self._random(), MAX_PROBE_S), after_s or 0.0)
        trouble.until = now + wait_s

    def due(self, pixel: str, now: float, tries: int) -> float:
        """When rows that failed ``tries`` times before, and now again, are due: not before the road opens.

        A failure after another is the pixel's trouble and not the rows' own, so they wait no longer than it.
        """
        trouble = self._troubles[pixel]
        max_s = MAX_PROBE_S if trouble.failures > 1 else MAX_WAIT_S
        return max(trouble.until, now + jitter(tries + 1, self._random(), max_s))

    def halt(self, pixel: str, reason: str) -> None:
        """Note that ``pixel`` is to be left alone until `resume`, or until the process starts anew."""
        if self.halted.setdefault(pixel, reason) is reason:
            log.error(
                "Events of pixel %s stay in the outbox until you mend this and restart or say `outbox retry`: %s",
                pixel,
                reason,
            )

    def resume(self) -> None:
        """Try again what is halted."""
        self.halted.clear()


def jitter(failures: int, random: float, max_s: float = MAX_WAIT_S) -> float:
    """Full jitter: seconds from `MIN_WAIT_S` to a cap that doubles with each failure up to ``max_s``."""
    cap_s = min(max_s, MIN_WAIT_S * 2.0 ** min(failures, 20))
    return MIN_WAIT_S + (cap_s - MIN_WAIT_S) * random
