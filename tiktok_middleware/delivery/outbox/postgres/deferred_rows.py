"""Deferred payloads in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable

from tiktok_middleware.core.events.event import DeferredPayload
from tiktok_middleware.delivery.outbox.deferred import DEFERRED_LIFE_S
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db

__all__ = ["keep", "prune", "take"]

_KEEP = """INSERT INTO {schema}.deferred SELECT ref, body, %s FROM unnest(%s::text[], %s::bytea[]) AS new (ref, body)
    ORDER BY ref ON CONFLICT (ref) DO UPDATE SET body = excluded.body, at = excluded.at"""
_CUT = """DELETE FROM {schema}.deferred WHERE ref IN (SELECT ref FROM {schema}.deferred ORDER BY at
    LIMIT greatest((SELECT count(*) FROM {schema}.deferred) - %s, 0))"""


def keep(connection: Connection, db: Db, payloads: Iterable[DeferredPayload], now: float, limit: int) -> None:
    """Store payloads within a transaction; above ``limit``, remove the oldest."""
    bodies = {payload.ref: payload.body for payload in payloads}
    if bodies:
        db.execute(connection.sql(_KEEP), (now, list(bodies), list(bodies.values())))
        db.execute(connection.sql(_CUT), (limit,))


def take(connection: Connection, ref: str, now: float) -> bytes | None:
    """Return the payload under ``ref``, None if there is none. It can be read again until it expires.

    Raises:
        OutboxError: the database does not answer.
    """
    query = connection.sql("SELECT body FROM {schema}.deferred WHERE ref = %s AND at > %s")
    rows = connection.read(query, (ref, now - DEFERRED_LIFE_S))
    return bytes(rows[0][0]) if rows else None


def prune(connection: Connection, db: Db, now: float) -> None:
    """Remove expired payloads within a transaction."""
    db.execute(connection.sql("DELETE FROM {schema}.deferred WHERE at <= %s"), (now - DEFERRED_LIFE_S,))
