"""Deferred payloads in an outbox file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import cast

from tiktok_middleware.core.events.event import DeferredPayload
from tiktok_middleware.delivery.outbox.deferred import DEFERRED_LIFE_S
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection

__all__ = ["keep", "prune", "take"]


def keep(db: sqlite3.Connection, payloads: Iterable[DeferredPayload], now: float, limit: int) -> None:
    """Store payloads within a transaction; above ``limit``, remove the oldest."""
    rows = [(payload.ref, payload.body, now) for payload in payloads]
    if not rows:
        return
    db.executemany("INSERT OR REPLACE INTO parcels VALUES (?, ?, ?)", rows)
    surplus = db.execute("SELECT count(*) FROM parcels").fetchone()[0] - limit
    if surplus > 0:
        db.execute("DELETE FROM parcels WHERE ref IN (SELECT ref FROM parcels ORDER BY at LIMIT ?)", (surplus,))


def take(connection: Connection, ref: str, now: float) -> bytes | None:
    """Return the payload under ``ref``, None if there is none. It can be read again until it expires.

    The page that fetches it fires it only once.

    Raises:
        OutboxError: the file cannot be read.
    """
    row = connection.read("SELECT body FROM parcels WHERE ref = ? AND at > ?", (ref, now - DEFERRED_LIFE_S))
    return None if row is None else cast("bytes", row[0])


def prune(db: sqlite3.Connection, now: float) -> int:
    """Remove expired payloads within a transaction; return how many."""
    return db.execute("DELETE FROM parcels WHERE at <= ?", (now - DEFERRED_LIFE_S,)).rowcount
