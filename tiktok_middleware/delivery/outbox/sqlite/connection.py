"""One SQLite file that processes and threads share: opening, migrating, transactions, checkpoints, forks."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tiktok_middleware._printable import own_logger
from tiktok_middleware.delivery.outbox.sqlite.migrate import add_tables, migrate
from tiktok_middleware.delivery.process.threads import Lock, native_lock, native_sleep, native_thread
from tiktok_middleware.errors import OutboxError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where processes do not fork and rarely share the file
    fcntl = None  # type: ignore[assignment]

__all__ = ["CHECKPOINT_BYTES", "Connection", "wal_bytes"]

log: logging.Logger = own_logger(__name__)

_BUSY_SLEEPS_S = (0.00005, 0.0001, 0.0002, 0.0005, 0.001)
_BUSY_LIMIT_S = 10.0
_FORK_WAIT_S = 1.0
_FileId = tuple[int, int]

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""The size of the log from which it is written back: on a thread of its own, outside any put."""

_LOOK_EVERY = 16  # transactions of one process between two looks at the size of the log
_KEPT_LOG_BYTES = CHECKPOINT_BYTES // 2  # what a log that begins anew keeps of its file
_MAX_LOG_BYTES = 64 * 1024 * 1024
_BACKSTOP_PAGES = 65_536  # SQLite writes the log back inside a commit only if no thread of ours does it
_TRUNCATE_WAIT_MS = 20  # writers wait as long
_VACUUM_PAGES = 64
_VACUUM_PAUSE_S = 0.002
_MAX_WHOLE_VACUUM_BYTES = 16 * 1024 * 1024  # a file of an earlier release is rewritten once, while others wait


