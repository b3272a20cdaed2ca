"""A search for due rows does not read what has gone, and misses nothing that is committed late."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.delivery.delivery_world import PIXEL, record, submissions, wait_until
from tests.postgres_world import Postgres
from tiktok_middleware.core.events.sources import SOURCES
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.postgres.connection import Connection
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.delivery.outbox.postgres.queues import Queue
from tiktok_middleware.delivery.outbox.postgres.rows import NewRow, insert

pytestmark = pytest.mark.postgres


@pytest.fixture
def outbox(postgres: Postgres) -> Iterator[PostgresOutbox]:
    with postgres.schema() as url:
        outbox = PostgresOutbox(url, pixels=[PIXEL], sends=[PIXEL])
        yield outbox
        outbox.close()


def lease(outbox: PostgresOutbox, limit: int = 1000) -> list[LeasedRecord]:
    return outbox.lease("a", limit, limit_bytes=10**6, for_s=60)


def cycle(outbox: PostgresOutbox, rows: int) -> float:
    """Rows come, are leased and go; seconds that the lease took."""
    outbox.put(submissions(rows, f"{time.monotonic()}", event_time=time.time()))
    began = time.perf_counter()
    leased = lease(outbox)
    took_s = time.perf_counter() - began
    assert outbox.ack("a", leased) == len(leased)
    return took_s


def floor(outbox: PostgresOutbox) -> int:
    return outbox._due_rows.floors(Queue(PIXEL, "web")).id


def test_floors_follow_the_rows_while_another_transaction_stays_open(
    postgres: Postgres, outbox: PostgresOutbox
) -> None:
    with psycopg.connect(postgres.url()) as other:
        other.execute("SELECT txid_current()")
        end = time.monotonic() + 30
        while floor(outbox) < 100 and time.monotonic() < end:
            cycle(outbox, 20)
    assert floor(outbox) >= 100


def test_a_row_that_is_committed_late_is_leased(outbox: PostgresOutbox) -> None:
    """Its number is lower than those of rows that have come and gone meanwhile."""
    late = threading.Event()
    ready = threading.Event()

    def slow_put() -> None:
        # Without this time limit a busy machine would end the transaction.
        connection = Connection(outbox._store.requests._address, 60_000, lambda _: None, lambda _: None)
        with connection.transaction() as db:
            row = NewRow(record("late", event_time=time.time()), time.time())
            insert(connection, db, "production", [row], b"")
            ready.set()
            assert late.wait(50)
        connection.close()

    other = PostgresOutbox(outbox_url(outbox), pixels=[PIXEL], sends=[PIXEL])
    thread = threading.Thread(target=slow_put)
    outbox.counts()  # makes the tables
    thread.start()
    assert ready.wait(30)
    for _ in range(8):
        cycle(other, 5)
        time.sleep(0.05)
    assert floor(other) < 1, "the number of the late row"
    late.set()
    thread.join(30)
    assert wait_until(lambda: [row.record.event_id for row in lease(other)] == ["late"])
    other.close()


def outbox_url(outbox: PostgresOutbox) -> str:
    given = outbox._store.requests._address.parameters
    return (
        f"postgresql://{given['user']}@{given['host']}:{given['port']}/{given['dbname']}?schema={outbox._store.schema}"
    )


def test_a_search_reads_no_leases_that_have_gone(postgres: Postgres, outbox: PostgresOutbox) -> None:
    """Their index entries stay while another transaction is open, at times a little later than now."""
    with psycopg.connect(postgres.url()) as other:
        other.execute("SELECT txid_current()")
        for _ in range(10):
            cycle(outbox, 500)
        assert wait_until(lambda: not lease(outbox) and floor(outbox) >= outbox.last_id(), 30)
        queues = outbox._due_rows._queues
        sql, values = queues.first([Queue(PIXEL, "web")], time.time())
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}"
        with outbox._store.relay.transaction() as db:
            [[[found]]] = db.execute(outbox._store.relay.sql(explain), values)
    blocks = found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]
    assert blocks < 100, "one search read thousands of rows that have gone"


def test_all_event_sources_are_searched(outbox: PostgresOutbox) -> None:
    for source in SOURCES:
        outbox.put(submissions(1, source, source=source, event_time=time.time()))
    leased = [row.record.source for _ in SOURCES for row in lease(outbox)]
    assert sorted(leased) == sorted(SOURCES)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_million_rows_under_an_open_transaction_do_not_slow_leases_down(
    postgres: Postgres, outbox: PostgresOutbox
) -> None:
    """Beside an outbox whose tables are empty, in turns, so that a busy machine slows both down."""
    with postgres.schema() as url, psycopg.connect(postgres.url()) as other:
        fresh = PostgresOutbox(url, pixels=[PIXEL], sends=[PIXEL])
        fresh.counts()
        other.execute("SELECT txid_current()")
        for _ in range(1000):
            cycle(outbox, 1000)
        pairs = [(cycle(fresh, 1000), cycle(outbox, 1000)) for _ in range(40)]
        fresh.close()
    before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"a lease of 1,000 rows: {before * 1000:.1f} ms, after a million rows {after * 1000:.1f} ms")
    assert after < 2 * before
