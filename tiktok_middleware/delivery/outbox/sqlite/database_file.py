"""One SQLite file: create, open and migrate it, replace it if it is damaged, leave it if it was replaced."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tiktok_middleware._printable import own_logger
from tiktok_middleware.delivery.outbox.sqlite.migrate import add_tables, migrate
from tiktok_middleware.delivery.outbox.sqlite.transaction import patiently

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where processes do not fork and rarely share the file
    fcntl = None  # type: ignore[assignment]

__all__ = ["MAX_LOG_BYTES", "DatabaseFile", "FileId", "close", "file_lock", "is_damaged"]

log: logging.Logger = own_logger(__name__)

FileId = tuple[int, int]
"""Device and inode, which differ between files of the same name."""

MAX_LOG_BYTES = 64 * 1024 * 1024
"""Size of the log from which a checkpoint stops writers; a restarted log is cut to it."""


class DatabaseFile:
    """Opens one file, which other processes open too.

    Args:
        path: path of the file.
        migrations, additions, sync, inherit, opened, busy_limit_s, alone: as for `Connection`.

    Attributes:
        is_suspect: whether SQLite has reported damage, so that the next `open` checks the whole file.
        opened_id: identity of the file that was opened last.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        additions: Sequence[str],
        sync: str,
        *,
        inherit: Callable[[sqlite3.Connection], None] | None,
        opened: Callable[[sqlite3.Connection], None] | None,
        busy_limit_s: float,
        alone: Callable[[Path], contextlib.AbstractContextManager[None]],
    ) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._migrations = migrations
        self._additions = additions
        self._sync = sync
        self._inherit = inherit
        self._opened = opened
        self._busy_limit_s = busy_limit_s
        self._alone = alone
        self.is_suspect = False
        self.opened_id: FileId | None = None

    def is_replaced(self) -> bool:
        """Return whether the file was removed or replaced since it was opened."""
        return self._id() != self.opened_id

    def _id(self) -> FileId | None:
        try:
            found = os.stat(self._name)  # noqa: PTH116 - half the time of Path.stat, and this is done for each commit
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def open(self) -> sqlite3.Connection:
        """Return a connection to the file. A damaged file is set aside, and a new one begins."""
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise
        with self._alone(self._path.with_name(self._path.name + ".lock")):
            try:
                return self._connect()  # another process may have replaced the file already
            except sqlite3.DatabaseError as error:
                if not is_damaged(error):
                    raise
                self._set_aside(error)
                return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Do not open an existing file here: closing it would drop the locks of this process's other connections.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(self._path, timeout=self._busy_limit_s, isolation_level=None, check_same_thread=False)
        try:
            if not self._path.stat().st_size:  # in a file with tables this would need the lock and change nothing
                db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            # Fails without waiting if two processes do it at the same time.
            patiently(db, "PRAGMA journal_mode=WAL", limit_s=self._busy_limit_s)
            # Not even the commit that restarts the log waits for the disk; `checkpoint` syncs instead.
            db.execute(f"PRAGMA synchronous={'OFF' if self._sync == 'normal' else self._sync}")
            db.execute("PRAGMA wal_autocheckpoint=0")
            db.execute(f"PRAGMA journal_size_limit={MAX_LOG_BYTES}")
            db.execute("PRAGMA secure_delete=ON")
            if self.is_suspect:
                verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)  # noqa: TRY301 - the same path as damage that SQLite finds itself
            migrate(db, self._migrations)
            add_tables(db, self._additions)
            if self._opened:
                self._opened(db)
            db.execute("PRAGMA busy_timeout=0")
        except BaseException:
            db.close()
            raise
        self.is_suspect = False
        self.opened_id = self._id()
        return db

    def succeed(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """Open the new file after ours was removed or replaced, and move the old file's rows to it.

        Otherwise the old file's rows would be lost with the last process that has it open.
        """
        new = self.open()
        log.error("The outbox %s was removed or replaced while in use: what waited in it goes to a new one", self._path)
        try:
            if self._inherit:
                old.execute(f"PRAGMA busy_timeout={int(self._busy_limit_s * 1000)}")
                old.execute("ATTACH ? AS successor", (str(self._path),))
                old.execute("BEGIN IMMEDIATE")
                self._inherit(old)
                old.execute("COMMIT")
                if self._opened:
                    self._opened(new)
        except sqlite3.Error as error:
            log.error("What waited in the old outbox could not be taken along (%s)", error)  # noqa: TRY400 - a line is enough
        finally:
            close(old)
        return new

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        suffix = f".damaged-{time.time_ns()}"
        for tail in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self._path}{tail}").replace(f"{self._path}{suffix}{tail}")
        log.error(
            "The outbox %s is damaged (%s): set aside with suffix %s, a new one begins", self._path, error, suffix
        )


def close(db: sqlite3.Connection | None) -> None:
    """Close a connection, if there is one."""
    if db is not None:
        with contextlib.suppress(sqlite3.Error):
            # Closing the last connection copies the log into the file and removes the log. With OFF, which `sync`
            # "normal" uses, the file would not be synced before that.
            db.execute("PRAGMA synchronous=NORMAL")
        with contextlib.suppress(sqlite3.Error):
            db.close()


def is_damaged(error: BaseException | None) -> bool:
    """Return whether the file is not a valid database; SQLite raises exactly this class, no subclass, only for that."""
    return type(error) is sqlite3.DatabaseError


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Let one process at a time run the block. The lock is released when its holder ends."""
    with path.open("w") as file:
        if fcntl is not None:  # pragma: no branch - Windows
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
