"""Where this package says what it noticed: one logger, one counter; it decides nothing."""

from __future__ import annotations

import logging
from collections import Counter

__all__ = ["NoticeLog"]

log = logging.getLogger("tiktok_middleware")

# Causes can hold what a request says; the memory of them is bounded.
_MAX_CAUSES = 1000


class NoticeLog:
    """Counts reasons and logs each cause once.

    Attributes:
        counts: how often each reason was met in this process.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._said: set[str] = set()

    def count(self, reason: str) -> None:
        """One more of this reason."""
        self.counts[reason] += 1

    def once(self, cause: str, message: str) -> None:
        """A WARNING, said once per cause."""
        if cause in self._said or len(self._said) >= _MAX_CAUSES:
            return
        self._said.add(cause)
        log.warning(message)

    def failure(self, part: str, error: BaseException) -> None:
        """One ERROR line with a traceback per kind of failure; each failure is counted."""
        self.counts["failures"] += 1
        cause = f"failure {part} {type(error).__name__}"
        if cause in self._said:
            return
        self._said.add(cause)
        log.error("%s failed, the response passes untouched", part, exc_info=error)
