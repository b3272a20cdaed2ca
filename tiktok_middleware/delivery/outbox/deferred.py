"""Deferred payloads: browser copies too large for a header, stored under a reference until a page fetches them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from tiktok_middleware.core.events.event import Claim, DeferredPayload, OutboxEntry

__all__ = ["DEFERRED_LIFE_S", "MemoryDeferred", "handed_out"]

DEFERRED_LIFE_S = 86_400.0
"""How long a reference is valid, in seconds: as long as a signed event, since the payload may be one."""


def handed_out(entries: Sequence[OutboxEntry], claims: Sequence[Claim]) -> list[DeferredPayload]:
    """Return the payloads of the entries whose browser copy may leave."""
    found = [(entry.deferred, i) for i, entry in enumerate(entries) if entry.deferred is not None]
    return [deferred for deferred, i in found if claims[i].browser]


class MemoryDeferred:
    """Deferred payloads in memory; above ``limit`` the oldest are removed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def keep(self, payloads: Iterable[DeferredPayload], now: float) -> None:
        """Store payloads for a day."""
        for payload in payloads:
            self._kept[payload.ref] = payload.body, now
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def take(self, ref: str, now: float) -> bytes | None:
        """Return the payload under ``ref``; None if there is none or it is older than a day."""
        body, at = self._kept.get(ref, (None, 0.0))
        return body if at > now - DEFERRED_LIFE_S else None
