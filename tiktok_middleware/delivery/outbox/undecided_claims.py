"""Preliminary claims while the outbox that holds the claims does not answer."""

from __future__ import annotations

from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.base import claim_of, uncommitted

__all__ = ["UndecidedClaims"]


class UndecidedClaims:
    """Claims of one process that the outbox decides later.

    The first browser copy of an event leaves. Every process derives its id from the same key, so TikTok counts it once
    within 48 hours. Server copies wait.

    Args:
        limit: number of event ids up to which a repetition is recognised.
        hands_out: whether browser copies of ``once`` events leave before the outbox has decided.
    """

    def __init__(self, limit: int, *, hands_out: bool) -> None:
        self._limit = limit
        self._hands_out = hands_out
        self._seen: set[tuple[str, str]] = set()

    def clear(self) -> None:
        """Forget all events, since the outbox has decided them."""
        self._seen.clear()

    def of(self, entry: OutboxEntry) -> Claim:
        """Return the preliminary claim of an entry."""
        if entry.draft is not None:
            return uncommitted(entry)
        if not entry.once:
            return claim_of(entry.browser, bool(entry.records))
        browser = entry.browser and self._hands_out and self._is_first(entry.event_id, "browser")
        return Claim(browser, bool(entry.records) and self._is_first(entry.event_id, "server"), is_decided=False)

    def _is_first(self, event_id: str, channel: str) -> bool:
        if (event_id, channel) in self._seen:
            return False
        if len(self._seen) < self._limit:
            self._seen.add((event_id, channel))
        return True
