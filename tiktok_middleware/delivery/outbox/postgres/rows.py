"""SQL statements for the rows of an outbox in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.ledger import LedgerEntry
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db
from tiktok_middleware.delivery.outbox.postgres.schema import READY, WAITING

__all__ = ["PAIRED", "NewRow", "bury", "delete", "insert", "note_in_ledger"]

# If a row's own entry handed out no browser copy (0), a later entry may have. If an operator retries a pair as a new
# event (-1), the row counts as unpaired.
PAIRED = """(CASE event.paired WHEN 0 THEN EXISTS (
    SELECT 1 FROM {schema}.claim WHERE claim.environment = event.environment AND claim.pixel = %(counted)s
    AND claim.event_id = event.event_id AND claim.channel = 'browser') ELSE event.paired > 0 END)"""
"""SQL for whether a browser copy of a row was handed out; ``counted`` is the pixel of its claims."""

_ROW = {
    "environment": "text",
    "pixel": "text",
    "source": "text",
    "event": "text",
    "event_id": "text",
    "event_time": "int8",
    "paired": "int2",
    "body": "bytea",
    "state": "int2",
    "due": "float8",
    "reason": "text",
    "put_id": "bytea",
}
_DELETE = "DELETE FROM {schema}.event WHERE id = ANY(%s) AND owner = %s RETURNING id"
_BURY = f"""WITH gone AS (DELETE FROM {{schema}}.event WHERE id = ANY(%(ids)s) AND owner = %(owner)s RETURNING *)
    INSERT INTO {{schema}}.dead
    (id, environment, pixel, source, event, event_id, event_time, paired, body, tries, reason, died)
    SELECT id, environment, pixel, source, event, event_id, event_time, {PAIRED}::int, body, tries, %(reason)s, %(died)s
    FROM gone AS event ON CONFLICT (id) DO NOTHING RETURNING id"""  # noqa: S608 - a constant
_TYPES = {"value": "float8", "event_time": "int8", "at": "float8"}
_ENTRY = {name: _TYPES.get(name, "text") for name in LedgerEntry.__struct_fields__}


class NewRow(msgspec.Struct, frozen=True, gc=False):
    """Record to insert.

    Attributes:
        record: the record.
        due: when it may be sent, in Unix seconds.
        reason: why it waits; empty if it is due at once.
    """

    record: Record
    due: float
    reason: str = ""


def insert(connection: Connection, db: Db, environment: str, rows: Sequence[NewRow], put_id: bytes) -> None:
    """Insert records in their order."""
    copy(
        connection,
        db,
        "event",
        _ROW,
        [
            (
                environment,
                row.record.pixel,
                row.record.source,
                row.record.event,
                row.record.event_id,
                row.record.event_time,
                int(row.record.paired),
                row.record.body,
                WAITING if row.reason else READY,
                row.due,
                row.reason,
                put_id or None,
            )
            for row in rows
        ],
    )


def copy(
    connection: Connection, db: Db, table: str, columns: Mapping[str, str], rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows with ``COPY``, which takes a fifth of the time of ``INSERT``.

    Args:
        connection: connection of the transaction.
        db: the transaction.
        table: name of the table.
        columns: type of each column.
        rows: values in the order of the columns.
    """
    if not rows:
        return
    sql = f"COPY {{schema}}.{table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    with db.cursor().copy(connection.sql(sql)) as target:
        target.set_types(list(columns.values()))
        for row in rows:
            target.write_row(row)


def delete(connection: Connection, db: Db, owner: str, rows: Sequence[LeasedRecord]) -> list[LeasedRecord]:
    """Delete the rows that ``owner`` still holds, and return them."""
    found = db.execute(connection.sql(_DELETE), ([row.id for row in rows], owner))
    gone = {id_ for (id_,) in found}
    return rows if len(gone) == len(rows) and isinstance(rows, list) else [row for row in rows if row.id in gone]


def bury(
    connection: Connection, db: Db, owner: str, rows: Sequence[LeasedRecord], letter: dict[str, object]
) -> list[LeasedRecord]:
    """Move rows of one pixel that ``owner`` still holds to the dead letters, and return them.

    Args:
        connection: connection of the transaction.
        db: the transaction.
        owner: owner of the lease.
        rows: the rows.
        letter: ``counted``: the pixel of their claims; ``reason``; ``died``: Unix seconds.
    """
    found = db.execute(connection.sql(_BURY), {"ids": [row.id for row in rows], "owner": owner, **letter})
    gone = {id_ for (id_,) in found}
    return [row for row in rows if row.id in gone]


def note_in_ledger(connection: Connection, db: Db, entries: Sequence[LedgerEntry]) -> None:
    """Insert entries into the ledger."""
    copy(connection, db, "ledger", _ENTRY, [msgspec.structs.astuple(entry) for entry in entries])
