"""The app's own connections, of every kind that ``track(connection=)`` takes, with one table of orders."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg

KINDS = (
    "psycopg",
    "psycopg-cursor",
    "psycopg-autocommit",
    "psycopg-pipeline",
    "psycopg2",
    "connection-psycopg",
    "connection-psycopg2",
    "session-psycopg",
    "session-psycopg2",
    "scoped-session",
)


class Database(NamedTuple):
    """A connection of the app within a transaction.

    Attributes:
        given: what the app passes to ``track(connection=)``.
        execute: executes a statement in the transaction.
        commit: commits the transaction.
        rollback: rolls it back.
    """

    given: Any
    execute: Callable[[str], Any]
    commit: Callable[[], Any]
    rollback: Callable[[], Any]


@contextmanager
def database(url: str, kind: str) -> Iterator[Database]:
    """Yield a connection of a kind; each of its transactions begins with its first statement."""
    if kind.startswith("psycopg2"):
        raw = importlib.import_module("psycopg2").connect(url)
        try:
            yield Database(raw, raw.cursor().execute, raw.commit, raw.rollback)
        finally:
            raw.close()
    elif kind.startswith("psycopg"):
        with _psycopg(url, kind) as made:
            yield made
    else:
        with _alchemy(url, kind) as made:
            yield made


@contextmanager
def _psycopg(url: str, kind: str) -> Iterator[Database]:
    with psycopg.connect(url, autocommit=kind.endswith("autocommit")) as raw:

        def execute(sql: str) -> None:
            if raw.autocommit and raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                raw.execute(b"BEGIN")
            raw.execute(sql.encode())

        def end(word: bytes) -> Callable[[], Any]:
            return lambda: raw.execute(word)

        given = raw.cursor() if kind.endswith("cursor") else raw
        commit = end(b"COMMIT") if raw.autocommit else raw.commit
        rollback = end(b"ROLLBACK") if raw.autocommit else raw.rollback
        if kind.endswith("pipeline"):
            with raw.pipeline():
                yield Database(given, execute, commit, rollback)
        else:
            yield Database(given, execute, commit, rollback)


@contextmanager
def _alchemy(url: str, kind: str) -> Iterator[Database]:
    # Imported here: a host that uses none of it starts sooner.
    import sqlalchemy
    from sqlalchemy import orm

    driver = "psycopg2" if kind.endswith("psycopg2") else "psycopg"
    engine = sqlalchemy.create_engine(url.replace("postgresql://", f"postgresql+{driver}://"))
    made: Any
    if kind.startswith("connection"):
        made = engine.connect()
    elif kind.startswith("scoped"):
        made = orm.scoped_session(orm.sessionmaker(engine))
    else:
        made = orm.Session(engine)
    try:
        yield Database(made, lambda sql: made.execute(sqlalchemy.text(sql)), made.commit, made.rollback)
    finally:
        made.close()
        engine.dispose()
