"""Counters of waiting rows and bytes for each scope of an outbox file.

``tally`` counts the whole file, as in earlier releases. ``usage`` counts each scope except production's home pixel,
whose count is the difference. So most files update only one counter.
"""

from __future__ import annotations

import sqlite3

from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes

__all__ = ["add", "recount", "settle_home", "used"]

_ADD = """UPDATE tally SET rows = rows + ?, bytes = bytes + ?, claims = claims + ?, clock = ifnull(?, clock)"""
_ADD_PUT = """UPDATE tally SET rows = rows + ?, bytes = bytes + ?, claims = claims + ?, clock = ifnull(?, clock),
    puts = ?"""


def used(db: sqlite3.Connection, scope: str) -> tuple[int, int]:
    """Return rows and bytes of a scope that is not the home."""
    return db.execute("SELECT rows, bytes FROM usage WHERE scope = ?", (scope,)).fetchone() or (0, 0)


def add(
    db: sqlite3.Connection,
    scope: str,
    home: str | None,
    rows: int,
    size: int,
    *,
    claims: int = 0,
    clock: float | None = None,
    puts: bytes | None = None,
) -> None:
    """Count added or removed rows.

    Args:
        db: the connection, in a transaction.
        scope: scope of the rows.
        home: home scope of the file.
        rows: number of added rows, negative for removed rows.
        size: bytes of their bodies, with the same sign.
        claims: number of added claims, negative for removed ones.
        clock: newest time to record in the file, in Unix seconds; None to leave it.
        puts: value of the last puts (see `puts`); None to leave it.
    """
    if puts is not None:
        db.execute(_ADD_PUT, (rows, size, claims, clock, puts))
    else:
        db.execute(_ADD, (rows, size, claims, clock))
    if home is not None and scope != home and rows:
        changed = db.execute("UPDATE usage SET rows = rows + ?, bytes = bytes + ? WHERE scope = ?", (rows, size, scope))
        if not changed.rowcount:
            db.execute("INSERT INTO usage VALUES (?, ?, ?)", (scope, rows, size))
        db.execute("UPDATE tally SET other_rows = other_rows + ?, other_bytes = other_bytes + ?", (rows, size))


def settle_home(db: sqlite3.Connection, scopes: Scopes) -> str | None:
    """Make the first pixel of the first production process the file's home, if there is none; return the home."""
    row = db.execute("SELECT home FROM tally").fetchone()
    home: str | None = row[0] if row else None
    if home is None and not scopes.suffix and scopes.pixels:
        home = scopes.pixels[0]
        db.execute("UPDATE tally SET home = ?", (home,))
        recount(db, home)
    return home


def recount(db: sqlite3.Connection, home: str | None) -> None:
    """Count the rows of all scopes except the home again, since an earlier release does not update their counters."""
    if home is None:
        return
    db.execute("DELETE FROM usage")
    db.execute(
        "INSERT INTO usage SELECT pixel, count(*), sum(length(body)) FROM waiting WHERE pixel <> ? GROUP BY pixel",
        (home,),
    )
    db.execute(
        """UPDATE tally SET other_rows = (SELECT ifnull(sum(rows), 0) FROM usage),
        other_bytes = (SELECT ifnull(sum(bytes), 0) FROM usage)"""
    )
