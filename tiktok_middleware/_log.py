"""Count each reason of one client, and log each cause once."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

from tiktok_middleware._printable import own_logger
from tiktok_middleware.reasons import OWN_LINES, SCOPES, reason_of

__all__ = ["OTHER_PATTERNS", "NoticeLog", "Observer", "observed_by"]

log: logging.Logger = own_logger("tiktok_middleware")

# A cause can hold text of a request, so the number of remembered causes is bounded.
_MAX_CAUSES = 1000

# Each pattern is a label of a metric, so their number is bounded.
_MAX_PATTERNS = 200
#: Name of the count of all further patterns.
OTHER_PATTERNS = "(others)"


class Observer(Protocol):
    """Receives every notice of every client of this process, also those that are not logged again."""

    def counted(self, reason: str) -> None:
        """Take a counted reason."""

    def failed(self, error: BaseException) -> None:
        """Take an error of our code that did not reach the app."""


_observers: list[Observer] = []


@contextlib.contextmanager
def observed_by(observer: Observer) -> Iterator[None]:
    """Pass every notice to ``observer`` while the block runs."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


class NoticeLog:
    """Count reasons, and log each cause once.

    Attributes:
        counts: how often each reason occurred in this process.
        apps: how many events were tracked inside each app's browser.
        consents: how many events visitors with each consent had: ``granted``, or the reason code of any other.
        bots: how many server copies each pattern of bots has left out.
    """

    def __init__(self, *, is_development: bool = False) -> None:
        """Make an empty log.

        Args:
            is_development: log at WARNING what other environments log at DEBUG, each time.
        """
        self._detail_level = logging.WARNING if is_development else logging.DEBUG
        self.counts: Counter[str] = Counter()
        self.apps: Counter[str] = Counter()
        self.consents: Counter[str] = Counter()
        self.bots: Counter[str] = Counter()
        self._said: set[str] = set()

    def count(self, reason: str) -> None:
        """Count one more of this reason, and log the first unless it is expected."""
        self.counts[reason] += 1
        for observer in _observers:
            observer.counted(reason)
        if self.counts[reason] == 1:
            self._explain(reason)

    def tracked_under(self, consent: str) -> None:
        """Count one more event of a visitor with this consent: ``granted``, or the reason code of any other."""
        self.consents[consent] += 1

    def tracked_in(self, app: str) -> None:
        """Count one more event that was tracked inside this app's browser."""
        self.apps[app] += 1

    def left_out_bot(self, pattern: str) -> None:
        """Count one more server copy that this pattern of bots has left out; the rarest patterns share one count."""
        is_known = pattern in self.bots or len(self.bots) < _MAX_PATTERNS
        self.bots[pattern if is_known else OTHER_PATTERNS] += 1

    def once(self, cause: str, message: str) -> None:
        """Log a WARNING, once per cause."""
        if cause in self._said or len(self._said) >= _MAX_CAUSES:
            return
        self._said.add(cause)
        log.warning(message)

    def detail(self, message: str) -> None:
        """Log a message each time: at WARNING in development, else at DEBUG."""
        log.log(self._detail_level, "%s", message)

    def failure(self, part: str, error: BaseException) -> None:
        """Log one ERROR line with a traceback per kind of failure; count each failure."""
        self.counts["failures"] += 1
        for observer in _observers:
            observer.failed(error)
        cause = f"failure {part} {type(error).__name__}"
        if cause in self._said:
            return
        self._said.add(cause)
        log.error("%s failed, the response passes untouched", part, exc_info=error)

    def _explain(self, counter: str) -> None:
        reason = reason_of(counter)
        if reason is None or reason.is_expected:
            return
        scope = "" if counter == reason.value else counter[: counter.index("_") + 1]
        if scope in OWN_LINES:
            return
        skipped = SCOPES.get(scope, "")
        subject = f"{counter}: {skipped} was skipped. " if skipped else f"{counter}: "
        self.once(f"reason {counter}", f"{subject}{reason.meaning} {reason.advice}".rstrip() + " (logged once)")


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Return each count as a part of their sum, rounded to four digits."""
    total = sum(counts.values())
    return {name: round(count / total, 4) for name, count in counts.items()}
