"""Create and migrate the tables of an outbox in PostgreSQL. One process does it; others wait for it."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg

from tiktok_middleware.delivery.outbox.postgres.schema import SCRIPTS, in_schema
from tiktok_middleware.errors import OutboxError

__all__ = ["applied", "lock_key", "may_write", "migrate"]

_Connection = psycopg.Connection[tuple[Any, ...]]

_WAIT = "30s"
_FIND = """SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %s AND relname = 'control'"""


_MAY_WRITE = """SELECT current_setting('transaction_read_only') = 'off'
    AND has_schema_privilege(oid, 'USAGE') AND NOT EXISTS (SELECT 1 FROM pg_class
    WHERE relnamespace = pg_namespace.oid AND relkind = 'r' AND NOT has_table_privilege(pg_class.oid, 'INSERT'))
    FROM pg_namespace WHERE nspname = %s"""


def may_write(db: _Connection, schema: str) -> int:
    """Return 1 if the database accepts writes and this role may insert into all tables of the schema; else 0."""
    row = db.execute(_MAY_WRITE, (schema,)).fetchone()
    return int(row is not None and bool(row[0]))


def applied(db: _Connection, schema: str) -> int:
    """Return how many scripts were applied; 0 if there are no tables."""
    # `to_regclass` may answer from a cache that does not show yet what another process has just created.
    if db.execute(_FIND, (schema,)).fetchone() is None:
        return 0
    row = db.execute(in_schema("SELECT value FROM {schema}.control WHERE name = 'version'", schema)).fetchone()
    return 0 if row is None else int(row[0])


def migrate(db: _Connection, schema: str) -> int:
    """Apply the scripts that were not applied yet, and return how many. A newer release's tables are left unchanged.

    Args:
        db: a connection in autocommit mode.
        schema: schema of the tables.

    Raises:
        OutboxError: the role may not create the schema or its tables.
    """
    if applied(db, schema) >= len(SCRIPTS):
        return 0
    try:
        with db.transaction():
            db.execute(f"SET LOCAL lock_timeout = '{_WAIT}'".encode())
            db.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(schema, "migrate"),))
            done = applied(db, schema)
            if not done and db.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
                db.execute(in_schema("CREATE SCHEMA {schema}", schema))
            for script in SCRIPTS[done:]:
                db.execute(in_schema(script, schema))
            if done < len(SCRIPTS):
                db.execute(
                    in_schema(
                        "INSERT INTO {schema}.control VALUES ('version', %s)"
                        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                        schema,
                    ),
                    (len(SCRIPTS),),
                )
    except psycopg.errors.InsufficientPrivilege as error:
        raise OutboxError(
            f"this role may not create the tables ({error.diag.message_primary}): run"
            " `tiktok-middleware outbox migrate` with a role that may, and grant this one USAGE"
            " on the schema and all rights on its tables"
        ) from None
    return max(len(SCRIPTS) - done, 0)


def lock_key(*parts: str) -> int:
    """Return the key of an advisory lock: the same in all processes."""
    digest = hashlib.blake2b("\0".join(("tiktok-middleware", *parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
