"""Connection to PostgreSQL that the threads of one process take turns with: transactions, time limits, forks."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, TypeVar

import psycopg

from tiktok_middleware.delivery.outbox.postgres.address import PostgresAddress
from tiktok_middleware.delivery.outbox.postgres.limited import LimitedConnection
from tiktok_middleware.delivery.outbox.postgres.migrate import applied, migrate
from tiktok_middleware.delivery.outbox.postgres.running import begin_lock
from tiktok_middleware.delivery.outbox.postgres.schema import SCRIPTS, in_schema
from tiktok_middleware.delivery.process.threads import native_lock
from tiktok_middleware.errors import OutboxError

__all__ = ["BusyError", "Connection", "Db", "LostRaceError", "Query"]

Db = LimitedConnection
Query = bytes
_Row = tuple[Any, ...]
_T = TypeVar("_T")

_RETRIED = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
_LOCK_MS = 100
_READ_LOCK_MS = 1000
_MARGIN_S = 1.0  # the server's own limit ends a statement before we close its connection
_MIGRATE_S = 60.0
_CLOSE_S = 0.2
# Whether another transaction of this database may still need rows that were removed before now.
_OLD_ROWS_NEEDED = b"""SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
    AND pid <> pg_backend_pid() AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
    AND xact_start < now() - interval '1 second')"""
_OPEN = (psycopg.pq.TransactionStatus.INTRANS, psycopg.pq.TransactionStatus.INERROR)
_TIMES = 3  # tries of a transaction that another one was in the way of


class LostRaceError(Exception):
    """Another transaction has committed what this one was to write: roll back and try again."""


class Connection:
    """Connection to the outbox's database; nothing is opened before the first call.

    Nothing is kept in the session, so that a pooler may give each transaction another server connection: time limits
    are set with ``SET LOCAL``, statements are not prepared, and locks end with their transaction.

    A connection must not be used on both sides of a fork. The child forgets its parent's.

    Args:
        address: the database.
        statement_ms: time limit of a statement.
        saw_clock: called with the database's time, in Unix seconds, at each transaction.
        opened: called with each new connection, before its first use.

    Attributes:
        is_direct: whether `listen` found that no pooler stands between.
    """

    def __init__(
        self,
        address: PostgresAddress,
        statement_ms: int,
        saw_clock: Callable[[float], None],
        opened: Callable[[Db], None],
    ) -> None:
        self._address = address
        self._saw_clock = saw_clock
        self._opened = opened
        self._limit_s = statement_ms / 1000 + _MARGIN_S
        self._begin = in_schema(
            f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {_LOCK_MS};"
            f" SET LOCAL statement_timeout = {statement_ms};"
            f" SET LOCAL idle_in_transaction_session_timeout = {statement_ms}; {begin_lock(address.schema)}",
            address.schema,
        )
        self._begin_read = (
            f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {_READ_LOCK_MS};"
            f" SET LOCAL statement_timeout = {statement_ms}; "
        )
        self._checks_tables = True
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = native_lock()
        self._db: Db | None = None
        self._is_closed = False
        self._heard_by: Db | None = None
        self.is_direct: bool = False

    def sql(self, text: str) -> Query:
        """Return a statement on the outbox's tables."""
        return in_schema(text, self._address.schema)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Db]:
        """Run the block in a transaction, and commit it at the end.

        Raises:
            OutboxError: the database does not answer, or refuses. Nothing was written then, unless the commit succeeded
                but its answer was lost.
            LostRaceError: the block has raised it; the transaction is rolled back.
        """
        with self._exclusive() as db:
            cursor = db.execute(self._begin)
            try:
                while cursor.nextset():
                    pass
                self._saw_clock(cursor.fetchone()[0])  # type: ignore[index]  # always one row
                yield db
            except BaseException:
                _roll_back(db)
                raise
            if db.execute(b"COMMIT").statusmessage != "COMMIT":
                raise psycopg.OperationalError("the transaction was rolled back")

    def retried(self, work: Callable[[Db], _T]) -> _T:
        """Return the result of ``work`` in a transaction; try again if another transaction was in the way.

        Raises:
            OutboxError: as for `transaction`, or others were in the way each time.
        """
        for _ in range(_TIMES - 1):
            with contextlib.suppress(LostRaceError, BusyError), self.transaction() as db:
                return work(db)
        try:
            with self.transaction() as db:
                return work(db)
        except LostRaceError:
            raise OutboxError(f"outbox {self._address.shown}: other transactions claim the same events") from None

    def read(
        self, query: Query, values: Sequence[object] | Mapping[str, object] = (), *, limit_s: float | None = None
    ) -> list[_Row]:
        """Return the rows of one query, which is sent together with its time limits and binds no prepared statement.

        Args:
            query: the query.
            values: its values.
            limit_s: time limit of this query, in seconds; None for that of all statements.

        Raises:
            OutboxError: the database does not answer, or refuses.
        """
        with self._exclusive() as db:
            bound = psycopg.ClientCursor(db).mogrify(query, values) if values else query.decode()
            begin = self._begin_read
            if limit_s is not None:
                begin += f"SET LOCAL statement_timeout = {int(limit_s * 1000)}; "
                db.limit_s = limit_s + _MARGIN_S
            try:
                cursor = db.execute(f"{begin}{bound}; COMMIT".encode())
            except psycopg.Error:
                _roll_back(db)
                raise
            finally:
                db.limit_s = self._limit_s
            rows: list[_Row] = []
            while cursor.nextset():
                if cursor.description:
                    rows = cursor.fetchall()
            return rows

    def ensure_open(self) -> None:
        """Open the connection if it is not open, so that the database's clock is known."""
        with self._exclusive():
            pass

    def migrate(self, work: Callable[[Db, str], int]) -> int:
        """Run ``work`` with the connection and the schema on a connection that checks no tables; return its result."""
        self._checks_tables = False
        try:
            with self._exclusive() as db:
                db.limit_s = _MIGRATE_S
                return work(db, self._address.schema)
        finally:
            self._checks_tables = True
            self.close()
            self._is_closed = False

    def vacuum(self, tables: Sequence[str]) -> bool:
        """Vacuum tables; return False if this role may not, or a transaction that is open keeps old rows.

        Each table's own setting says whether it is truncated, since that locks it exclusively.
        """
        try:
            with self._exclusive() as db:
                db.limit_s = inf
                for table in tables:
                    db.execute(self.sql(f"VACUUM {{schema}}.{table}"))
                db.limit_s = self._limit_s
                row = db.execute(_OLD_ROWS_NEEDED).fetchone()
        except OutboxError:
            return False
        return row is not None and not row[0]

    def listen(self, channel: str, timeout_s: float) -> bool:
        """Wait until somebody notifies ``channel``; return False if nobody does within ``timeout_s`` seconds.

        Behind a pooler, which gives each transaction another session, nobody can be heard: return False at once.
        """
        with self._exclusive() as db:
            if self._heard_by is not db:
                row = db.execute("SELECT pg_backend_pid()").fetchone()
                self.is_direct = row is not None and row[0] == db.info.backend_pid
                if self.is_direct:
                    db.execute(f'LISTEN "{channel}"'.encode())
                self._heard_by = db
            return self.is_direct and any(True for _ in db.notifies(timeout=timeout_s, stop_after=1))

    def close(self) -> None:
        """Close the connection; one that another thread waits at is closed when that wait ends.

        A later call opens its own.
        """
        if self._pid != os.getpid():
            self._forget()
        self._is_closed = True
        if self._lock.acquire(timeout=_CLOSE_S):
            try:
                self._disconnect()
            finally:
                self._lock.release()

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[Db]:
        """Lock the connection for the block; close it if the database or the network failed.

        Raises:
            OutboxError: the database failed, or another thread's call hangs.
        """
        if self._pid != os.getpid():
            self._forget()
        lock = self._lock
        if not lock.acquire(timeout=self._limit_s):
            raise OutboxError(f"outbox {self._address.shown}: an earlier call has no answer yet")
        try:
            yield self._db or self._open()
        except LostRaceError:
            raise
        except Exception as error:
            self._raise_ours(error)
            raise
        finally:
            if self._is_closed or not self._address.is_kept() or (self._db is not None and not _is_idle(self._db)):
                self._disconnect()
            lock.release()

    def _raise_ours(self, error: Exception) -> None:
        """Raise our own error for one of PostgreSQL's, after closing a connection that may be broken."""
        shown = self._address.shown
        if isinstance(error, _RETRIED):
            raise BusyError(f"outbox {shown}: {_first_line(error)}") from error
        if isinstance(error, (psycopg.DataError, UnicodeError)):
            # Trying again would not help, so this is no `OutboxError`.
            raise ValueError(f"PostgreSQL cannot store a value: {type(error).__name__}") from error  # noqa: TRY004
        if isinstance(error, (psycopg.Error, OSError)) and not isinstance(error, OutboxError):
            self._disconnect()
            raise OutboxError(f"outbox {shown}: {_first_line(error)}") from error

    def _open(self) -> Db:
        db = LimitedConnection.connect(**self._address.parameters, autocommit=True, prepare_threshold=None)  # type: ignore[arg-type]
        try:
            schema = self._address.schema
            db.limit_s = self._limit_s
            if not self._checks_tables:
                self._db = db
                return db
            with self._limits(db):
                is_old = applied(db, schema) < len(SCRIPTS)
            if is_old:
                db.limit_s = _MIGRATE_S
                migrate(db, schema)
                db.limit_s = self._limit_s
            with self._limits(db):
                row = db.execute(in_schema("SELECT {schema}.clock()", schema)).fetchone()
                self._saw_clock(row[0] if row else time.time())
                self._opened(db)
        except BaseException:
            db.close()
            raise
        self._db = db
        return db

    @contextlib.contextmanager
    def _limits(self, db: Db) -> Iterator[None]:
        """Set time limits for the statements of the block, which are one transaction."""
        db.execute(self._begin_read.encode())
        yield
        db.execute(b"COMMIT")

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        self._heard_by = None
        self.is_direct = False
        if db is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                db.close()

    def _forget(self) -> None:
        if self._db is not None:
            _inherited.append(self._db)  # closing it here would end the parent's session
        self._reset()


class BusyError(OutboxError):
    """Another transaction holds a lock for longer than we wait."""


_inherited: list[Db] = []


def _is_idle(db: Db) -> bool:
    return db.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def _roll_back(db: Db) -> None:
    """Roll back the transaction, unless its connection is broken or waits for an answer."""
    if db.info.transaction_status in _OPEN:
        with contextlib.suppress(psycopg.Error):
            db.execute(b"ROLLBACK")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
