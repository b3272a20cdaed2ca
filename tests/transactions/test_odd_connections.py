"""``connection=`` gets something odd: no conversion is lost, no transaction of the app is harmed, and a line says why."""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock

import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import create_async_engine

from tests.contrib.shared import sent
from tests.postgres_world import Postgres
from tests.transactions.databases import KINDS, database
from tests.transactions.shop import drafts, shop_client, visit
from tiktok_middleware import Client, EventError

pytestmark = pytest.mark.postgres

PURCHASE: dict[str, Any] = {"order_id": "A-1", "value": 5, "currency": "EUR"}
ORDER = "INSERT INTO orders VALUES ('A-1')"
psycopg2: Any = importlib.import_module("psycopg2")
COUNTED = ("draft_failed", "no_transaction", "invalid", "rolled_back")


@pytest.fixture(scope="module")
def lenient(url: str, shop: Client) -> Iterator[Client]:
    """A client as in production, which logs what the other one raises."""
    made = shop_client(url, strict=False)
    made.start()
    yield made
    made.close(5)


def tracked(client: Client, given: Any, **more: Any) -> dict[str, int]:
    """Track a purchase with a connection; return what was counted of the codes of this file."""
    client._log.counts.clear()
    visit(client, lambda tracker: tracker.track("Purchase", connection=given, **{**PURCHASE, **more}) and None)
    counts = client.stats()["counts"]
    return {code: counts[code] for code in COUNTED if counts.get(code)}


# Connections of a kind that cannot be used


class Named:
    """A class that has the name of another one."""


Named.__name__ = "Connection"


@contextmanager
def engine(postgres: Postgres, driver: str = "psycopg") -> Iterator[Any]:
    made = sqlalchemy.create_engine(postgres.url().replace("postgresql:", f"postgresql+{driver}:"))
    yield made
    made.dispose()


async def opened(postgres: Postgres) -> Any:
    async with await psycopg.AsyncConnection.connect(postgres.url()) as made:
        return made


async def opened_by_asyncpg(postgres: Postgres) -> Any:
    made = await asyncpg.connect(postgres.url())
    await made.close()
    return made


