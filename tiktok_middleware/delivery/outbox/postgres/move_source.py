"""The SQLite file that is moved to an outbox in PostgreSQL, while processes use it.

Claims, dead letters and the ledger are read in parts, without a write transaction. A waiting row is *reserved* before
it is copied, so that no process sends it meanwhile. The owner of a reserved row holds the time at which it was due.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tiktok_middleware.delivery.outbox.environment import PRODUCTION
from tiktok_middleware.delivery.outbox.sqlite import usage
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection
from tiktok_middleware.delivery.outbox.sqlite.schema import ADDITIONS, MIGRATIONS
from tiktok_middleware.delivery.outbox.sqlite.scopes import split_scope

__all__ = ["PART", "MoveSource"]

PART = 500
"""Rows that are moved in one transaction."""

_CLAIMS = 5000  # claims that are read at a time
_RESERVED_S = 3600.0  # after that the file's own processes may send a row again
_OWNER = "move "
_FREE = f"(owner IS NULL OR due <= ? OR owner LIKE '{_OWNER}%')"
_COLUMNS = "id, pixel, source, event, event_id, event_time, paired, body, tries, reason"
_TABLES = ("once", "waiting", "dead", "ledger")

Row = tuple[Any, ...]


class MoveSource:
    """Reads and empties the file.

    Args:
        path: the file.
        pixels: pixels of the app's pages, for claims that an early release has stored without a pixel.

    Attributes:
        mark: random bytes that stay with the file, so that a repeated move recognises its rows.
    """

    def __init__(self, path: Path, pixels: Sequence[str]) -> None:
        self._file = Connection(path, MIGRATIONS, "normal", additions=ADDITIONS)
        self._pixels = pixels
        with self._file.transaction() as db:
            db.execute("CREATE TABLE IF NOT EXISTS move (mark BLOB NOT NULL)")
            row = db.execute("SELECT mark FROM move").fetchone()
            if row is None:
                row = (secrets.token_bytes(8),)
                db.execute("INSERT INTO move VALUES (?)", row)
        self.mark: bytes = row[0]

    def count(self) -> int:
        """Return the number of rows of all tables."""
        return sum(self._count(table) for table in _TABLES)

    def in_flight(self) -> int:
        """Return the number of waiting rows that are left."""
        return self._count("waiting")

    def _count(self, table: str) -> int:
        return int(self._file.rows(f"SELECT count(*) FROM {table}", most=1)[0][0])  # noqa: S608 - a constant

    def claims(self, since: float = 0.0) -> Iterator[list[Row]]:
        """Yield the claims in parts: environment, pixel, event id, channel and time, for each pixel they count for.

        Args:
            since: only claims from this time on, in Unix seconds.
        """
        home, added = self._file.rows("SELECT home, added FROM tally", most=1)[0]
        last = ("", "")
        while True:
            found = self._file.rows(
                "SELECT event_id, channel, at FROM once WHERE (event_id, channel) > (?, ?) AND at >= ?"
                " ORDER BY event_id, channel",
                (*last, since),
                most=_CLAIMS,
            )
            if not found:
                return
            yield [claim for row in found for claim in self._claims_of(row, home, added)]
            last = found[-1][0], found[-1][1]

    def _claims_of(self, row: Row, home: str | None, added: float) -> Iterator[Row]:
        key, channel, at = row
        scope, _, event_id = key.rpartition("/")
        pixel, environment = split_scope(scope) if scope else (home or "", PRODUCTION)
        counted = [pixel] if pixel else list(self._pixels)
        if not scope and at < added:  # an early release counted all pixels as one
            counted = list(dict.fromkeys((*counted, *self._pixels)))
        for one in counted or [""]:
            yield environment, one, event_id, channel, at

    def reserve(self, now: float, after: int) -> list[Row]:
        """Reserve waiting rows, and return their columns and the time at which they are due.

        Args:
            now: Unix seconds.
            after: only rows with higher numbers.
        """
        with self._file.transaction() as db:
            found = db.execute(
                f"SELECT {_COLUMNS}, due, owner FROM waiting WHERE id > ? AND {_FREE} ORDER BY id LIMIT {PART}",  # noqa: S608
                (after, now),
            ).fetchall()
            rows = [(*row[:-2], _due(row[-2], row[-1])) for row in found]
            db.executemany(
                "UPDATE waiting SET owner = ?, due = ? WHERE id = ?",
                [(f"{_OWNER}{row[-1]!r}", now + _RESERVED_S, row[0]) for row in rows],
            )
        return rows

    def release(self, rows: Sequence[Row]) -> None:
        """Let the file's own processes send reserved rows, since they cannot be moved."""
        with self._file.transaction() as db:
            db.executemany("UPDATE waiting SET owner = NULL, due = ? WHERE id = ?", [(row[-1], row[0]) for row in rows])

    def remove_waiting(self, rows: Sequence[Row], now: float) -> None:
        """Remove reserved rows that were moved."""
        with self._file.transaction() as db:
            home = db.execute("SELECT home FROM tally").fetchone()[0]
            for row in rows:
                if db.execute("DELETE FROM waiting WHERE id = ?", (row[0],)).rowcount:
                    usage.add(db, row[1], home, -1, -len(row[7]), clock=now)

    def dead(self, after: int) -> list[Row]:
        """Return dead letters with higher numbers than ``after``: their columns, and when they died."""
        sql = f"SELECT {_COLUMNS}, died FROM dead WHERE id > ? ORDER BY id"  # noqa: S608 - constants
        return self._file.rows(sql, (after,), most=PART)

    def ledger(self, after: int, columns: Sequence[str]) -> list[Row]:
        """Return entries of the ledger with higher numbers than ``after``: their numbers and columns."""
        sql = f"SELECT id, {', '.join(columns)} FROM ledger WHERE id > ? ORDER BY id"  # noqa: S608 - constants
        return self._file.rows(sql, (after,), most=PART)

    def remove(self, table: str, rows: Sequence[Row]) -> None:
        """Remove moved rows of ``dead`` or ``ledger``."""
        with self._file.transaction() as db:
            db.executemany(f"DELETE FROM {table} WHERE id = ?", [(row[0],) for row in rows])  # noqa: S608 - a constant

    def close(self) -> None:
        """Remove deleted rows from the disk, and close the file."""
        try:
            self._file.maintenance.truncate()
        finally:
            self._file.close()


def _due(due: float, owner: str | None) -> float:
    """Return when a row is due; a reserved row's own column holds the end of its reservation."""
    return float(owner.removeprefix(_OWNER)) if owner is not None and owner.startswith(_OWNER) else due
