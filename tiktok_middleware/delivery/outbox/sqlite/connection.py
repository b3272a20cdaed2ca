"""SQLite file that processes and threads share: opening, migration, transactions, checkpoints, forks."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tiktok_middleware._printable import own_logger
from tiktok_middleware.delivery.outbox.sqlite.log_file import is_log_used, sync_log
from tiktok_middleware.delivery.outbox.sqlite.migrate import add_tables, migrate
from tiktok_middleware.delivery.process.threads import Lock, native_lock, native_sleep, native_thread
from tiktok_middleware.errors import OutboxError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where processes do not fork and rarely share the file
    fcntl = None  # type: ignore[assignment]

__all__ = ["CHECKPOINT_BYTES", "Connection", "file_lock"]

log: logging.Logger = own_logger(__name__)

_BUSY_SLEEPS_S = (0.00005, 0.0001, 0.0002, 0.0005, 0.001)
_FileId = tuple[int, int]

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""Size of the write-ahead log from which it is checkpointed, on a separate thread and outside any put."""

_LOOK_EVERY = 16  # transactions of one process between two checks of the log's size
_ROUNDS = 8  # checkpoints in a row, each of the pages that were written during the one before
_MAX_LOG_BYTES = 64 * 1024 * 1024  # from this size a checkpoint stops writers; a restarted log is cut to it
_BACKSTOP_BYTES = 256 * 1024 * 1024  # above this, a commit waits for a checkpoint; only reached if no thread starts
_TRUNCATE_WAIT_MS = 20  # other writers wait for as long
_VACUUM_PAGES = 64
_VACUUM_PAUSE_S = 0.002
_MAX_WHOLE_VACUUM_BYTES = 16 * 1024 * 1024  # up to this size, an earlier release's file is rewritten once; others wait


