"""Maintenance of a database file on a second connection, so that no transaction waits for it.

Checkpoints copy the log to the file, `Maintenance.truncate` empties the log, `Maintenance.shrink` shrinks the file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from tiktok_middleware.delivery.outbox.sqlite.database_file import MAX_LOG_BYTES, FileId, close
from tiktok_middleware.delivery.outbox.sqlite.log_file import is_log_used, sync_log
from tiktok_middleware.delivery.process.threads import Lock, native_lock, native_sleep
from tiktok_middleware.errors import OutboxError

__all__ = ["BACKSTOP_BYTES", "CHECKPOINT_BYTES", "Maintenance"]

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""Size of the write-ahead log from which it is checkpointed, on a separate thread and outside any put."""

BACKSTOP_BYTES = 256 * 1024 * 1024
"""Size of the log above which a commit waits for a checkpoint; only reached if no thread starts."""

_LOOK_EVERY = 16  # transactions of one process between two checks of the log's size
_ROUNDS = 8  # checkpoints in a row, each of the pages that were written during the one before
_TRUNCATE_WAIT_MS = 20  # other writers wait for as long
_VACUUM_PAGES = 64
_VACUUM_PAUSE_S = 0.002
_MAX_WHOLE_VACUUM_BYTES = 16 * 1024 * 1024  # up to this size, an earlier release's file is rewritten once; others wait


