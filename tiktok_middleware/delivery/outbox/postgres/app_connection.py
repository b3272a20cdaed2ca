"""Write a draft with a connection of the app, within a savepoint of its open transaction.

Each kind of connection is recognised by the names of its classes, so that no library of the app is imported here.

Where no transaction is open, nothing is written: what was executed before is committed, and a transaction that we began
would be rolled back when the app closes the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from psycopg import ClientCursor, pq
from psycopg.errors import InFailedSqlTransaction
from psycopg.rows import tuple_row

from tiktok_middleware.delivery.outbox.postgres.draft_sql import PERCENT, DraftSql, style_of

__all__ = ["ALLOWED_CONNECTIONS", "AppConnection", "read_connection", "refusal_of"]

ALLOWED_CONNECTIONS = (
    "a psycopg connection, an SQLAlchemy Session or Connection, or Django's connection; async code awaits"
    " client.insert_statement(event)"
)

_SAVE = "SAVEPOINT tiktok_draft"
_KEEP = "RELEASE SAVEPOINT tiktok_draft"
_UNDO = "ROLLBACK TO SAVEPOINT tiktok_draft"
#: Errors that say that the app's transaction had failed before.
_FAILED_BEFORE = frozenset({"InFailedSqlTransaction", "PendingRollbackError", "TransactionManagementError"})

WriteDraft = Callable[[Any, DraftSql], int]


class _NoTransactionError(Exception):
    """No transaction is open on the connection."""


class _BusyConnectionError(Exception):
    """The connection executes another command."""


class AppConnection(NamedTuple):
    """A connection of the app.

    Attributes:
        raw: the connection.
        insert: inserts a draft within a savepoint, and returns the number of inserted rows.
    """

    raw: Any
    insert: WriteDraft

    def write(self, draft: DraftSql) -> tuple[str, BaseException | None]:
        """Insert a draft; return a reason code if that failed, else "", and the error if there was one.

        The app's transaction is as usable afterwards as before.
        """
        try:
            rows = self.insert(self.raw, draft)
        except _NoTransactionError:
            return "no_transaction", None
        except Exception as error:  # noqa: BLE001  # any error of any driver; the app must not see it
            return ("rolled_back" if _has_failed_before(error) else "draft_failed"), error
        return ("" if rows else "draft_failed"), None


def read_connection(connection: object) -> AppConnection | None:
    """Return a connection of the app; None if it is of a kind that cannot be used."""
    names = {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(connection).__mro__}
    for name, insert in _KINDS.items():
        if name in names:
            return AppConnection(connection, insert)
    return None


def refusal_of(connection: object) -> str:
    """Return which connections are allowed instead of this one; empty if it can be used."""
    app = read_connection(connection)
    if app is None:
        return ALLOWED_CONNECTIONS
    try:
        kind = _database_of(app.raw)
    except Exception:  # noqa: BLE001  # whatever is wrong with it, writing the draft finds out
        return ""
    return "" if kind == "postgresql" else f"{ALLOWED_CONNECTIONS}, of PostgreSQL; this one is of {kind[:50]}"


def _database_of(raw: Any) -> str:
    """Return the kind of database that a connection leads to; psycopg has no other than PostgreSQL."""
    get_bind = getattr(raw, "get_bind", None)
    dialect = getattr(get_bind() if get_bind is not None else raw, "dialect", None)
    return str(dialect.name if dialect is not None else getattr(raw, "vendor", "postgresql"))


def _has_failed_before(error: BaseException) -> bool:
    causes = [error, error.__cause__, getattr(error, "orig", None)]
    return any(type(cause).__name__ in _FAILED_BEFORE for cause in causes)


def _psycopg(connection: Any, draft: DraftSql) -> int:
    """One round trip within a transaction: the statements are sent together, with the values in their text."""
    sql, values = draft.in_style(PERCENT)
    status = connection.info.transaction_status
    if connection.pgconn.pipeline_status != pq.PipelineStatus.OFF:  # a later status is known only after it
        if status == pq.TransactionStatus.INERROR:
            raise InFailedSqlTransaction
        with connection.transaction():
            return int(connection.execute(sql, values).rowcount)
    _check_status(status)
    cursor: Any = ClientCursor(connection, row_factory=tuple_row)
    with cursor:
        try:
            cursor.execute(f"{_SAVE}; {sql}; {_KEEP}", values)
        except Exception:
            if not connection.closed:
                cursor.execute(f"{_UNDO}; {_KEEP}")  # such a cursor never prepares, which two statements cannot be
            raise
        cursor.nextset()
        return int(cursor.rowcount)


def _psycopg_cursor(cursor: Any, draft: DraftSql) -> int:
    return _psycopg(cursor.connection, draft)


def _psycopg2(connection: Any, draft: DraftSql) -> int:
    if connection.async_:
        raise _BusyConnectionError("the connection is asynchronous: await client.insert_statement(event)")
    if not connection.closed:
        _check_status(connection.get_transaction_status())
    with connection.cursor() as cursor:
        return _three_trips(cursor, draft)


def _psycopg2_cursor(cursor: Any, draft: DraftSql) -> int:
    return _psycopg2(cursor.connection, draft)


def _check_status(status: int) -> None:
    """Raise an error if a draft cannot be written now; the numbers are libpq's, in both versions of psycopg."""
    if status == pq.TransactionStatus.IDLE:
        raise _NoTransactionError
    if status == pq.TransactionStatus.INERROR:
        raise InFailedSqlTransaction
    if status == pq.TransactionStatus.ACTIVE:  # to wait for it could last for ever
        raise _BusyConnectionError("the connection executes another command, such as COPY or stream()")