class Connection:
    """Connection to a file in WAL mode; nothing is opened before the first call.

    All transactions of one process use one connection and one lock, so that its own threads never wait for each other
    by polling. Against other processes it uses ``BEGIN IMMEDIATE`` and sleeps far shorter than SQLite's own.

    A connection must not survive a fork, in either process: the child would use the parent's lock state of SQLite as
    its own, and its rows would be lost with a log that the parent deletes. So the connection is closed before a fork
    and opened again after it.

    Deleted data is overwritten (``secure_delete``), and `truncate` removes its copies from the log.

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
        backstop_bytes: int = _BACKSTOP_BYTES,
        start_thread: Callable[[Callable[[], None]], bool] = native_thread,
    ) -> None:
        self.path = path
        self._name = os.fspath(path)
        self._migrations = migrations
        self._additions = additions
        self._sync = sync
        self._inherit = inherit
        self._opened = opened
        self._fork_wait_s = fork_wait_s
        self._alone = alone or file_lock
        self._checkpoint_bytes = checkpoint_bytes
        self._backstop_bytes = backstop_bytes
        self._start_thread = start_thread
        self.busy_limit_s = busy_limit_s
        self._is_suspect = False
        self._transaction = _Transaction(self)
        self._reset()
        _alive.add(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._is_closed = False
        self._lock = native_lock()
        self._side_lock = native_lock()
        self._held: list[Lock] = []
        self._db: sqlite3.Connection | None = None
        self._side: sqlite3.Connection | None = None
        self._file: _FileId | None = None  # file of `_db`
        self._side_file: _FileId | None = None
        self._commits = 0
        self._is_checkpointing = False
        self._log_bytes = 0  # size of the log at its last checkpoint

    def transaction(self) -> _Transaction:
        """Return a write transaction, which is committed at the end of a ``with`` block.

        Raises:
            OutboxError: SQLite could not begin, write or commit. Nothing was written then, unless the commit succeeded
                but its result was lost.
        """
        return self._transaction

    def read(self, sql: str, values: Sequence[object] = ()) -> tuple[object, ...] | None:
        """Return the first row of a query."""
        db = self.acquire()
        error: BaseException | None = None
        try:
            row: tuple[object, ...] | None = _patiently(db, sql, values, limit_s=self.busy_limit_s).fetchone()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self.let_go(error)
        return row

    def checkpoint(self) -> bool:
        """Checkpoint the log on a second connection, so that no transaction waits for it.

        Return whether the file has all pages of the log. Then the next commit writes the log from its start again.
        """
        with self._beside() as db:
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
        sync_log(self.path)

    def truncate(self, *, is_urgent: bool = True) -> bool:
        """Checkpoint the log and empty it, so that it contains no copies of deleted rows.

        Args:
            is_urgent: stop writers until the last pages are synced to the disk, if they write all the time.

        Return False if another connection was reading or writing; try again later then.
        """
        with self._beside() as db:
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
        with self._beside() as db:
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
                    if is_log_used(self.path, CHECKPOINT_BYTES):
                        _checkpoint_passively(db)
                    native_sleep(_VACUUM_PAUSE_S)
            finally:
                db.execute("PRAGMA busy_timeout=0")

    def close(self) -> None:
        """Close the connections. A later call opens its own connection."""
        self._is_closed = True
        with self._side_lock, self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        _close(self._side)
        _close(self._db)
        self._side = self._db = None

    @contextlib.contextmanager
    def _beside(self) -> Iterator[sqlite3.Connection]:
        """Yield the second connection, for work that must not block transactions."""
        with self._side_lock:
            try:
                if self._side_file != self._file:
                    _close(self._side)
                    self._side = None
                if self._side is None:
                    self._side = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
                    self._side.execute("PRAGMA secure_delete=ON")
                    self._side_file = self._file
                yield self._side
            except sqlite3.Error as error:
                raise OutboxError(f"outbox {self.path}: {error}") from error
            finally:
                if self._is_closed:
                    _close(self._side)
                    self._side = None

    # One connection at a time

    def acquire(self) -> sqlite3.Connection:
        """Lock and return the connection, until `let_go`."""
        if self._pid != os.getpid():
            self._forget()
        self._lock.acquire()
        try:
            if self._db is None:
                self._db = self._open()
            elif self._file != _file_id(self._name):
                self._db = self._succeed(self._db)
        except BaseException as error:
            self.let_go(error)
            raise
        return self._db

    def let_go(self, error: BaseException | None) -> None:
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
                self._is_suspect = _is_damaged(error)
            if is_ours or self._is_closed:
                _close(self._db)
                self._db = None
        finally:
            self._lock.release()
        if is_ours:
            raise OutboxError(f"outbox {self.path}: {error}") from error

    def note_commit(self) -> None:
        """Count a commit; check the log's size after every `_LOOK_EVERY` commits."""
        self._commits += 1
        if not self._commits % _LOOK_EVERY:
            self.look_at_log()

    def look_at_log(self) -> None:
        """Start a checkpoint on a separate thread if the log has grown."""
        if self._log_bytes and not is_log_used(self.path, self._log_bytes):
            self._log_bytes = 0  # the log was restarted
        size = max(self._checkpoint_bytes, self._log_bytes + self._checkpoint_bytes // 2)
        if not self._is_checkpointing and is_log_used(self.path, size):
            self._is_checkpointing = self._start_thread(self._checkpoint)
            if self._is_checkpointing:
                self._log_bytes = size
            elif is_log_used(self.path, self._backstop_bytes):
                self._checkpoint()

    def _checkpoint(self) -> None:
        try:
            with contextlib.suppress(OutboxError):  # the next transaction raises the same error
                if not self.checkpoint() and is_log_used(self.path, _MAX_LOG_BYTES):
                    # Under the heaviest load there is always a newer page, so the log never restarts by itself.
                    with self._beside() as db:
                        self._stop_writers(db, "RESTART")
        finally:
            self._is_checkpointing = False

    # Opening

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not _is_damaged(error):
                raise
        with self._alone(self.path.with_name(self.path.name + ".lock")):
            try:
                return self._connect()  # another process may have replaced the file already
            except sqlite3.DatabaseError as error:
                if not _is_damaged(error):
                    raise
                self._set_aside(error)
                return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Do not open an existing file here: closing it would drop the locks of this process's other connections.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(self.path, timeout=self.busy_limit_s, isolation_level=None, check_same_thread=False)
        try:
            if not self.path.stat().st_size:  # in a file with tables this would need the lock and change nothing
                db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            # Fails without waiting if two processes do it at the same time.
            _patiently(db, "PRAGMA journal_mode=WAL", limit_s=self.busy_limit_s)
            # Not even the commit that restarts the log waits for the disk; `checkpoint` syncs instead.
            db.execute(f"PRAGMA synchronous={'OFF' if self._sync == 'normal' else self._sync}")
            db.execute("PRAGMA wal_autocheckpoint=0")
            db.execute(f"PRAGMA journal_size_limit={_MAX_LOG_BYTES}")
            db.execute("PRAGMA secure_delete=ON")
            if self._is_suspect:
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
        self._is_suspect = False
        self._file = _file_id(self._name)
        return db

    def _succeed(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """Open the new file after ours was removed or replaced, and move the old file's rows to it.

        Otherwise the old file's rows would be lost with the last process that has it open.
        """
        new = self._open()
        log.error("The outbox %s was removed or replaced while in use: what waited in it goes to a new one", self.path)
        try:
            if self._inherit:
                old.execute(f"PRAGMA busy_timeout={int(self.busy_limit_s * 1000)}")
                old.execute("ATTACH ? AS successor", (str(self.path),))
                old.execute("BEGIN IMMEDIATE")
                self._inherit(old)
                old.execute("COMMIT")
                if self._opened:
                    self._opened(new)
        except sqlite3.Error as error:
            log.error("What waited in the old outbox could not be taken along (%s)", error)  # noqa: TRY400 - a line is enough
        finally:
            _close(old)
        return new

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        suffix = f".damaged-{time.time_ns()}"
        for tail in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{tail}").replace(f"{self.path}{suffix}{tail}")
        log.error("The outbox %s is damaged (%s): set aside with suffix %s, a new one begins", self.path, error, suffix)

    # Forks

    def before_fork(self) -> None:
        """Wait for the running transaction and close the connections. If the disk hangs, the fork goes on anyway."""
        self._held = [lock for lock in (self._side_lock, self._lock) if lock.acquire(timeout=self._fork_wait_s)]
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
        _inherited.extend(db for db in (self._db, self._side) if db is not None)
        self._reset()


class _Transaction:
    """Context manager for the write transactions of a database, one at a time."""

    __slots__ = ("_database", "_db")

    def __init__(self, database: Connection) -> None:
        self._database = database
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        db = self._database.acquire()
        try:
            _patiently(db, "BEGIN IMMEDIATE", limit_s=self._database.busy_limit_s)
        except BaseException as error:
            self._database.let_go(error)
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
            self._database.let_go(error)
        self._database.note_commit()


_inherited: list[sqlite3.Connection] = []
_alive: weakref.WeakSet[Connection] = weakref.WeakSet()


def _for_all(method: str) -> None:
    for database in list(_alive):
        getattr(database, method)()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(
        before=lambda: _for_all("before_fork"),
        after_in_parent=lambda: _for_all("after_fork"),
        after_in_child=lambda: _for_all("after_fork_in_child"),
    )


def _patiently(db: sqlite3.Connection, sql: str, values: Sequence[object] = (), *, limit_s: float) -> sqlite3.Cursor:
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


def _close(db: sqlite3.Connection | None) -> None:
    if db is not None:
        with contextlib.suppress(sqlite3.Error):
            db.execute("PRAGMA synchronous=NORMAL")  # the last connection to a file checkpoints the log and removes it
        with contextlib.suppress(sqlite3.Error):
            db.close()


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


def _file_id(path: str) -> _FileId | None:
    """Return device and inode, which differ between files of the same name; None if there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, and this is done for each commit
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_damaged(error: BaseException | None) -> bool:
    """Return whether the file is not a valid database; SQLite raises exactly this class, no subclass, only for that."""
    return type(error) is sqlite3.DatabaseError


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Let one process at a time run the block. The lock is released when its holder ends."""
    with path.open("w") as file:
        if fcntl is not None:  # pragma: no branch - Windows
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
