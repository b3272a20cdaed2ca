"""One SQLite file that processes and threads share: opening, migrating, transactions, forks; it knows no tables."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tiktok_middleware.delivery.process.threads import Lock, native_lock, native_sleep
from tiktok_middleware.errors import OutboxError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where processes do not fork and rarely share the file
    fcntl = None  # type: ignore[assignment]

__all__ = ["Connection"]

log = logging.getLogger(__name__)

_BUSY_SLEEPS_S = (0.00005, 0.0001, 0.0002, 0.0005, 0.001)
_BUSY_LIMIT_S = 10.0
_FORK_WAIT_S = 1.0
_FileId = tuple[int, int]
_BACKSTOP_PAGES = 8192  # the log is written back by `checkpoint`; SQLite does it itself only if that never comes


class Connection:
    """A file in WAL mode; nothing is opened before the first call.

    All transactions of one process go through one connection and one lock, so that its own threads never wait for
    each other by polling; other processes are met with ``BEGIN IMMEDIATE`` and sleeps far shorter than SQLite's own.

    A connection must not live through a fork, in neither process: the child would take SQLite's book-keeping of locks
    for its own, and its rows would vanish with a log that the parent deletes. So it is closed before and opened after.

    Args:
        path: the file; made with mode 0600, its folder with 0700. Not on a network file system.
        migrations: one script for each step of the schema; ``PRAGMA user_version`` counts the steps a file has taken.
        sync: ``normal`` (survives a killed process) or ``full`` (survives a power cut).
        inherit: where the file is removed or replaced while in use, moves what is worth it from ``main`` to the one in
            its place, ``successor``, within one transaction.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        sync: str,
        inherit: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self.path = path
        self._migrations = migrations
        self._sync = sync
        self._inherit = inherit
        self._is_suspect = False
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

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, committed at the end of the block.

        Raises:
            OutboxError: SQLite could not begin, write or commit; nothing is written then.
        """
        with self._connected() as db:
            _patiently(db, "BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise

    def read(self, sql: str, values: Sequence[object] = ()) -> tuple[object, ...] | None:
        """The first row of a query."""
        with self._connected() as db:
            row: tuple[object, ...] | None = _patiently(db, sql, values).fetchone()
            return row

    def checkpoint(self) -> None:
        """Write the log back into the file, on a connection of its own, so that no transaction waits for it."""
        with self._side_lock:
            try:
                if self._side_file != self._file:
                    _close(self._side)
                    self._side = None
                if self._side is None:
                    self._side = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
                    self._side_file = self._file
                self._side.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error as error:
                raise OutboxError(f"outbox {self.path}: {error}") from error
            finally:
                if self._is_closed:
                    _close(self._side)
                    self._side = None

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
    def _connected(self) -> Iterator[sqlite3.Connection]:
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            try:
                if self._db is None:
                    self._db = self._open()
                elif self._file != _file_id(self.path):
                    self._db = self._succeed(self._db)
                yield self._db
            except (sqlite3.Error, OSError) as error:
                self._is_suspect = _is_damaged(error)
                _close(self._db)
                self._db = None
                raise OutboxError(f"outbox {self.path}: {error}") from error
            finally:
                if self._is_closed:
                    _close(self._db)
                    self._db = None

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
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(self.path, timeout=_BUSY_LIMIT_S, isolation_level=None, check_same_thread=False)
        try:
            _patiently(db, "PRAGMA journal_mode=WAL")  # two that do it at once would refuse each other without waiting
            db.execute(f"PRAGMA synchronous={self._sync}")
            db.execute(f"PRAGMA wal_autocheckpoint={_BACKSTOP_PAGES}")
            if self._is_suspect:
                verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)  # noqa: TRY301 - the same path as damage that SQLite finds itself
            self._migrate(db)
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
        except sqlite3.Error as error:
            log.error("What waited in the old outbox could not be taken along (%s)", error)  # noqa: TRY400 - a line is enough
        finally:
            _close(old)
        return new

    def _migrate(self, db: sqlite3.Connection) -> None:
        newest = len(self._migrations)
        if _version(db) == newest:
            return
        db.execute("BEGIN IMMEDIATE")
        version = _version(db)
        if version > newest:
            raise OSError(f"written by a newer release: schema {version}, this one knows {newest}")
        for script in self._migrations[version:]:
            for statement in script.split(";\n"):
                db.execute(statement)
        db.execute(f"PRAGMA user_version={newest}")
        db.execute("COMMIT")

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


def _file_id(path: Path) -> _FileId | None:
    """What tells a file from another of the same name; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, and this is done for each commit
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _is_damaged(error: Exception) -> bool:
    """Whether the file is not, or no longer, a database: SQLite raises exactly this class for nothing else."""
    return type(error) is sqlite3.DatabaseError


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; the lock goes with its holder."""
    with path.open("w") as file:
        if fcntl is not None:  # pragma: no branch - Windows
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
