"""``once`` events that wait in memory while the outbox with their claims cannot be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.base import Limits

__all__ = ["UndecidedPuts"]


class UndecidedPuts:
    """Puts whose claims the outbox has to decide later.

    Meanwhile the first browser copy of an event leaves. Every process derives its id from the same key, so TikTok
    counts it once within 48 hours. Server copies wait: they are sent only if the outbox finds that the event was not
    counted before.

    Args:
        limits: size limits.
        hands_out: whether browser copies leave before the outbox has decided.
    """

    def __init__(self, limits: Limits, *, hands_out: bool = True) -> None:
        self.rows: int = 0
        self._size = 0
        self._limits = limits
        self._hands_out = hands_out
        self._puts: deque[tuple[bytes, list[OutboxEntry]]] = deque()
        self._seen: set[tuple[str, str]] = set()

    def put(self, entries: Sequence[OutboxEntry], put_id: bytes) -> list[Claim]:
        """Keep the entries, and return a preliminary claim for each.

        Args:
            entries: entries with ``once``.
            put_id: id of a put that failed on the outbox; empty if it was not tried.
        """
        if not self._puts:
            self._seen.clear()  # all entries of an earlier failure are decided
        claims: list[Claim] = []
        kept: list[OutboxEntry] = []
        for entry in entries:
            claim = self._claim(entry)
            claims.append(claim)
            if claim.browser or claim.server:
                kept.append(entry)
                self._count([entry], 1)
        if kept:
            self._puts.append((put_id, kept))
        return claims

    def take(self, most: int) -> tuple[bytes, list[OutboxEntry]] | None:
        """Remove and return the oldest entries, about ``most``, with the id of their put; None if there are none."""
        if not self._puts:
            return None
        put_id, entries = self._puts.popleft()
        while not put_id and self._puts and not self._puts[0][0] and len(entries) < most:
            entries = entries + self._puts.popleft()[1]
        self._count(entries, -1)
        return put_id, entries

    def put_back(self, put_id: bytes, entries: list[OutboxEntry]) -> None:
        """Keep entries again that `take` returned."""
        self._puts.appendleft((put_id, entries))
        self._count(entries, 1)

    def names(self) -> list[str]:
        """Return the name and id of each event whose server copies wait."""
        return [f"{r.event} {r.event_id}" for _, entries in self._puts for entry in entries for r in entry.records[:1]]

    def _claim(self, entry: OutboxEntry) -> Claim:
        has_room = self.rows < self._limits.rows and self._size < self._limits.bytes
        browser = entry.browser and self._hands_out and self._is_first(entry.event_id, "browser")
        server = bool(entry.records) and has_room and self._is_first(entry.event_id, "server")
        return Claim(browser, server, is_decided=False)

    def _is_first(self, event_id: str, channel: str) -> bool:
        if (event_id, channel) in self._seen:
            return False
        if len(self._seen) < self._limits.claims:
            self._seen.add((event_id, channel))
        return True

    def _count(self, entries: Sequence[OutboxEntry], sign: int) -> None:
        self.rows += sign * sum(len(entry.records) for entry in entries)
        self._size += sign * sum(len(record.body) for entry in entries for record in entry.records)