REFUSED: dict[str, Callable[[Postgres], Any]] = {
    "Engine": lambda postgres: sqlalchemy.create_engine(postgres.url().replace(":", "+psycopg:", 1)),
    "sessionmaker": lambda _: orm.sessionmaker(),
    "AsyncEngine": lambda postgres: create_async_engine(postgres.url().replace(":", "+asyncpg:", 1)),
    "AsyncConnection": lambda postgres: create_async_engine(postgres.url().replace(":", "+asyncpg:", 1)).connect(),
    "asyncpg": lambda postgres: asyncio.run(opened_by_asyncpg(postgres)),
    "psycopg-async": lambda postgres: asyncio.run(opened(postgres)),
    "psycopg-class": lambda _: psycopg.Connection,
    "sqlite3": lambda _: sqlite3.connect(":memory:"),
    "url": lambda postgres: postgres.url(),
    "alias": lambda _: "default",
    "long": lambda _: "x" * 32_768,
    "mock": lambda _: MagicMock(),
    "named": lambda _: Named(),
    "number": lambda _: 0,
    "bool": lambda _: False,
    "empty": lambda _: "",
    "list": lambda _: [],
    "dict": lambda _: {"connection": None},
    "function": lambda _: psycopg.connect,
    "module": lambda _: psycopg,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_connection_of_a_wrong_type_is_named_and_the_event_is_sent(
    client: Client, lenient: Client, postgres: Postgres, kind: str
) -> None:
    given = REFUSED[kind](postgres)

    def view(tracker: Any) -> None:
        with pytest.raises(
            EventError, match=r"connection .*of type .*psycopg connection, an SQLAlchemy Session"
        ) as caught:
            tracker.track("Purchase", connection=given, **PURCHASE)
        assert "async code awaits client.insert_statement(event)" in str(caught.value)
        assert len(str(caught.value)) < 400

    visit(client, view)
    assert sent(client) == []
    assert tracked(lenient, given) == {"invalid": 1}
    assert len(sent(lenient)) == 1
    if isinstance(given, sqlite3.Connection):
        given.close()


def test_sqlalchemy_of_another_database_is_named(client: Client, lenient: Client) -> None:
    made = sqlalchemy.create_engine("sqlite://")
    with orm.Session(made) as session, made.connect() as connection:
        for given in (session, connection):
            given.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS orders (id text)"))
            with pytest.raises(EventError, match="of PostgreSQL; this one is of sqlite"), client.tracker() as tracker:
                tracker.track("Purchase", connection=given, **PURCHASE)
            given.rollback()
        assert tracked(lenient, session) == {"invalid": 1}
    made.dispose()
    assert len(sent(lenient)) == 1


# Connections of a right kind in a state that does not do


def closed(connection: Any) -> Any:
    connection.close()
    return connection


STATES: dict[str, tuple[str, Callable[[Postgres], Any]]] = {
    "psycopg closed": ("draft_failed", lambda postgres: closed(psycopg.connect(postgres.url()))),
    "psycopg2 closed": ("draft_failed", lambda postgres: closed(psycopg2.connect(postgres.url()))),
    "psycopg idle": ("no_transaction", lambda postgres: psycopg.connect(postgres.url())),
    "psycopg autocommit": ("no_transaction", lambda postgres: psycopg.connect(postgres.url(), autocommit=True)),
    "psycopg cursor idle": ("no_transaction", lambda postgres: psycopg.connect(postgres.url()).cursor()),
    "psycopg2 idle": ("no_transaction", lambda postgres: psycopg2.connect(postgres.url())),
    "psycopg2 cursor idle": ("no_transaction", lambda postgres: psycopg2.connect(postgres.url()).cursor()),
}


@pytest.mark.parametrize("state", STATES)
def test_connection_in_a_wrong_state_costs_no_conversion(
    client: Client, postgres: Postgres, url: str, state: str
) -> None:
    code, make = STATES[state]
    given = make(postgres)
    assert tracked(client, given) == {code: 1}
    assert len(sent(client)) == 1
    assert drafts(postgres, url) == 0
    raw = getattr(given, "connection", given)
    if not raw.closed:
        assert raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        raw.close()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "psycopg-pipeline"])
def test_event_that_is_tracked_after_the_commit_is_sent(client: Client, postgres: Postgres, kind: str) -> None:
    with database(postgres.url(), kind) as app:
        app.execute(ORDER)
        app.commit()
        assert tracked(client, app.given) == {"no_transaction": 1}
        app.rollback()  # as when it is closed
    assert len(sent(client)) == 1


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("kind", ["connection", "session"])
def test_sqlalchemy_in_autocommit_mode_has_no_transaction(
    client: Client, postgres: Postgres, kind: str, driver: str
) -> None:
    with engine(postgres, driver) as made, made.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        given = connection if kind == "connection" else orm.Session(connection)
        given.execute(sqlalchemy.text(ORDER))
        assert tracked(client, given) == {"no_transaction": 1}
        given.close()
    assert len(sent(client)) == 1


def test_sqlalchemy_that_is_closed_or_has_no_bind_costs_no_conversion(client: Client, postgres: Postgres) -> None:
    with engine(postgres) as made:
        connection = made.connect()
        connection.close()
        session = orm.Session(made)
        session.close()
        unbound = orm.Session()
        unbound.begin()
        assert tracked(client, connection) == {"draft_failed": 1}
        assert tracked(client, session, order_id="A-2") == {"no_transaction": 1}
        assert tracked(client, unbound, order_id="A-3") == {"draft_failed": 1}
    assert len(sent(client)) == 3


