"""Read what waits in the outbox."""

from __future__ import annotations

from collections.abc import Collection

from tiktok_middleware.delivery.outbox.postgres.schema import LEASED
from tiktok_middleware.delivery.outbox.postgres.store import SENT, Store

__all__ = ["counts", "holds", "last_id", "oldest_s"]

_HOLDS = f"""SELECT 1 FROM {{schema}}.event WHERE {SENT} AND NOT pixel = ANY(%(blocked)s) AND id <= %(up_to)s
    AND (state = {LEASED} OR due <= %(until)s) LIMIT 1"""  # noqa: S608 - constants
_COUNTS = """SELECT count(*), coalesce(sum(octet_length(body)), 0)::bigint,
    (SELECT count(*) FROM {schema}.dead WHERE environment = %(environment)s)
    FROM {schema}.event WHERE environment = %(environment)s"""
_OLDEST = "SELECT event_time FROM {schema}.event WHERE environment = %s ORDER BY id LIMIT 1"
_LAST_ID = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{schema}.event', 'id')::regclass), 0)"
_NEVER = 1e12


def last_id(store: Store) -> int:
    """Return the number of the newest row ever stored."""
    return int(store.relay.read(store.relay.sql(_LAST_ID))[0][0])


def holds(store: Store, up_to: int, blocked: Collection[str], within_s: float | None) -> bool:
    """Return whether a row with a number up to ``up_to`` still waits; see `Outbox.holds`."""
    store.relay.ensure_open()
    until = _NEVER if within_s is None else store.clock.now() + within_s
    values = {**store.sent(), "blocked": list(blocked), "up_to": up_to, "until": until}
    return bool(store.relay.read(store.relay.sql(_HOLDS), values))


def counts(store: Store) -> dict[str, int]:
    """Count the environment's rows; see `Outbox.counts`."""
    [row] = store.relay.read(store.relay.sql(_COUNTS), {"environment": store.environment})
    return dict(zip(("waiting", "bytes", "dead"), row, strict=True))


def oldest_s(store: Store) -> float | None:
    """Return the age of the event that has waited longest, in seconds; None if no event waits."""
    rows = store.relay.read(store.relay.sql(_OLDEST), (store.environment,))
    return store.clock.now() - rows[0][0] if rows else None
