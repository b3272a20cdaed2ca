"""Write a draft with a connection of the app, within a savepoint of its open transaction.

Each kind of connection is recognised by the names of its classes, so that no library of the app is imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from psycopg import ClientCursor, pq
from psycopg.errors import InFailedSqlTransaction
from psycopg.rows import tuple_row

from tiktok_middleware.delivery.outbox.postgres.draft_sql import PERCENT, DraftSql, style_of

__all__ = ["ALLOWED_CONNECTIONS", "AppConnection", "read_connection"]

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


def _has_failed_before(error: BaseException) -> bool:
    causes = [error, error.__cause__, getattr(error, "orig", None)]
    return any(type(cause).__name__ in _FAILED_BEFORE for cause in causes)


def _psycopg(connection: Any, draft: DraftSql) -> int:
    """One round trip within a transaction: the statements are sent together, with the values in their text."""
    status = connection.info.transaction_status
    if status == pq.TransactionStatus.INERROR:
        raise InFailedSqlTransaction
    sql, values = draft.in_style(PERCENT)
    if connection.pgconn.pipeline_status != pq.PipelineStatus.OFF:
        with connection.transaction():
            return int(connection.execute(sql, values).rowcount)
    cursor: Any = ClientCursor(connection, row_factory=tuple_row)
    with cursor:
        if connection.autocommit and status == pq.TransactionStatus.IDLE:
            return int(cursor.execute(sql, values).rowcount)
        try:
            cursor.execute(f"{_SAVE}; {sql}; {_KEEP}", values)
        except Exception:
            if not connection.closed:
                connection.execute(f"{_UNDO}; {_KEEP}")
            raise
        cursor.nextset()
        return int(cursor.rowcount)


def _psycopg_cursor(cursor: Any, draft: DraftSql) -> int:
    return _psycopg(cursor.connection, draft)


def _psycopg2(connection: Any, draft: DraftSql) -> int:
    with connection.cursor() as cursor:
        return _three_trips(cursor, draft, is_alone=connection.autocommit)


def _three_trips(cursor: Any, draft: DraftSql, *, is_alone: bool) -> int:
    """Three round trips, or one without a transaction."""
    sql, values = draft.in_style(PERCENT)
    if is_alone:
        cursor.execute(sql, values)
        return int(cursor.rowcount)
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
    if getattr(connection.connection.dbapi_connection, "autocommit", False) is True:
        return int(connection.exec_driver_sql(sql, values).rowcount)
    with connection.begin_nested():
        return int(connection.exec_driver_sql(sql, values).rowcount)


def _session(session: Any, draft: DraftSql) -> int:
    return _alchemy(session.connection(), draft)


def _django(connection: Any, draft: DraftSql) -> int:
    """Go around Django's cursor: it would count our statements among the app's, and mark its transaction as broken."""
    connection.validate_no_broken_transaction()
    with connection.cursor() as cursor:
        return _three_trips(
            cursor.cursor, draft, is_alone=not connection.in_atomic_block and connection.get_autocommit()
        )


_KINDS: dict[tuple[str, str], WriteDraft] = {
    ("psycopg", "Connection"): _psycopg,
    ("psycopg", "Cursor"): _psycopg_cursor,
    ("psycopg2", "connection"): _psycopg2,
    ("sqlalchemy", "Connection"): _alchemy,
    ("sqlalchemy", "Session"): _session,
    ("sqlalchemy", "scoped_session"): _session,
    ("django", "BaseDatabaseWrapper"): _django,
    ("django", "ConnectionProxy"): _django,
}