def _three_trips(cursor: Any, draft: DraftSql) -> int:
    """Three round trips."""
    sql, values = draft.in_style(PERCENT)
    cursor.execute(_SAVE)
    try:
        cursor.execute(sql, values)
        rows = int(cursor.rowcount)
    except Exception:
        cursor.execute(_UNDO)
        cursor.execute(_KEEP)
        raise
    cursor.execute(_KEEP)
    return rows


def _alchemy(connection: Any, draft: DraftSql) -> int:
    """Three round trips. Nothing of a session is flushed: the connection itself executes the statements."""
    sql, values = draft.in_style(style_of(connection.dialect.paramstyle))
    raw = connection.connection.dbapi_connection
    if not connection.in_transaction() or _commits_each_statement(raw):
        raise _NoTransactionError
    with connection.begin_nested():
        return int(connection.exec_driver_sql(sql, values).rowcount)


def _commits_each_statement(raw: Any) -> bool:
    """Return whether a driver's connection is in autocommit mode, and outside of a transaction as far as it tells."""
    if getattr(raw, "autocommit", False) is not True:
        return False
    status = getattr(getattr(raw, "info", None), "transaction_status", pq.TransactionStatus.IDLE)
    return bool(status == pq.TransactionStatus.IDLE)


def _scoped_session(scoped: Any, draft: DraftSql) -> int:
    return _session(scoped(), draft)


def _session(session: Any, draft: DraftSql) -> int:
    if not session.in_transaction():
        raise _NoTransactionError
    return _alchemy(session.connection(), draft)


def _django(connection: Any, draft: DraftSql) -> int:
    """Go around Django's cursor: it would count our statements among the app's, and mark its transaction as broken."""
    connection.validate_no_broken_transaction()
    if not connection.in_atomic_block and connection.get_autocommit():
        raise _NoTransactionError
    with connection.cursor() as cursor:
        return _three_trips(cursor.cursor, draft)


_KINDS: dict[tuple[str, str], WriteDraft] = {
    ("psycopg", "Connection"): _psycopg,
    ("psycopg", "Cursor"): _psycopg_cursor,
    ("psycopg2", "connection"): _psycopg2,
    ("psycopg2", "cursor"): _psycopg2_cursor,
    ("sqlalchemy", "Connection"): _alchemy,
    ("sqlalchemy", "Session"): _session,
    ("sqlalchemy", "scoped_session"): _scoped_session,
    ("django", "BaseDatabaseWrapper"): _django,
    ("django", "ConnectionProxy"): _django,
}
