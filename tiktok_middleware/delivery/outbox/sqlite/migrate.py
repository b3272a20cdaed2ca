"""Migrate the tables of an outbox file. The first process that opens the file does it, once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

__all__ = ["add_tables", "migrate"]


def migrate(db: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Apply the schema's scripts that a file has not applied yet.

    Raises:
        OSError: a newer release has written the file.
    """
    newest = len(migrations)
    if _version(db) == newest:
        return
    db.execute("BEGIN IMMEDIATE")
    version = _version(db)
    if version > newest:
        raise OSError(f"written by a newer release: schema {version}, this one knows {newest}")
    for script in migrations[version:]:
        for statement in script.split(";\n"):
            db.execute(statement)
    db.execute(f"PRAGMA user_version={newest}")
    db.execute("COMMIT")


def add_tables(db: sqlite3.Connection, additions: Sequence[str]) -> None:
    """Apply the additions, which an earlier release can ignore, that a file has not applied yet."""
    if _added(db) >= len(additions):
        return
    db.execute("BEGIN IMMEDIATE")
    done = _added(db)
    for script in additions[done:]:
        for statement in script.split(";\n"):
            db.execute(statement)
    db.execute("CREATE TABLE IF NOT EXISTS additions (count INTEGER NOT NULL)")
    db.execute("DELETE FROM additions")
    db.execute("INSERT INTO additions VALUES (?)", (max(done, len(additions)),))
    db.execute("COMMIT")


def _added(db: sqlite3.Connection) -> int:
    """Return how many additions the file has applied."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'additions'").fetchone() is None:
        return 0
    return int(db.execute("SELECT count FROM additions").fetchone()[0])


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
