"""Log once, for each reason, that events are lost."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from tiktok_middleware._printable import own_logger
from tiktok_middleware.reasons import reason_of

__all__ = ["LossLog"]

log: logging.Logger = own_logger(__name__)


class LossLog:
    """Logs the first loss by each reason of one process."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def note(self, reasons: Iterable[str]) -> None:
        """Log the reasons that were not logged before, with their meaning and advice."""
        for code in reasons:
            reason = reason_of(code)
            if code not in self._said and reason is not None and not reason.is_expected:
                self._said.add(code)
                log.warning("%s: %s %s (logged once)", code, reason.meaning, reason.advice)
