"""No order of the app fails or waits because of us: our locks and the app's never meet, and nothing deadlocks."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from tests.contrib.shared import sent
from tests.postgres_world import Postgres
from tests.transactions.shop import shop_client, visit
from tiktok_middleware import Client
from tiktok_middleware.core.events.event import Draft, OutboxEntry
from tiktok_middleware.core.events.ids import once_event_id
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.delivery.outbox.postgres import migrate as migrating
from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin
from tiktok_middleware.delivery.outbox.postgres.connection import Db
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.delivery.outbox.postgres.schema import SCRIPTS

pytestmark = pytest.mark.postgres

_WORKERS = 16
_STOCK = 40
App = psycopg.Connection[Any]


def connect(postgres: Postgres, lock_timeout: str = "0") -> App:
    db = psycopg.connect(postgres.url(application_name="shop"))
    db.execute(f"SET lock_timeout = '{lock_timeout}'".encode())
    db.commit()
    return db


@pytest.fixture
def outbox(url: str, client: Client) -> Iterator[PostgresOutbox]:
    """The outbox of another process."""
    made = PostgresOutbox(url)
    made.read_switches()
    yield made
    made.close()


def entry(order: str, ref: str = "") -> OutboxEntry:
    draft = Draft(ref, b"[1]") if ref else None
    return OutboxEntry(once_event_id("Purchase", order), browser=True, once=True, draft=draft)


def buy(client: Client, db: App, order: str) -> list[str]:
    """Take an order whose transaction stays open; return the references in its page."""

    def view(tracker: Any) -> None:
        db.execute("INSERT INTO orders VALUES (%s)", [order])
        tracker.track("Purchase", order_id=order, value=5, currency="EUR", connection=db)

    return visit(client, view).references


# Each holds the locks of one of our transactions while the block runs.


@contextmanager
def put(outbox: PostgresOutbox, _ref: str) -> Iterator[Db]:
    with outbox._store.requests.transaction() as db:
        outbox._puts._put(db, [entry("A-1"), entry("A-2")], b"w" * 16)
        yield db


@contextmanager
def completion(outbox: PostgresOutbox, ref: str) -> Iterator[Db]:
    with outbox._store.requests.transaction() as db:
        outbox._puts._put(db, [entry("A-1", ref), entry("A-2", "f" * 32)], b"w" * 16)
        yield db


@contextmanager
def settling(outbox: PostgresOutbox, _ref: str) -> Iterator[Db]:
    values = {"environment": outbox._store.environment, "now": time.time() + 3600, "part": 200}
    with outbox._store.relay.transaction() as db:
        outbox.drafts._settle(db, values, outbox._store_drafts)
        yield db


@contextmanager
def asked_for(outbox: PostgresOutbox, ref: str) -> Iterator[Db]:
    with outbox._store.requests.transaction() as db:
        outbox.drafts._open(db, ref, outbox._store_drafts)
        yield db


OURS = [put, completion, settling, asked_for]


@pytest.mark.parametrize("ours", OURS)
def test_order_does_not_wait_for_a_transaction_of_ours(
    client: Client, outbox: PostgresOutbox, postgres: Postgres, ours: Callable[..., Any]
) -> None:
    with connect(postgres) as other, connect(postgres, "1s") as app:
        [ref] = buy(client, other, "A-0")
        other.commit()
        with ours(outbox, ref):
            for order in ("A-1", "A-2", "A-0", "A-3"):
                app.execute("INSERT INTO orders VALUES (%s)", [order])
                with client.tracker(ip="203.0.113.9") as tracker:
                    tracker.track("Purchase", order_id=order, value=5, currency="EUR", connection=app)
                    app.commit()  # a lock would end this with an error
                    assert [tracked.draft != "" for tracked in tracker.state.pending] == [True]
    assert len(postgres.execute("SELECT id FROM orders")) == 5
    assert "draft_failed" not in client.stats()["counts"]


@pytest.mark.parametrize("ours", OURS)
def test_transaction_of_ours_does_not_wait_for_an_open_order(
    client: Client, outbox: PostgresOutbox, postgres: Postgres, ours: Callable[..., Any]
) -> None:
    with connect(postgres) as app:
        [ref] = buy(client, app, "A-1")
        with ours(outbox, ref):
            pass  # our lock timeout of 100 ms would end this with an error
        assert outbox.cancel("nobody's")
        outbox.tidy()
        app.commit()
    assert len(sent(client)) <= 1


def vacuum(postgres: Postgres, url: str) -> None:
    postgres.execute(f"VACUUM {url.rpartition('schema=')[2]}.draft")


def erase(_: Postgres, url: str) -> None:
    with closing(PostgresAdmin(url, time.time)) as admin:
        assert admin.erase(Person(ip=("93.184.216.3",))).waiting == 0


@pytest.mark.parametrize("cleaned", [vacuum, erase])
def test_vacuum_of_an_empty_table_takes_no_lock_that_orders_wait_for(
    client: Client, postgres: Postgres, url: str, cleaned: Callable[[Postgres, str], None]
) -> None:
    """A vacuum that truncates a table locks it exclusively; the table of drafts is empty most of the time."""
    schema = url.rpartition("schema=")[2]
    pages = f"SELECT pg_relation_size('{schema}.draft') > 0"
    with connect(postgres) as app:
        for number in range(5):
            buy(client, app, f"A-{number}")
        app.commit()
    sent(client)
    postgres.execute(f"DELETE FROM {schema}.draft")
    cleaned(postgres, url)
    assert postgres.execute(pages) == [(True,)]


def test_tables_of_an_earlier_release_are_no_longer_truncated(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open order holds its lock on the table meanwhile, and the earlier release goes on beside this one."""
    with postgres.schema() as url, connect(postgres) as app, psycopg.connect(postgres.url(), autocommit=True) as db:
        schema = url.rpartition("schema=")[2]
        options = (
            f"SELECT 'vacuum_truncate=false' = ANY(reloptions) FROM pg_class WHERE oid = '{schema}.draft'::regclass"
        )
        with monkeypatch.context() as earlier:
            earlier.setattr(migrating, "SCRIPTS", SCRIPTS[:2])
            assert migrating.migrate(db, schema) == 2
        assert postgres.execute(options) == [(False,)]
        app.execute(f"INSERT INTO {schema}.draft VALUES ('', 'ref', 0, '')".encode())
        assert migrating.migrate(db, schema) == len(SCRIPTS) - 2
        assert postgres.execute(options) == [(True,)]
        assert app.execute(f"SELECT {schema}.add_draft('', 'other', 0, '', NULL)".encode()).fetchall() == [(True,)]
        app.commit()
        with monkeypatch.context() as earlier:
            earlier.setattr(migrating, "SCRIPTS", SCRIPTS[:2])
            assert migrating.migrate(db, schema) == 0