class Maintenance:
    """Checkpoints and shrinks one file.

    Args:
        path: path of the file.
        sync: ``normal`` or ``full``, as for the connection.
        file_in_use: returns the identity of the file that the transactions use, since a file can be replaced.
        checkpoint_bytes: size of the log from which it is checkpointed; again after it has grown by half of that.
        backstop_bytes: size of the log above which a commit waits for a checkpoint, where no thread starts.
        start_thread: starts a thread, and returns whether it could.

    Attributes:
        lock: is held while the second connection is in use.
    """

    def __init__(
        self,
        path: Path,
        sync: str,
        file_in_use: Callable[[], FileId | None],
        *,
        checkpoint_bytes: int,
        backstop_bytes: int,
        start_thread: Callable[[Callable[[], None]], bool],
    ) -> None:
        self._path = path
        self._sync = sync
        self._file_in_use = file_in_use
        self._checkpoint_bytes = checkpoint_bytes
        self._backstop_bytes = backstop_bytes
        self._start_thread = start_thread
        self.reset()

    def reset(self) -> None:
        """Start without a connection, such as in a forked child."""
        self.lock: Lock = native_lock()
        self._is_closed = False
        self._db: sqlite3.Connection | None = None
        self._file: FileId | None = None  # file of `_db`
        self._commits = 0
        self._is_checkpointing = False
        self._log_bytes = 0  # size of the log at its last checkpoint

    def checkpoint(self) -> bool:
        """Checkpoint the log on a second connection, so that no transaction waits for it.

        Return whether the file has all pages of the log. Then the next commit writes the log from its start again.
        """
        with self.second_connection() as db:
            is_complete = _checkpoint_passively(db)
            if is_complete and self._sync == "normal":
                self._restart_log(db)
        return is_complete

    def _restart_log(self, db: sqlite3.Connection) -> None:
        """Write one page to the start of a checkpointed log, and sync it.

        Old frames follow the new ones. If the first new frames were missing after a power cut, but not those after
        them, SQLite would apply old frames. So the start is synced at once, here, where no put waits for it.
        """
        db.execute("PRAGMA synchronous=OFF")
        try:
            db.execute("BEGIN IMMEDIATE")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute(f"PRAGMA user_version={version}")
            db.execute("COMMIT")
        except sqlite3.OperationalError:
            pass  # another connection writes, so that it restarts the log
        finally:
            if db.in_transaction:  # the write failed, such as on a full disk
                db.execute("ROLLBACK")
            db.execute("PRAGMA synchronous=NORMAL")
        sync_log(self._path)

    def truncate(self, *, is_urgent: bool = True) -> bool:
        """Checkpoint the log and empty it, so that it contains no copies of deleted rows.

        Args:
            is_urgent: stop writers until the last pages are synced to the disk, if they write all the time.

        Return False if another connection was reading or writing; try again later then.
        """
        with self.second_connection() as db:
            if not _checkpoint_passively(db) and not is_urgent:
                return False
            return self._stop_writers(db, "TRUNCATE")

    @staticmethod
    def _stop_writers(db: sqlite3.Connection, mode: str) -> bool:
        """Checkpoint while no connection writes; return False if one does not stop in time."""
        db.execute(f"PRAGMA busy_timeout={_TRUNCATE_WAIT_MS}")
        try:
            return not db.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0]
        finally:
            db.execute("PRAGMA busy_timeout=0")

    def shrink(self, keep_bytes: int) -> None:
        """Shrink the file in short steps, but keep ``keep_bytes`` of unused room.

        A file of an earlier release without incremental vacuum is rewritten as a whole, if it holds little data.
        """
        with self.second_connection() as db:
            page_bytes, pages, free = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
            )
            db.execute("PRAGMA busy_timeout=1000")
            try:
                if db.execute("PRAGMA auto_vacuum").fetchone()[0] == 0:
                    if (pages - free) * page_bytes <= _MAX_WHOLE_VACUUM_BYTES:
                        db.execute("PRAGMA auto_vacuum=INCREMENTAL")
                        db.execute("VACUUM")
                    return
                for _ in range(0, free - keep_bytes // page_bytes, _VACUUM_PAGES):
                    db.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")  # execute() would do one page
                    if is_log_used(self._path, CHECKPOINT_BYTES):
                        _checkpoint_passively(db)
                    native_sleep(_VACUUM_PAUSE_S)
            finally:
                db.execute("PRAGMA busy_timeout=0")

    def end(self) -> None:
        """Keep no connection between two calls from now on."""
        self._is_closed = True

    def disconnect(self) -> None:
        """Close the connection; the caller holds `lock`. A later call opens its own."""
        close(self._db)
        self._db = None

    def abandon(self) -> sqlite3.Connection | None:
        """Return the connection, which this object no longer uses and does not close."""
        db, self._db = self._db, None
        return db

    @contextlib.contextmanager
    def second_connection(self) -> Iterator[sqlite3.Connection]:
        """Yield the second connection, for work that must not block transactions."""
        with self.lock:
            try:
                file = self._file_in_use()
                if self._file != file:
                    close(self._db)
                    self._db = None
                if self._db is None:
                    self._db = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
                    self._db.execute("PRAGMA secure_delete=ON")
                    self._file = file
                yield self._db
            except sqlite3.Error as error:
                raise OutboxError(f"outbox {self._path}: {error}") from error
            finally:
                if self._is_closed:
                    close(self._db)
                    self._db = None

    def note_commit(self) -> None:
        """Count a commit; check the log's size after every `_LOOK_EVERY` commits."""
        self._commits += 1
        if not self._commits % _LOOK_EVERY:
            self.look_at_log()

    def look_at_log(self) -> None:
        """Start a checkpoint on a separate thread if the log has grown."""
        if self._log_bytes and not is_log_used(self._path, self._log_bytes):
            self._log_bytes = 0  # the log was restarted
        size = max(self._checkpoint_bytes, self._log_bytes + self._checkpoint_bytes // 2)
        if not self._is_checkpointing and is_log_used(self._path, size):
            self._is_checkpointing = self._start_thread(self._checkpoint)
            if self._is_checkpointing:
                self._log_bytes = size
            elif is_log_used(self._path, self._backstop_bytes):
                self._checkpoint()

    def _checkpoint(self) -> None:
        try:
            with contextlib.suppress(OutboxError):  # the next transaction raises the same error
                if not self.checkpoint() and is_log_used(self._path, MAX_LOG_BYTES):
                    # Under the heaviest load there is always a newer page, so the log never restarts by itself.
                    with self.second_connection() as db:
                        self._stop_writers(db, "RESTART")
        finally:
            self._is_checkpointing = False


def _checkpoint_passively(db: sqlite3.Connection) -> bool:
    """Checkpoint the log while others write; return whether the file has all pages of the log.

    Only then writers can restart or empty the log without waiting for the disk.
    """
    written = done = 0
    for _ in range(_ROUNDS):
        is_busy, pages, checkpointed = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if pages == checkpointed and not is_busy:
            return True
        if is_busy or (done and pages - done > written // 2):
            return False  # another connection does it, or others write as fast as this one
        written, done = pages - done, checkpointed
    return False
