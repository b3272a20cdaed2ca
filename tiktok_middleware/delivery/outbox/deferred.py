"""Copies too large for a header, kept under a reference until a page asks for them; it knows no events."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import cast

from tiktok_middleware.core.events.event import Claim, DeferredPayload, OutboxEntry
from tiktok_middleware.delivery.outbox.connection import Connection

__all__ = ["MIGRATION", "PARCEL_LIFE_S", "MemoryDeferred", "keep", "prune", "take", "won"]

PARCEL_LIFE_S = 86_400.0
"""How long a reference is good for: as long as a sealed event, whose copy it may be."""

_LIMIT = 20_000  # of up to 64 KB each; most are a tenth of that
_MEMORY_LIMIT = 500

MIGRATION = """
    CREATE TABLE parcels (ref TEXT PRIMARY KEY, body BLOB NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX parcels_at ON parcels (at);
    """


def won(submissions: Sequence[OutboxEntry], claims: Sequence[Claim]) -> list[DeferredPayload]:
    """The parcels of those submissions whose browser copy may go."""
    return [
        s.deferred for s, claim in zip(submissions, claims, strict=True) if s.deferred is not None and claim.browser
    ]


def keep(db: sqlite3.Connection, deferreds: Iterable[DeferredPayload], now: float) -> None:
    """Store ``parcels`` within a transaction; of too many the oldest make room."""
    rows = [(deferred.ref, deferred.body, now) for deferred in deferreds]
    if not rows:
        return
    db.executemany("INSERT OR REPLACE INTO parcels VALUES (?, ?, ?)", rows)
    surplus = db.execute("SELECT count(*) FROM parcels").fetchone()[0] - _LIMIT
    if surplus > 0:
        db.execute("DELETE FROM parcels WHERE ref IN (SELECT ref FROM parcels ORDER BY at LIMIT ?)", (surplus,))


def take(database: Connection, ref: str, now: float) -> bytes | None:
    """What is kept under ``ref``, any number of times until its time is over: who asks fires it but once.

    Raises:
        OutboxError: the file cannot be read.
    """
    row = database.read("SELECT body FROM parcels WHERE ref = ? AND at > ?", (ref, now - PARCEL_LIFE_S))
    return None if row is None else cast("bytes", row[0])


def prune(db: sqlite3.Connection, now: float) -> None:
    """Forget, within a transaction, what nobody can ask for any more."""
    db.execute("DELETE FROM parcels WHERE at <= ?", (now - PARCEL_LIFE_S,))


class MemoryDeferred:
    """The same in memory."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def keep(self, deferreds: Iterable[DeferredPayload], now: float) -> None:
        """Store ``parcels``; of too many the oldest make room."""
        for deferred in deferreds:
            self._kept[deferred.ref] = deferred.body, now
        while len(self._kept) > _MEMORY_LIMIT:
            self._kept.popitem(last=False)

    def take(self, ref: str, now: float) -> bytes | None:
        """What is kept under ``ref``."""
        body, at = self._kept.get(ref, (None, 0.0))
        return body if at > now - PARCEL_LIFE_S else None
