"""What goes from an outbox file that was removed while in use to the one in its place; it opens neither."""

from __future__ import annotations

import sqlite3

__all__ = ["MIGRATION", "inherit"]

# A row keeps its number, by which whoever has it in hand will acknowledge it. So no file begins where another may have
# been: the numbers begin with the microseconds of its first day.
MIGRATION = """
    INSERT INTO sqlite_sequence
        SELECT 'waiting', CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)
        WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'waiting');
    """

_WAITING = "id, pixel, source, event, event_id, event_time, paired, body, tries, due, owner, reason"
_STEPS = (
    f"INSERT INTO successor.waiting ({_WAITING}) SELECT {_WAITING} FROM main.waiting",  # noqa: S608 - a constant
    """UPDATE successor.tally SET rows = rows + (SELECT rows FROM main.tally),
        bytes = bytes + (SELECT bytes FROM main.tally)""",
    "DELETE FROM main.waiting",
    "UPDATE main.tally SET rows = 0, bytes = 0",
    "INSERT OR IGNORE INTO successor.once SELECT event_id, channel, at FROM main.once",
    "UPDATE successor.tally SET claims = (SELECT count(*) FROM successor.once)",
)


def inherit(db: sqlite3.Connection) -> None:
    """Move what waits, and copy what was counted once; dead letters go with the file that was removed.

    Several processes may have the file in hand: the first moves the rows.

    Args:
        db: a connection to the file that was removed, in a transaction, with the other attached as ``successor``.
    """
    for step in _STEPS:
        db.execute(step)
