"""Acknowledge, retry, release or bury rows by the sink's verdicts."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events_api.answers import Delivered, Halted, Rejected, Retry, Verdict
from tiktok_middleware.delivery.outbox.base import LeasedRecord, Outbox
from tiktok_middleware.delivery.outbox.expiry import shown_reason, ttl_s
from tiktok_middleware.delivery.sender.backoff import Backoff

__all__ = ["Results"]

log: logging.Logger = own_logger(__name__)

_VARYING = re.compile(r"\(request [^)]*\)|\d+")  # parts of TikTok's message that vary: request id and numbers
_MAX_CAUSES = 1000


class Results:
    """Records the results of leased rows in the outbox and in the backoff.

    Args:
        owner: owner of the leases.
        backoff: failure state of each pixel.
        clock: returns Unix seconds.
        on_halt: called before a pixel is halted while no other pixel is.

    Attributes:
        counts: numbers of rows ``delivered`` and of retries (``retried``).
        buried: number of dead letters by kind: ``rejected`` or ``expired``.
    """

    def __init__(self, owner: str, backoff: Backoff, clock: Callable[[], float], on_halt: Callable[[], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.buried: Counter[str] = Counter()
        self._owner = owner
        self._backoff = backoff
        self._clock = clock
        self._on_halt = on_halt
        self._causes: set[str] = set()

    def settle(self, outbox: Outbox, rows: list[LeasedRecord], verdicts: Sequence[Verdict]) -> None:
        """Record the result of each row. All rows are of one pixel."""
        now = self._clock()
        pixel = rows[0].record.pixel
        told = list(zip(rows, verdicts, strict=True))
        if delivered := [(row, verdict) for row, verdict in told if isinstance(verdict, Delivered)]:
            request_id = delivered[0][1].request_id
            self.counts["delivered"] += outbox.ack(self._owner, [row for row, _ in delivered], request_id)
        rejected = [(row, verdict.reason) for row, verdict in told if isinstance(verdict, Rejected)]
        for row, reason in rejected:
            self._bury(outbox, [row], "rejected", reason)
        if delivered or rejected:
            self._backoff.succeeded(pixel)
        if late := [(row, verdict) for row, verdict in told if isinstance(verdict, Retry)]:
            waits = [verdict.after_s for _, verdict in late if verdict.after_s is not None]
            self._backoff.failed(pixel, now, max(waits, default=None), late[0][1].reason)
            self._retry(outbox, [row for row, _ in late], now, late[0][1].reason)
        if halted := [(row, verdict) for row, verdict in told if isinstance(verdict, Halted)]:
            if not self._backoff.halted:
                self._on_halt()
            self._backoff.halt(pixel, halted[0][1].reason)
            self.release(outbox, [row for row, _ in halted], halted[0][1].reason)

    def release(self, outbox: Outbox, rows: list[LeasedRecord], reason: str = "") -> None:
        """Release rows that were not sent; they stay unchanged in the outbox."""
        if rows:
            outbox.release(self._owner, [row.id for row in rows], reason)

    def bury_expired(self, outbox: Outbox, rows: list[LeasedRecord]) -> list[LeasedRecord]:
        """Return the rows that may still be sent; turn the expired ones into dead letters."""
        expired = [row for row in rows if row.age_s > ttl_s(row.record.paired, row.record.source)]
        if not expired:
            return rows
        self._bury(outbox, expired, "expired", "expired")
        return [row for row in rows if row.age_s <= ttl_s(row.record.paired, row.record.source)]

    def _retry(self, outbox: Outbox, rows: list[LeasedRecord], now: float, reason: str) -> None:
        """Put rows back, from the second failure on in halves with different due times.

        So a single row that makes the others fail is soon sent alone.
        """
        tries = max(row.tries for row in rows)
        middle = len(rows) // 2 if tries else 0
        for half in (rows[:middle], rows[middle:]):
            if half:
                after_s = self._backoff.due(half[0].record.pixel, now, tries) - now
                self.counts["retried"] += outbox.retry(self._owner, [row.id for row in half], after_s, reason)

    def _bury(self, outbox: Outbox, rows: list[LeasedRecord], kind: str, reason: str) -> None:
        self.buried[kind] += outbox.bury(self._owner, rows, reason)
        # A mistake in an app is repeated in each of its events, so each cause is logged once.
        first, shown = rows[0].record, shown_reason(reason)
        cause = _VARYING.sub("", shown)
        if cause not in self._causes and len(self._causes) < _MAX_CAUSES:
            self._causes.add(cause)
            log.warning(
                "%d event(s) become dead letters, first %s %s: %s; more of this kind are counted and in `outbox list`",
                len(rows),
                first.event,
                first.event_id,
                shown,
            )
