"""Connection to a SQLite file that processes and threads share: transactions, reads, forks."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tiktok_middleware.delivery.outbox.sqlite.database_file import DatabaseFile, close, file_lock, is_damaged
from tiktok_middleware.delivery.outbox.sqlite.maintenance import BACKSTOP_BYTES, CHECKPOINT_BYTES, Maintenance
from tiktok_middleware.delivery.outbox.sqlite.transaction import Transaction, patiently
from tiktok_middleware.delivery.process.threads import Lock, native_lock, native_thread
from tiktok_middleware.errors import OutboxError

__all__ = ["Connection", "alive"]


class Connection:
    """Connection to a file in WAL mode; nothing is opened before the first call.

    All transactions of one process use one connection and one lock, so that its own threads never wait for each other
    by polling. Against other processes it uses ``BEGIN IMMEDIATE`` and sleeps far shorter than SQLite's own.

    A connection must not survive a fork, in either process: the child would use the parent's lock state of SQLite as
    its own, and its rows would be lost with a log that the parent deletes. So the connection is closed before a fork
    and opened again after it.

    Deleted data is overwritten (``secure_delete``), and `Maintenance.truncate` removes its copies from the log.

    Args:
        path: path of the file, not on a network file system; created with mode 0600, its folder with 0700.
        migrations: one script for each schema version; ``PRAGMA user_version`` counts those that a file has applied.
        sync: ``normal`` (survives a killed process) or ``full`` (survives a power cut).
        inherit: called if the file is removed or replaced while in use; moves the rows to keep from ``main`` to the
            new file, ``successor``, within one transaction.
        additions: further scripts whose changes an earlier release can ignore; the table ``additions`` counts those
            that a file has applied.
        opened: called with each new connection, before its first use.
        busy_limit_s: how long a statement waits for other processes, in seconds.
        fork_wait_s: how long a fork waits for the running transaction, in seconds.
        alone: lets one process at a time run a block; guards the replacement of a damaged file.
        checkpoint_bytes: size of the log from which it is checkpointed; again after it has grown by half of that.
        backstop_bytes: size of the log above which a commit waits for a checkpoint, where no thread starts.
        start_thread: starts a thread, and returns whether it could.

    Attributes:
        maintenance: checkpoints and shrinks the file.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        sync: str,
        inherit: Callable[[sqlite3.Connection], None] | None = None,
        *,
        additions: Sequence[str] = (),
        opened: Callable[[sqlite3.Connection], None] | None = None,
        busy_limit_s: float = 10.0,
        fork_wait_s: float = 1.0,
        alone: Callable[[Path], contextlib.AbstractContextManager[None]] | None = None,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
        backstop_bytes: int = BACKSTOP_BYTES,
        start_thread: Callable[[Callable[[], None]], bool] = native_thread,
    ) -> None:
        self.path = path
        self._busy_limit_s = busy_limit_s
        self._fork_wait_s = fork_wait_s
        self._database_file = DatabaseFile(
            path,
            migrations,
            additions,
            sync,
            inherit=inherit,
            opened=opened,
            busy_limit_s=busy_limit_s,
            alone=alone or file_lock,
        )
        self.maintenance = Maintenance(
            path,
            sync,
            lambda: self._database_file.opened_id,
            checkpoint_bytes=checkpoint_bytes,
            backstop_bytes=backstop_bytes,
            start_thread=start_thread,
        )
        self._transaction = Transaction(self._acquire, self._let_go, self.maintenance.note_commit, busy_limit_s)
        self._reset()
        alive.add(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._is_closed = False
        self._lock = native_lock()
        self._held: list[Lock] = []
        self._db: sqlite3.Connection | None = None

    def transaction(self) -> Transaction:
        """Return a write transaction, which is committed at the end of a ``with`` block.

        Raises:
            OutboxError: SQLite could not begin, write or commit. Nothing was written then, unless the commit succeeded
                but its result was lost.
        """
        return self._transaction

    def read(self, sql: str, values: Sequence[object] = ()) -> tuple[object, ...] | None:
        """Return the first row of a query."""
        rows = self.rows(sql, values, most=1)
        return rows[0] if rows else None

    def rows(self, sql: str, values: Sequence[object] = (), *, most: int) -> list[tuple[Any, ...]]:
        """Return the first rows of a query, up to ``most``. Writers do not wait for it."""
        db = self._acquire()
        error: BaseException | None = None
        try:
            cursor = patiently(db, sql, values, limit_s=self._busy_limit_s)
            rows = cursor.fetchmany(most)
            cursor.close()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._let_go(error)
        return rows

    def close(self) -> None:
        """Close the connections. A later call opens its own connection."""
        self._is_closed = True
        self.maintenance.end()
        with self.maintenance.lock, self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        self.maintenance.disconnect()
        close(self._db)
        self._db = None

    # One connection at a time

    def _acquire(self) -> sqlite3.Connection:
        """Lock and return the connection, until `_let_go`."""
        if self._pid != os.getpid():
            self._forget()
        self._lock.acquire()
        try:
            if self._db is None:
                self._db = self._database_file.open()
            elif self._database_file.is_replaced():
                self._db = self._database_file.succeed(self._db)
        except BaseException as error:
            self._let_go(error)
            raise
        return self._db

    def _let_go(self, error: BaseException | None) -> None:
        """Unlock the connection; close it if SQLite or the disk failed.

        Raises:
            OutboxError: ``error`` came from SQLite or the disk.
        """
        if error is None and not self._is_closed:
            self._lock.release()
            return
        is_ours = isinstance(error, (sqlite3.Error, OSError))
        try:
            if is_ours:
                self._database_file.is_suspect = is_damaged(error)
            if is_ours or self._is_closed:
                close(self._db)
                self._db = None
        finally:
            self._lock.release()
        if is_ours:
            raise OutboxError(f"outbox {self.path}: {error}") from error

    # Forks

    def before_fork(self) -> None:
        """Wait for the running transaction and close the connections. If the disk hangs, the fork goes on anyway."""
        self._held = [lock for lock in (self.maintenance.lock, self._lock) if lock.acquire(timeout=self._fork_wait_s)]
        if len(self._held) == 2:
            self._disconnect()

    def after_fork(self) -> None:
        """Resume in the parent."""
        while self._held:
            self._held.pop().release()

    def after_fork_in_child(self) -> None:  # pragma: no cover - runs in forked children
        """Reset the state in the child."""
        self._forget()

    def _forget(self) -> None:
        # Connections exist here only if the fork bypassed Python's hooks. They must be neither used nor closed.
        _inherited.extend(db for db in (self._db, self.maintenance.abandon()) if db is not None)
        self.maintenance.reset()
        self._reset()


_inherited: list[sqlite3.Connection] = []
alive: weakref.WeakSet[Connection] = weakref.WeakSet()


def _for_all(method: str) -> None:
    for database in list(alive):
        getattr(database, method)()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(
        before=lambda: _for_all("before_fork"),
        after_in_parent=lambda: _for_all("after_fork"),
        after_in_child=lambda: _for_all("after_fork_in_child"),
    )