class Connection:
    """A file in WAL mode; nothing is opened before the first call.

    All transactions of one process go through one connection and one lock, so that its own threads never wait for
    each other by polling; other processes are met with ``BEGIN IMMEDIATE`` and sleeps far shorter than SQLite's own.

    A connection must not live through a fork, in neither process: the child would take SQLite's book-keeping of locks
    for its own, and its rows would vanish with a log that the parent deletes. So it is closed before and opened after.

    What is deleted is overwritten (``secure_delete``), and `truncate` removes its copies from the log.

    Args:
        path: the file; made with mode 0600, its folder with 0700. Not on a network file system.
        migrations: one script for each step of the schema; ``PRAGMA user_version`` counts the steps a file has taken.
        sync: ``normal`` (survives a killed process) or ``full`` (survives a power cut).
        inherit: where the file is removed or replaced while in use, moves what is worth it from ``main`` to the one in
            its place, ``successor``, within one transaction.
        additions: further steps that a process which does not know them can live with; the table ``additions`` counts
            them.
        opened: called with each new connection, before its first use.
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
    ) -> None:
        self.path = path
        self._migrations = migrations
        self._additions = additions
        self._sync = sync
        self._inherit = inherit
        self._opened = opened
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
        self._file: _FileId | None = None  # of the connections
        self._side_file: _FileId | None = None
        self._commits = 0
        self._is_checkpointing = False
        self._log_bytes = 0  # when it was last written back

    def transaction(self) -> _Transaction:
        """A write transaction, committed at the end of a ``with`` block.

        Raises:
            OutboxError: SQLite could not begin, write or commit. Nothing is written then, unless it was the commit
                whose answer was lost.
        """
        return self._transaction

    def read(self, sql: str, values: Sequence[object] = ()) -> tuple[object, ...] | None:
        """The first row of a query."""
        db = self.acquire()
        error: BaseException | None = None
        try:
            row: tuple[object, ...] | None = _patiently(db, sql, values).fetchone()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self.let_go(error)
        return row

    def checkpoint(self) -> None:
        """Write the log back into the file, on a connection of its own, so that no transaction waits for it."""
        with self._beside() as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def truncate(self) -> bool:
        """Write the log back and empty it, so that it keeps no copy of what was deleted.

        Returns False where somebody was reading or writing; then try again later.
        """
        with self._beside() as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # most of the work, while others write
            db.execute(f"PRAGMA busy_timeout={_TRUNCATE_WAIT_MS}")
            try:
                is_busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                db.execute("PRAGMA busy_timeout=0")
        return not is_busy

    def shrink(self, keep_bytes: int) -> None:
        """Give the disk back what the file does not need, in short steps, but for ``keep_bytes`` of room.

        A file that an earlier release has made is rewritten as a whole, where it holds little.
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
                    if wal_bytes(self.path) > CHECKPOINT_BYTES:
                        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    native_sleep(_VACUUM_PAUSE_S)
            finally:
                db.execute("PRAGMA busy_timeout=0")

    def close(self) -> None:
        """Close the connections; a call that comes later opens one for itself."""
        self._is_closed = True
        with self._side_lock, self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        _close(self._side)
        _close(self._db)
        self._side = self._db = None

    @contextlib.contextmanager
    def _beside(self) -> Iterator[sqlite3.Connection]:
        """The second connection, for work that no transaction shall wait for."""
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
        """The connection, held until `let_go`."""
        if self._pid != os.getpid():
            self._forget()
        self._lock.acquire()
        try:
            if self._db is None:
                self._db = self._open()
            elif self._file != _file_id(self.path):
                self._db = self._succeed(self._db)
        except BaseException as error:
            self.let_go(error)
            raise
        return self._db

    def let_go(self, error: BaseException | None) -> None:
        """Let others use the connection; where SQLite or the disk failed, close it.

        Raises:
            OutboxError: ``error`` is SQLite's or the disk's.
        """
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
        """Look at the log from time to time."""
        self._commits += 1
        if not self._commits % _LOOK_EVERY:
            self.look_at_log()

    def look_at_log(self) -> None:
        """Write the log back on a thread of its own, where it has grown."""
        size = wal_bytes(self.path)
        if size < self._log_bytes:
            self._log_bytes = 0  # it has begun anew
        if size >= max(CHECKPOINT_BYTES, self._log_bytes + _KEPT_LOG_BYTES) and not self._is_checkpointing:
            self._log_bytes = size
            self._is_checkpointing = native_thread(self._checkpoint)

    def _checkpoint(self) -> None:
        try:
            with contextlib.suppress(OutboxError):  # the next transaction meets the same error
                self.checkpoint()
                if wal_bytes(self.path) > _MAX_LOG_BYTES:
                    # Under steady load there is always a newer page, so that the log never begins anew by itself.
                    self.truncate()
        finally:
            self._is_checkpointing = False

    # Opening

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not _is_damaged(error):
                raise
        with _alone(self.path.with_name(self.path.name + ".lock")):
            try:
                return self._connect()  # another process may have been quicker to replace the file
            except sqlite3.DatabaseError as error:
                if not _is_damaged(error):
                    raise
                self._set_aside(error)
                return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file that exists is not opened here: closing it would drop the locks of this process's other connections.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(self.path, timeout=_BUSY_LIMIT_S, isolation_level=None, check_same_thread=False)
        try:
            if not self.path.stat().st_size:  # in a file with tables it would need the lock, and change nothing
                db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            _patiently(db, "PRAGMA journal_mode=WAL")  # two that do it at once would refuse each other without waiting
            db.execute(f"PRAGMA synchronous={self._sync}")
            db.execute(f"PRAGMA wal_autocheckpoint={_BACKSTOP_PAGES}")
            db.execute(f"PRAGMA journal_size_limit={_KEPT_LOG_BYTES}")
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
        self._file = _file_id(self.path)
        return db

    def _succeed(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """The file in the place of ours, which was removed or replaced, and would be gone with the last process."""
        new = self._open()
        log.error("The outbox %s was removed or replaced while in use: what waited in it goes to a new one", self.path)
        try:
            if self._inherit:
                old.execute(f"PRAGMA busy_timeout={int(_BUSY_LIMIT_S * 1000)}")
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
        """Let the running transaction end and close the connections; a disk that hangs does not hold up the fork."""
        self._held = [lock for lock in (self._side_lock, self._lock) if lock.acquire(timeout=_FORK_WAIT_S)]
        if len(self._held) == 2:
            self._disconnect()

    def after_fork(self) -> None:
        """Go on, in the parent."""
        while self._held:
            self._held.pop().release()

    def after_fork_in_child(self) -> None:  # pragma: no cover - runs in forked children
        """Start anew, in the child."""
        self._forget()

    def _forget(self) -> None:
        # Only a fork that bypasses Python's hooks leaves connections here: they may be neither used nor closed.
        _inherited.extend(db for db in (self._db, self._side) if db is not None)
        self._reset()


class _Transaction:
    """The write transactions of a database, one after the other."""

    __slots__ = ("_database", "_db")

    def __init__(self, database: Connection) -> None:
        self._database = database
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        db = self._database.acquire()
        try:
            _patiently(db, "BEGIN IMMEDIATE")
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


def _patiently(db: sqlite3.Connection, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
    """What ``execute`` returns, as soon as no other process is in the way."""
    deadline = 0.0
    sleeps = iter(_BUSY_SLEEPS_S)
    while True:
        try:
            return db.execute(sql, values)
        except sqlite3.OperationalError as error:
            now = time.monotonic()
            deadline = deadline or now + _BUSY_LIMIT_S
            if "locked" not in str(error) or now >= deadline:
                raise
        native_sleep(next(sleeps, _BUSY_SLEEPS_S[-1]))


def _close(db: sqlite3.Connection | None) -> None:
    if db is not None:
        with contextlib.suppress(sqlite3.Error):
            db.close()


def wal_bytes(path: Path) -> int:
    """The size of the log of a database file, in bytes; 0 where there is none.

    Its pages are not counted by reading the file: closing it would drop this process's locks.
    """
    try:
        return os.stat(f"{path}-wal").st_size  # noqa: PTH116 - half the time of Path.stat, and done for many commits
    except OSError:
        return 0


def _file_id(path: Path) -> _FileId | None:
    """What tells a file from another of the same name; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, and this is done for each commit
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_damaged(error: BaseException | None) -> bool:
    """Whether the file is not, or no longer, a database: SQLite raises exactly this class for nothing else."""
    return type(error) is sqlite3.DatabaseError


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; the lock goes with its holder."""
    with path.open("w") as file:
        if fcntl is not None:  # pragma: no branch - Windows
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
