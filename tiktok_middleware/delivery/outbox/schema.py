"""The tables of an outbox file, and the steps by which older files come to them; it opens none."""

# ruff: noqa: S608 - only a constant is formatted into SQL

from __future__ import annotations

from tiktok_middleware.core.events.event import PAGE_VIEW
from tiktok_middleware.delivery.outbox import deferred as deferreds
from tiktok_middleware.delivery.outbox import due_queries as lanes
from tiktok_middleware.delivery.outbox import replaced_file as successor

__all__ = ["MIGRATIONS", "SCHEMA"]

MIGRATIONS = (
    f"""
    CREATE TABLE waiting (
        id INTEGER PRIMARY KEY AUTOINCREMENT, pixel TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL,
        event_id TEXT NOT NULL, event_time INTEGER NOT NULL, paired INTEGER NOT NULL, body BLOB NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, owner TEXT
    );
    CREATE INDEX waiting_due ON waiting (due, pixel, source);
    CREATE INDEX waiting_views ON waiting (id) WHERE event = '{PAGE_VIEW}';
    CREATE TABLE dead (
        id INTEGER PRIMARY KEY, pixel TEXT NOT NULL, source TEXT NOT NULL, event TEXT NOT NULL,
        event_id TEXT NOT NULL, event_time INTEGER NOT NULL, paired INTEGER NOT NULL, body BLOB NOT NULL,
        tries INTEGER NOT NULL, reason TEXT NOT NULL, died REAL NOT NULL
    );
    CREATE TABLE once (
        event_id TEXT NOT NULL, channel TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (event_id, channel)
    ) WITHOUT ROWID;
    CREATE INDEX once_at ON once (at);
    CREATE TABLE tally (rows INTEGER NOT NULL, bytes INTEGER NOT NULL);
    INSERT INTO tally VALUES (0, 0);
    """,
    """
    ALTER TABLE waiting ADD COLUMN reason TEXT NOT NULL DEFAULT '';
    ALTER TABLE tally ADD COLUMN resumes INTEGER NOT NULL DEFAULT 0;
    """,
    deferreds.MIGRATION,
    """
    ALTER TABLE tally ADD COLUMN claims INTEGER NOT NULL DEFAULT 0;
    UPDATE tally SET claims = (SELECT count(*) FROM once);
    """,
    lanes.MIGRATION,
    successor.MIGRATION,
)

SCHEMA = len(MIGRATIONS)
"""The version of the tables that this release reads and writes."""
