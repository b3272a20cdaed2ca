"""Move rows from an outbox file that was removed while in use to the new file."""

from __future__ import annotations

import sqlite3

from tiktok_middleware.delivery.outbox.ledger import LedgerEntry

__all__ = ["move_rows"]

_WAITING = "id, pixel, source, event, event_id, event_time, paired, body, tries, due, owner, reason"
_LEDGER = ", ".join(LedgerEntry.__struct_fields__)
_STEPS = (
    f"INSERT INTO successor.waiting ({_WAITING}) SELECT {_WAITING} FROM main.waiting",  # noqa: S608 - a constant
    """UPDATE successor.tally SET rows = rows + (SELECT rows FROM main.tally),
        bytes = bytes + (SELECT bytes FROM main.tally)""",
    "DELETE FROM main.waiting",
    "UPDATE main.tally SET rows = 0, bytes = 0",
    "INSERT OR IGNORE INTO successor.once SELECT event_id, channel, at FROM main.once",
    "UPDATE successor.tally SET claims = (SELECT count(*) FROM successor.once)",
    """UPDATE successor.tally SET home = (SELECT home FROM main.tally), added = (SELECT added FROM main.tally),
        puts = (SELECT puts FROM main.tally)
        WHERE (SELECT home FROM main.tally) IS NOT NULL""",
    f"INSERT INTO successor.ledger ({_LEDGER}) SELECT {_LEDGER} FROM main.ledger",  # noqa: S608 - a constant
    "DELETE FROM main.ledger",
)


def move_rows(db: sqlite3.Connection) -> None:
    """Move the waiting rows and the ledger, and copy the claims. Dead letters are lost with the removed file.

    Several processes may have the removed file open; the first one moves the rows.

    Args:
        db: connection to the removed file, in a transaction, with the new file attached as ``successor``.
    """
    for step in _STEPS:
        db.execute(step)
