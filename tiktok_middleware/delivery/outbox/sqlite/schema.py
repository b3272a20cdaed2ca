"""Tables of an outbox file, and the scripts that migrate an older file.

Processes of this release and of the previous one may use a file at the same time, and a release can be rolled back by
one. So the schema number stays the one of the previous release, and changes only add tables, and columns with defaults
that the previous release does not use. To store records and claims of other environments in the previous release's
tables, the `pixel` column holds a *scope* and the `event_id` column of `once` a *claim key* (see `scopes`).
"""

# ruff: noqa: S608 - only a constant is formatted into SQL

from __future__ import annotations

from tiktok_middleware.core.events.event import PAGE_VIEW

__all__ = ["ADDITIONS", "LEDGER_PART", "MIGRATIONS", "SCHEMA_VERSION"]

LEDGER_PART = 4096
"""Entries of the ledger whose ids are sorted together; a look-up searches each part of the ledger."""

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
    """
    CREATE TABLE parcels (ref TEXT PRIMARY KEY, body BLOB NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX parcels_at ON parcels (at);
    """,
    """
    ALTER TABLE tally ADD COLUMN claims INTEGER NOT NULL DEFAULT 0;
    UPDATE tally SET claims = (SELECT count(*) FROM once);
    """,
    # A pixel that is halted for days may have a million rows that are due before all others. An index sorted by pixel
    # and source skips them in one step; an index sorted by due time would be scanned while all other processes wait.
    # The index on `dead` allows counting a hundred thousand dead letters without reading them.
    """
    DROP INDEX waiting_due;
    CREATE INDEX waiting_lanes ON waiting (pixel, source, due);
    CREATE INDEX dead_died ON dead (died);
    """,
    # A row keeps its number when it moves from a replaced file to the new one, because its lease's owner acknowledges
    # it by that number. So the numbers of each file start at its creation time in microseconds.
    """
    INSERT INTO sqlite_sequence
        SELECT 'waiting', CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)
        WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'waiting');
    """,
)

SCHEMA_VERSION = len(MIGRATIONS)
"""Schema version that this release and the previous one read and write."""

ADDITIONS = (
    """
    ALTER TABLE tally ADD COLUMN other_rows INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tally ADD COLUMN other_bytes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tally ADD COLUMN puts BLOB NOT NULL DEFAULT x'';
    ALTER TABLE tally ADD COLUMN clock REAL NOT NULL DEFAULT 0;
    ALTER TABLE tally ADD COLUMN home TEXT;
    ALTER TABLE tally ADD COLUMN added REAL NOT NULL DEFAULT 0;
    ALTER TABLE tally ADD COLUMN truncated REAL NOT NULL DEFAULT 0;
    CREATE TABLE usage (scope TEXT PRIMARY KEY, rows INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE ledger (
        id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, pixel TEXT NOT NULL, source TEXT NOT NULL,
        event TEXT NOT NULL, event_id TEXT NOT NULL, order_id TEXT NOT NULL, value REAL, currency TEXT NOT NULL,
        channels TEXT NOT NULL, reason TEXT NOT NULL, request_id TEXT NOT NULL, event_time INTEGER NOT NULL,
        at REAL NOT NULL
    );
    CREATE INDEX dead_pixel ON dead (pixel);
    UPDATE tally SET added = CASE WHEN claims THEN CAST(strftime('%s', 'now') AS REAL) ELSE 0 END;
    """,
    # An event that is older than TikTok's deduplication window is looked up before it is stored.
    """
    CREATE INDEX ledger_event ON ledger (event_id);
    """,
    # The ids of `once` events are random. In one index over millions of ids, each new entry would change a page of its
    # own, and each changed page is written to the log. So the ids are sorted within parts of the ledger only.
    f"""
    DROP INDEX ledger_event;
    CREATE INDEX ledger_part ON ledger (id / {LEDGER_PART}, event_id);
    """,
)
"""Scripts whose changes an older release can ignore; the table `additions` counts those that a file has applied."""
