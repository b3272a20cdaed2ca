"""``client.insert_statement(event)``: asynchronous drivers put the event into the app's own transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from tests.contrib.shared import sent
from tests.postgres_world import Postgres, free_port
from tests.transactions.asgi_visit import visit as visit_asgi
from tests.transactions.shop import Answer, drafts, settled, shop_client
from tiktok_middleware import Client, EventError, current

pytestmark = pytest.mark.postgres

#: Inserts an order and its event in one transaction, and commits it or rolls it back.
Buy = Callable[[Postgres, Client, Any, bool], Awaitable[None]]
ORDER = "INSERT INTO orders VALUES ('A-1')"


async def by_asyncpg(postgres: Postgres, client: Client, event: Any, commits: bool) -> None:
    connection = await asyncpg.connect(postgres.url())
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(ORDER)
    sql, parameters = client.insert_statement(event)
    await connection.execute(sql, *parameters)
    await (transaction.commit() if commits else transaction.rollback())
    await connection.close()


async def by_psycopg(postgres: Postgres, client: Client, event: Any, commits: bool) -> None:
    async with await psycopg.AsyncConnection.connect(postgres.url()) as connection:
        await connection.execute(ORDER.encode())
        sql, parameters = client.insert_statement(event, style="percent")
        await connection.execute(sql.encode(), list(parameters))
        await (connection.commit() if commits else connection.rollback())


def by_alchemy(driver: str) -> Buy:
    async def buy(postgres: Postgres, client: Client, event: Any, commits: bool) -> None:
        engine = create_async_engine(postgres.url().replace("postgresql://", f"postgresql+{driver}://"))
        async with engine.connect() as connection:
            await connection.execute(sqlalchemy.text(ORDER))
            sql, parameters = client.insert_statement(event, style="named")
            assert isinstance(parameters, dict)
            await connection.execute(sqlalchemy.text(sql), parameters)
            await (connection.commit() if commits else connection.rollback())
        await engine.dispose()

    return buy


BUYS = {
    "asyncpg": by_asyncpg,
    "psycopg": by_psycopg,
    "sqlalchemy-asyncpg": by_alchemy("asyncpg"),
    "sqlalchemy-psycopg": by_alchemy("psycopg_async"),
}


@pytest.fixture(params=BUYS)
def buy(request: pytest.FixtureRequest) -> Buy:
    return BUYS[request.param]


async def visit(client: Client, view: Callable[[Any], Awaitable[None]]) -> Answer:
    """Let a visitor request a page whose view gets the event that was tracked."""

    async def tracking(track: Callable[..., Any]) -> None:
        await view(track("Purchase", order_id="A-1", value=5, currency="EUR"))

    return await visit_asgi(client, tracking)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg_async"])
@pytest.mark.parametrize("commits", [True, False])
def test_async_session_passes_its_session_by_run_sync(
    client: Client, postgres: Postgres, url: str, driver: str, commits: bool
) -> None:
    async def view(_event: Any) -> None:
        engine = create_async_engine(postgres.url().replace("postgresql://", f"postgresql+{driver}://"))
        async with AsyncSession(engine) as session:
            await session.execute(sqlalchemy.text(ORDER))
            tracker = current()
            await session.run_sync(lambda one: tracker.track("Contact", value=5, currency="EUR", connection=one))
            await (session.commit() if commits else session.rollback())
        await engine.dispose()

    answer = asyncio.run(visit(client, view))
    settled(client, postgres, url)
    assert ("Contact" in [copy[0] for copy in answer.copies]) is commits
    assert ("Contact" in [server["event"] for server in sent(client)]) is commits


def test_committed_order_sends_both_copies(client: Client, postgres: Postgres, buy: Buy, url: str) -> None:
    answer = asyncio.run(visit(client, lambda event: buy(postgres, client, event, True)))
    [copy] = answer.copies
    [server] = sent(client)
    assert copy[2] == server["event_id"]
    assert drafts(postgres, url) == 0


def test_rolled_back_order_sends_nothing(client: Client, postgres: Postgres, buy: Buy, url: str) -> None:
    answer = asyncio.run(visit(client, lambda event: buy(postgres, client, event, False)))
    assert answer.copies == []
    settled(client, postgres, url)
    assert sent(client) == []


def test_statement_that_fails_does_not_abort_the_transaction(
    client: Client, postgres: Postgres, buy: Buy, url: str
) -> None:
    schema = url.rpartition("schema=")[2]
    postgres.execute(f"ALTER TABLE {schema}.draft ADD CONSTRAINT broken CHECK (due < 0)")
    try:
        asyncio.run(visit(client, lambda event: buy(postgres, client, event, True)))
    finally:
        postgres.execute(f"ALTER TABLE {schema}.draft DROP CONSTRAINT broken")
    assert postgres.execute("SELECT id FROM orders") == [("A-1",)]


def test_job_block_sends_after_the_commit(client: Client, postgres: Postgres, buy: Buy) -> None:
    async def job(commits: bool) -> None:
        async with client.tracker(ip="203.0.113.9") as tracker:
            await buy(postgres, client, tracker.track("Purchase", order_id="A-1", value=5, currency="EUR"), commits)

    asyncio.run(job(False))
    assert sent(client) == []
    asyncio.run(job(True))
    assert len(sent(client)) == 1


def test_event_that_is_not_sent_yields_a_statement_without_effect(client: Client, postgres: Postgres, url: str) -> None:
    with client.tracker(consent=False) as tracker:
        event = tracker.track("Purchase", order_id="A-1", value=5, currency="EUR")
        assert client.insert_statement(event) == ("SELECT false", ())
        assert client.insert_statement(event, style="named") == ("SELECT false", {})
    assert drafts(postgres, url) == 0


@contextlib.asynccontextmanager
async def proxied(postgres: Postgres, url: str) -> AsyncIterator[str]:
    """Yield the address of the outbox through a proxy on this event loop. A call that blocks the loop never reaches it."""

    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", postgres.port)
        tasks.update(asyncio.create_task(one) for one in (pump(reader, to_writer), pump(to_reader, writer)))

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    yield url.replace(f":{postgres.port}/", f":{server.sockets[0].getsockname()[1]}/")
    server.close()
    if tasks:
        await asyncio.wait(tasks, timeout=10)  # the client has closed its connections


@pytest.mark.parametrize("way", ["request", "job"])
@pytest.mark.parametrize("commits", [True, False])
def test_first_event_of_a_process_does_not_block_the_event_loop(
    client: Client, postgres: Postgres, url: str, way: str, commits: bool
) -> None:
    async def run() -> None:
        async with proxied(postgres, url) as address:
            cold = shop_client(address)
            if way == "request":
                await visit(cold, lambda event: by_asyncpg(postgres, cold, event, commits))
            else:
                async with cold.tracker(ip="203.0.113.9") as tracker:
                    event = tracker.track("Purchase", order_id="A-1", value=5, currency="EUR")
                    await by_asyncpg(postgres, cold, event, commits)
            await asyncio.to_thread(cold.close, 5)

    asyncio.run(run())
    settled(client, postgres, url)
    assert len(sent(client)) == commits


def test_statement_without_a_reachable_outbox_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables may not exist: the statement would abort the app's transaction."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # its event waits there
    lost = shop_client(f"postgresql://postgres@127.0.0.1:{free_port()}/postgres")

    async def view(event: Any) -> None:
        assert lost.insert_statement(event) == ("SELECT false", ())

    answer = asyncio.run(visit(lost, view))
    assert len(answer.copies) == 1
    assert lost.stats()["counts"]["draft_failed"] == 1
    lost.close(0.1)


def test_unknown_style_names_what_is_allowed(client: Client) -> None:
    with client.tracker(ip="203.0.113.9") as tracker:
        event = tracker.track("Purchase", order_id="A-1", value=5, currency="EUR")
        with pytest.raises(EventError, match="dollar, percent, named"):
            client.insert_statement(event, style="qmark")
    assert len(sent(client)) == 1
