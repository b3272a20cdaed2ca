"""Prevent an event's server copies from being sent."""

from __future__ import annotations

from tiktok_middleware.delivery.outbox.postgres.claims import PostgresClaims
from tiktok_middleware.delivery.outbox.postgres.connection import Db
from tiktok_middleware.delivery.outbox.postgres.schema import LEASED
from tiktok_middleware.delivery.outbox.postgres.store import SENT, Store

__all__ = ["cancel"]

_REMOVE = f"""WITH gone AS (DELETE FROM {{schema}}.event WHERE event_id = %(event_id)s AND {SENT}
        AND NOT (state = {LEASED} AND due > %(now)s) RETURNING 1),
    dead AS (DELETE FROM {{schema}}.dead WHERE event_id = %(event_id)s AND {SENT} RETURNING 1)
    SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM dead), (SELECT count(*) FROM {{schema}}.event
        WHERE event_id = %(event_id)s AND {SENT} AND state = {LEASED} AND due > %(now)s)"""  # noqa: S608 - constants


def cancel(store: Store, event_id: str) -> bool:
    """Remove an event and claim it for the server channel; return False if it was sent or is in flight."""
    connection = store.requests

    def work(db: Db) -> bool:
        values = {"event_id": event_id, **store.sent(), "now": store.clock.now()}
        removed, in_flight = db.execute(connection.sql(_REMOVE), values).fetchone() or (0, 0)
        claims = PostgresClaims(connection, db, store.scope, store.clock, b"")
        claims.read_keys([(pixel, event_id) for pixel in store.scope.all_of(store.scope.pixels)])
        is_new = claims.wins(event_id, store.scope.pixels, "server", passing=False)
        claims.make()
        return not in_flight and bool(removed or is_new)

    return connection.retried(work)
