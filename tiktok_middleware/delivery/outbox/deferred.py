"""Browser copies too large for a header, kept under a reference until a page asks for them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from tiktok_middleware.core.events.event import Claim, DeferredPayload, OutboxEntry

__all__ = ["DEFERRED_LIFE_S", "MemoryDeferred", "handed_out"]

DEFERRED_LIFE_S = 86_400.0
"""How long a reference is good for, in seconds: as long as a signed event, whose copy it may be."""

_LIMIT = 500


def handed_out(entries: Sequence[OutboxEntry], claims: Sequence[Claim]) -> list[DeferredPayload]:
    """The payloads of those entries whose browser copy may go."""
    return [
        entry.deferred
        for entry, claim in zip(entries, claims, strict=True)
        if entry.deferred is not None and claim.browser
    ]


class MemoryDeferred:
    """Deferred payloads in memory; of too many the oldest are removed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def keep(self, payloads: Iterable[DeferredPayload], now: float) -> None:
        """Keep payloads for a day."""
        for payload in payloads:
            self._kept[payload.ref] = payload.body, now
        while len(self._kept) > _LIMIT:
            self._kept.popitem(last=False)

    def take(self, ref: str, now: float) -> bytes | None:
        """What is kept under ``ref``."""
        body, at = self._kept.get(ref, (None, 0.0))
        return body if at > now - DEFERRED_LIFE_S else None