def test_connection_that_runs_another_command_is_not_waited_for(client: Client, postgres: Postgres) -> None:
    with psycopg.connect(postgres.url()) as db:
        db.execute("CREATE TEMPORARY TABLE copied (id text)")
        with db.cursor().copy("COPY copied FROM STDIN") as copy:
            copy.write("1\n")
            assert tracked(client, db) == {"draft_failed": 1}
            copy.write("2\n")
        [row] = db.execute("SELECT count(*) FROM copied").fetchall()
        assert row == (2,)
        rows = db.cursor().stream("SELECT generate_series(1, 3)")
        next(rows)
        assert tracked(client, db, order_id="A-2") == {"draft_failed": 1}
        assert len(list(rows)) == 2
    assert len(sent(client)) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threshold", [0, 5])
def test_insert_may_fail_often_on_one_connection(
    client: Client, postgres: Postgres, url: str, kind: str, threshold: int
) -> None:
    """A driver prepares what it has executed several times."""
    schema = url.rpartition("schema=")[2]
    postgres.execute(f"ALTER TABLE {schema}.draft ADD CONSTRAINT broken CHECK (due < 0)")
    try:
        with database(postgres.url(), kind) as app:
            if isinstance(app.given, psycopg.Connection):
                app.given.prepare_threshold = threshold
            for number in range(8):
                app.execute(f"INSERT INTO orders VALUES ('{number}')")
                assert tracked(client, app.given, order_id=str(number)) == {"draft_failed": 1}
                app.execute(f"INSERT INTO orders VALUES ('{number} and more')")
                app.commit()
    finally:
        postgres.execute(f"ALTER TABLE {schema}.draft DROP CONSTRAINT broken")
    assert len(postgres.execute("SELECT id FROM orders")) == 16
    assert len(sent(client)) == 8


@pytest.mark.parametrize("driver", [psycopg, psycopg2])
def test_explicit_transaction_in_autocommit_mode_survives_a_failed_insert(
    client: Client, postgres: Postgres, url: str, driver: Any
) -> None:
    schema = url.rpartition("schema=")[2]
    postgres.execute(f"ALTER TABLE {schema}.draft ADD CONSTRAINT broken CHECK (due < 0)")
    try:
        db = driver.connect(postgres.url())
        db.autocommit = True
        cursor = db.cursor()
        cursor.execute("BEGIN")
        cursor.execute(ORDER)
        assert tracked(client, cursor) == {"draft_failed": 1}
        cursor.execute("COMMIT")
        db.close()
    finally:
        postgres.execute(f"ALTER TABLE {schema}.draft DROP CONSTRAINT broken")
    assert postgres.execute("SELECT id FROM orders") == [("A-1",)]
    assert len(sent(client)) == 1


def test_read_only_transaction_stays_usable(client: Client, postgres: Postgres) -> None:
    with psycopg.connect(postgres.url()) as db:
        db.read_only = True
        db.execute("SELECT 1")
        assert tracked(client, db) == {"draft_failed": 1}
        assert db.execute("SELECT 2").fetchall() == [(2,)]
    assert len(sent(client)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_event_of_32_kb_joins_the_transaction(client: Client, postgres: Postgres, kind: str) -> None:
    odd = "é\\'\"%s $1 :ref {schema} \x01"
    contents = [{"content_id": f"{odd}{number}", "content_name": "x" * 300, "quantity": 1} for number in range(100)]
    large: dict[str, Any] = {"contents": contents}
    with database(postgres.url(), kind) as app:
        app.execute(ORDER)
        tracked(client, app.given, **large)
        app.rollback()
        assert sent(client) == []
        app.execute(ORDER)
        assert tracked(client, app.given, **large).get("draft_failed") is None
        app.commit()
    assert len(sent(client)) == 1


def test_connection_of_a_role_without_rights_costs_no_conversion(
    client: Client, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    postgres.execute("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN; GRANT INSERT ON orders TO clerk")
    try:
        with psycopg.connect(postgres.url(user="clerk").replace("postgres@", "clerk@").partition("?")[0]) as db:
            db.execute(ORDER)
            assert tracked(client, db) == {"draft_failed": 1}
    finally:
        postgres.execute("DROP OWNED BY clerk; DROP ROLE clerk")
    assert postgres.execute("SELECT id FROM orders") == [("A-1",)]
    assert "permission denied for schema" in caplog.text
    assert len(sent(client)) == 1
