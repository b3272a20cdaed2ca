"""Write transactions of a connection, one at a time, which wait for other processes in short sleeps."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from collections.abc import Callable, Sequence

from tiktok_middleware.delivery.process.threads import native_sleep

__all__ = ["Transaction", "patiently"]

_BUSY_SLEEPS_S = (0.00005, 0.0001, 0.0002, 0.0005, 0.001)


class Transaction:
    """Context manager for the write transactions of a connection.

    Args:
        acquire: locks and returns the connection.
        let_go: unlocks it; called with the error that ended the transaction.
        committed: called after each commit.
        busy_limit_s: how long a statement waits for other processes, in seconds.
    """

    __slots__ = ("_acquire", "_busy_limit_s", "_committed", "_db", "_let_go")

    def __init__(
        self,
        acquire: Callable[[], sqlite3.Connection],
        let_go: Callable[[BaseException | None], None],
        committed: Callable[[], None],
        busy_limit_s: float,
    ) -> None:
        self._acquire = acquire
        self._let_go = let_go
        self._committed = committed
        self._busy_limit_s = busy_limit_s
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        db = self._acquire()
        try:
            patiently(db, "BEGIN IMMEDIATE", limit_s=self._busy_limit_s)
        except BaseException as error:
            self._let_go(error)
            raise
        self._db = db
        return db

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        db, self._db = self._db, None
        assert db is not None
        try:
            if error is None:
                db.execute("COMMIT")
        except BaseException as caught:
            error = caught
            raise
        finally:
            if error is not None:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
            self._let_go(error)
        self._committed()


def patiently(db: sqlite3.Connection, sql: str, values: Sequence[object] = (), *, limit_s: float) -> sqlite3.Cursor:
    """Execute a statement; while another process holds the lock, sleep and try again."""
    try:
        return db.execute(sql, values)
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
    deadline = time.monotonic() + limit_s
    for sleep_s in itertools.chain(_BUSY_SLEEPS_S, itertools.repeat(_BUSY_SLEEPS_S[-1])):
        native_sleep(sleep_s)
        try:
            return db.execute(sql, values)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
    raise AssertionError  # pragma: no cover - the loop does not end
