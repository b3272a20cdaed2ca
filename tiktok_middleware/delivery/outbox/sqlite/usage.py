"""How many rows and bytes wait for each scope of an outbox file.

``tally`` counts the whole file, as earlier releases do; ``usage`` counts each scope but production's home pixel, whose
share is the rest. So the usual file pays for one counter only.
"""

from __future__ import annotations

import sqlite3

from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes

__all__ = ["add", "recount", "settle_home", "used"]


def used(db: sqlite3.Connection, scope: str) -> tuple[int, int]:
    """Rows and bytes of a scope that is not the home."""
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
    """Count rows that came, or went.

    Args:
        db: the connection, in a transaction.
        scope: whose rows they are.
        home: the file's home scope.
        rows: how many, negative for those that went.
        size: their bytes.
        claims: new claims.
        clock: Unix seconds, the time that the file has seen last; None to leave it.
        puts: the last puts (see `puts`); None to leave them.
    """
    db.execute(
        """UPDATE tally SET rows = rows + ?, bytes = bytes + ?, claims = claims + ?, clock = ifnull(?, clock),
        puts = ifnull(?, puts)""",
        (rows, size, claims, clock, puts),
    )
    if home is not None and scope != home and rows:
        changed = db.execute("UPDATE usage SET rows = rows + ?, bytes = bytes + ? WHERE scope = ?", (rows, size, scope))
        if not changed.rowcount:
            db.execute("INSERT INTO usage VALUES (?, ?, ?)", (scope, rows, size))
        db.execute("UPDATE tally SET other_rows = other_rows + ?, other_bytes = other_bytes + ?", (rows, size))


def settle_home(db: sqlite3.Connection, scopes: Scopes) -> str | None:
    """Make the first pixel of the first production process the file's home; return the home."""
    row = db.execute("SELECT home FROM tally").fetchone()
    home: str | None = row[0] if row else None
    if home is None and not scopes.suffix and scopes.pixels:
        home = scopes.pixels[0]
        db.execute("UPDATE tally SET home = ?", (home,))
        recount(db, home)
    return home


def recount(db: sqlite3.Connection, home: str | None) -> None:
    """Count anew the scopes that have a counter of their own; an earlier release does not keep them."""
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
