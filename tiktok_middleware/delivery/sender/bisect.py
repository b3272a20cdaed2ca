"""Find the events because of which TikTok rejects a whole batch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tiktok_middleware.core.events_api.answers import Rejected, Verdict
from tiktok_middleware.core.events_api.requests import MAX_REQUEST_EVENTS
from tiktok_middleware.delivery.outbox.base import LeasedRecord

__all__ = ["Bisection"]

_HINT = re.compile(r"\b(?:batch|data)\.(\d+)", re.IGNORECASE)


class Bisection:
    """Splits a rejected batch into parts to send one after another.

    It isolates the event whose index TikTok's message names, as long as these indexes prove right, and otherwise
    splits by halves.

    Args:
        rows: the batch.
    """

    def __init__(self, rows: list[LeasedRecord]) -> None:
        self._parts = [rows] if rows else []
        self._suspect: LeasedRecord | None = None
        self._trusts_hints = True

    def next_part(self) -> list[LeasedRecord] | None:
        """Return the part to send next, or None when every row has its verdict."""
        return self._parts.pop() if self._parts else None

    def is_settled(self, part: list[LeasedRecord], verdicts: Sequence[Verdict]) -> bool:
        """Return whether ``verdicts`` apply to the rows themselves; if not, queue smaller parts of ``part``."""
        is_refused = all(isinstance(verdict, Rejected) for verdict in verdicts)
        if len(part) == 1 or not is_refused:
            if part[0] is self._suspect:
                self._trusts_hints = is_refused
            return True
        index = self._hint(verdicts[0])
        if index < len(part):
            self._suspect = part[index]
            self._parts += [part[:index] + part[index + 1 :], [part[index]]]
        else:
            middle = len(part) // 2
            self._parts += [part[middle:], part[:middle]]
        return False

    def _hint(self, verdict: Verdict) -> int:
        """Return the index that the message names (``Batch.3.properties...``), or one beyond any batch."""
        found = _HINT.search(verdict.reason) if self._trusts_hints and isinstance(verdict, Rejected) else None
        return int(found[1]) if found else MAX_REQUEST_EVENTS + 1