def test_serializable_orders_do_not_conflict_because_of_us(client: Client, postgres: Postgres) -> None:
    with connect(postgres) as one, connect(postgres) as other:
        for db in (one, other):
            db.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        buy(client, one, "A-1")
        buy(client, other, "A-2")
        one.commit()
        other.commit()
    assert len(sent(client)) == 2


# 16 workers

_WAITS = """SELECT waiting.query, lock.locktype, lock.relation::regclass::text, blocking.application_name
    FROM pg_stat_activity AS waiting JOIN pg_locks AS lock ON lock.pid = waiting.pid AND NOT lock.granted
    JOIN pg_stat_activity AS blocking ON blocking.pid = ANY(pg_blocking_pids(waiting.pid))
    WHERE waiting.application_name = 'shop' AND lock.locktype <> 'extend'"""


class Workers:
    """Workers of a shop that take orders of the same goods at the same time, with and without an event.

    Attributes:
        bare_s: how long the views without an event took, in seconds.
        tracked_s: the same with an event.
        call_s: how long each call of ``track()`` took.
        errors: errors of the app's statements.
        waits: locks that an order has waited for and that are ours.
    """

    def __init__(self, postgres: Postgres, client: Client, orders: int) -> None:
        self._postgres = postgres
        self._client = client
        self._orders = orders
        self._is_over = threading.Event()
        self.bare_s: list[float] = []
        self.tracked_s: list[float] = []
        self.call_s: list[float] = []
        self.errors: list[str] = []
        self.waits: list[tuple[Any, ...]] = []

    def work(self) -> None:
        with ThreadPoolExecutor(_WORKERS + 1) as pool:
            watching = pool.submit(self._watch)
            list(pool.map(self._take, range(_WORKERS)))
            self._is_over.set()
            watching.result()

    def _watch(self) -> None:
        with psycopg.connect(self._postgres.url(), autocommit=True) as db:
            while not self._is_over.wait(0.01):
                rows = db.execute(_WAITS.encode()).fetchall()
                # Ours is a lock that we hold, one of our tables, or one that our statement waits for.
                self.waits += [row for row in rows if row[3] != "shop" or "draft" in f"{row[0]} {row[2]}"]

    def _take(self, worker: int) -> None:
        chance = random.Random(worker)
        with connect(self._postgres, "20s") as db:
            for number in range(self._orders):
                # Every fifth order has a number that all workers use: their claims meet.
                order = f"hot-{number}" if number % 5 == 0 else f"{worker}-{number}"
                self._order(db, chance, order, is_tracked=chance.random() < 0.5)

    def _order(self, db: App, chance: random.Random, order: str, *, is_tracked: bool) -> None:
        goods = sorted(chance.sample(range(_STOCK), 3))

        def view(tracker: Any) -> None:
            began = time.perf_counter()
            db.execute("SELECT * FROM stock WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [goods])
            db.execute("UPDATE stock SET pieces = pieces - 1 WHERE id = ANY(%s)", [goods])
            db.execute("INSERT INTO orders VALUES (%s)", [order])
            if is_tracked:
                asked = time.perf_counter()
                tracker.track("Purchase", order_id=order, value=5, currency="EUR", connection=db)
                self.call_s.append(time.perf_counter() - asked)
            (db.rollback if chance.random() < 0.2 else db.commit)()
            (self.tracked_s if is_tracked else self.bare_s).append(time.perf_counter() - began)

        try:
            visit(self._client, view)
        except psycopg.Error as error:
            self.errors.append(repr(error))
            db.rollback()

    def figures(self) -> str:
        named = {"view without an event": self.bare_s, "with one": self.tracked_s, "track() itself": self.call_s}
        return "; ".join(f"{name} {_percentiles(times)}" for name, times in named.items())


def _percentiles(times: list[float]) -> str:
    cuts = statistics.quantiles(times, n=100)
    return f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"


def work(client: Client, postgres: Postgres, url: str, orders: int) -> Workers:
    """Let 16 workers take orders, while two processes settle and send their events."""
    postgres.execute(
        "DROP TABLE IF EXISTS stock; CREATE TABLE stock (id int PRIMARY KEY, pieces int);"
        f"INSERT INTO stock SELECT number, 1000000 FROM generate_series(0, {_STOCK}) AS number;"
        "ALTER ROLE postgres SET deadlock_timeout = '10ms'"  # below our lock timeouts, so that each deadlock is counted
    )
    counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = postgres.execute(counted)
    second = shop_client(url)
    second.start()
    workers = Workers(postgres, client, orders)
    try:
        workers.work()
        sent(client)
    finally:
        second.close(5)
        postgres.execute("ALTER ROLE postgres RESET deadlock_timeout")
    print(f"{_WORKERS} workers, {len(workers.bare_s) + len(workers.tracked_s)} orders: {workers.figures()}")
    assert workers.errors == []
    assert workers.waits == []
    assert postgres.execute(counted) == before
    assert len(workers.bare_s) + len(workers.tracked_s) == _WORKERS * orders
    assert "draft_failed" not in client.stats()["counts"]
    return workers


@pytest.mark.slow
def test_sixteen_workers_never_wait_for_us(client: Client, postgres: Postgres, url: str) -> None:
    work(client, postgres, url, 15)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_sixteen_workers_take_sixteen_thousand_orders(client: Client, postgres: Postgres, url: str) -> None:
    workers = work(client, postgres, url, 1000)
    assert statistics.quantiles(workers.call_s, n=100)[98] < 1.0
