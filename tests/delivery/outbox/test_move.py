"""A move from SQLite to PostgreSQL loses nothing and doubles nothing, whatever interrupts it, and holds up no app."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import PIXEL, record, submission, submissions, wait_until
from tests.postgres_world import Postgres
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.postgres.address import read_address
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db
from tiktok_middleware.delivery.outbox.postgres.move import Moved, move
from tiktok_middleware.delivery.outbox.postgres.move_source import MoveSource
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

pytestmark = pytest.mark.postgres

PIXELS = [PIXEL]


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.schema() as url:
        outbox = PostgresOutbox(url)
        outbox.counts()
        outbox.close()
        yield url


def make_file(path: Path, rows: int = 3, *, odd: str = "") -> None:
    """Write an outbox file: claims, waiting events of which one is delayed, dead letters and a ledger."""
    old = SqliteOutbox(path, pixels=PIXELS, sends=PIXELS)
    now = time.time()
    old.put([submission(record(f"sent-{n}{odd}", event_time=now)) for n in range(rows)])
    old.ack("a", old.lease("a", 1000, limit_bytes=10**7, for_s=60), f"request{odd}")
    old.put([submission(record(f"order-{n}{odd}", event_time=now), browser=True, once=True) for n in range(rows)])
    late = record(f"delayed{odd}", event_time=now)
    old.put([OutboxEntry(late.event_id, (late,), delay_s=900.0)])
    old.keep_dead([record(f"dead-{n}{odd}", event_time=now) for n in range(rows)], f"40002 no{odd}")
    old.close()


def schema_of(url: str) -> str:
    return url.partition("schema=")[2].partition("&")[0]


def stored(postgres: Postgres, url: str) -> dict[str, Counter[str]]:
    schema = schema_of(url)
    return {
        table: Counter(id_ for (id_,) in postgres.execute(f"SELECT event_id FROM {schema}.{table}"))
        for table in ("event", "dead", "ledger", "claim")
    }


def expected(rows: int = 3) -> dict[str, Counter[str]]:
    return {
        "event": Counter([*(f"order-{n}" for n in range(rows)), "delayed"]),
        "dead": Counter(f"dead-{n}" for n in range(rows)),
        "ledger": Counter([f"{kind}-{n}" for kind in ("sent", "dead") for n in range(rows)]),
        "claim": Counter({f"order-{n}": 2 for n in range(rows)}),
    }


class Killed(BaseException):
    """The process ends here."""


class DyingConnection(Connection):
    """Ends the move at one of its transactions, before the database has committed it or after that."""

    def __init__(self, url: str, at: int, *, is_committed: bool) -> None:
        super().__init__(read_address(url), 5000, lambda _: None, lambda _: None)
        self._left = at
        self._is_committed = is_committed

    @contextmanager
    def transaction(self) -> Iterator[Db]:
        self._left -= 1
        with super().transaction() as db:
            yield db
            if self._left == 0 and not self._is_committed:
                raise Killed
        if self._left == 0:
            raise Killed


def target(url: str) -> Connection:
    return Connection(read_address(url), 5000, lambda _: None, lambda _: None)


def run(path: Path, connection: Connection) -> Moved:
    try:
        return move(path, connection, PIXELS, time.time, lambda _: None)
    finally:
        connection.close()


@pytest.mark.parametrize("is_committed", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_a_move_that_is_killed_and_repeated_stores_each_row_once(
    postgres: Postgres, url: str, tmp_path: Path, at: int, is_committed: bool
) -> None:
    path = tmp_path / "old.sqlite3"
    make_file(path)
    dying = DyingConnection(url, at, is_committed=is_committed)
    with pytest.raises(Killed):
        run(path, dying)
    run(path, target(url))
    assert stored(postgres, url) == expected()
    again = run(path, target(url))
    assert (again.waiting, again.dead, again.ledger, again.claims, again.in_flight) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("kills", [0, 2])
def test_waits_are_neither_shortened_nor_lengthened(postgres: Postgres, url: str, tmp_path: Path, kills: int) -> None:
    path = tmp_path / "old.sqlite3"
    make_file(path)
    for _ in range(kills):
        with pytest.raises(Killed):
            run(path, DyingConnection(url, 2, is_committed=False))
    run(path, target(url))
    query = f"SELECT due - {schema_of(url)}.clock() FROM {schema_of(url)}.event WHERE event_id = 'delayed'"
    [(wait_s,)] = postgres.execute(query)
    assert 900 - 300 < wait_s <= 900


def test_rows_whose_time_has_come_are_leased_at_once(url: str, tmp_path: Path) -> None:
    """A relay has searched the outbox before, and no longer looks at times that have passed."""
    path = tmp_path / "old.sqlite3"
    make_file(path)
    relay = PostgresOutbox(url, pixels=PIXELS, sends=PIXELS)
    relay.put(submissions(1, event_time=time.time()))
    rows = relay.lease("a", 10, limit_bytes=10**6, for_s=60)
    relay.retry("a", [row.id for row in rows], 3600.0)
    for _ in range(3):
        relay.lease("a", 10, limit_bytes=10**6, for_s=60)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE waiting SET due = due - 50000")
    run(path, target(url))
    leased: list[str] = []

    def all_leased() -> bool:
        leased.extend(row.record.event_id for row in relay.lease("a", 10, limit_bytes=10**6, for_s=60))
        return len(leased) == 4

    assert wait_until(all_leased, 20)
    assert leased[:3] == ["order-0", "order-1", "order-2"]
    relay.close()


@pytest.mark.parametrize("odd", ["\0", "\0\0x", "\u2603", "'\"\\", "\x01\x1f"])
def test_a_character_that_postgresql_cannot_store_stops_nothing(
    postgres: Postgres, url: str, tmp_path: Path, odd: str
) -> None:
    path = tmp_path / "old.sqlite3"
    make_file(path, odd=odd)
    done = run(path, target(url))
    assert (done.waiting, done.dead, done.ledger, done.claims, done.unmoved) == (4, 3, 6, 6, 0)
    found = stored(postgres, url)
    assert sum(found["event"].values()) == 4
    assert f"order-0{odd.replace(chr(0), '')}" in found["event"]


def test_a_row_that_cannot_be_stored_is_left_and_counted(postgres: Postgres, url: str, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    make_file(path)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE waiting SET event_time = 'soon' WHERE event_id = 'order-1'")
        db.execute("UPDATE dead SET died = 'lately' WHERE event_id = 'dead-1'")
    done = run(path, target(url))
    assert (done.waiting, done.dead, done.unmoved, done.in_flight) == (3, 2, 2, 0)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT event_id, owner FROM waiting").fetchall() == [("order-1", None)]
        assert db.execute("SELECT event_id FROM dead").fetchall() == [("dead-1",)]


def test_the_app_writes_to_its_file_while_the_claims_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    make_file(path)
    source = MoveSource(path, PIXELS)
    claims = source.claims()
    assert next(claims)
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as app:
        app.execute("BEGIN IMMEDIATE")
        app.execute("INSERT INTO once VALUES ('zz', 'server', 1.0)")
        app.execute("COMMIT")
    assert [claim[2] for part in claims for claim in part] == ["zz"]
    source.close()


def test_a_claim_that_is_made_during_the_move_is_copied(postgres: Postgres, url: str, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    make_file(path)
    app = SqliteOutbox(path, pixels=PIXELS, sends=PIXELS)

    def at_work(_rows: int) -> None:
        app.put([OutboxEntry("aa-late", browser=True, once=True)])

    connection = target(url)
    move(path, connection, PIXELS, time.time, at_work)
    connection.close()
    app.close()
    assert stored(postgres, url)["claim"]["aa-late"] == 1
    shared = PostgresOutbox(url, pixels=PIXELS)
    assert shared.put([OutboxEntry("aa-late", browser=True, once=True)]) == [Claim(browser=False, server=False)]
    shared.close()


def test_two_files_with_the_same_numbers_are_both_moved(postgres: Postgres, url: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_file(tmp_path / name)
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as db, db:
            db.execute("UPDATE dead SET event_id = 'same'")
            db.execute("UPDATE ledger SET event_id = 'same'")
        run(tmp_path / name, target(url))
    found = stored(postgres, url)
    assert (found["dead"]["same"], found["ledger"]["same"]) == (6, 12)


@pytest.mark.slow
def test_the_command_survives_kill_9_at_any_time(postgres: Postgres, url: str, tmp_path: Path) -> None:
    path, rows = tmp_path / "old.sqlite3", 900
    make_file(path, rows)
    command = [str(Path(sys.executable).with_name("tiktok-middleware")), "outbox", "--outbox", url, "move", "--json"]
    environ: dict[str, Any] = {**os.environ, "TIKTOK_PIXEL_ID": PIXEL}
    marks = f"SELECT count(*) FROM {schema_of(url)}.put"

    def run_one() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "--from", f"sqlite:///{path}"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def has_moved_more(process: subprocess.Popen[str], than: int) -> bool:
        return process.poll() is not None or postgres.execute(marks)[0][0] > than

    for _ in range(4):
        seen = postgres.execute(marks)[0][0]
        process = run_one()
        assert wait_until(partial(has_moved_more, process, seen), 60)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    last_one = run_one()
    printed, errors = last_one.communicate(timeout=120)
    assert last_one.returncode == 0, errors
    assert '"in_flight": 0' in printed
    assert stored(postgres, url) == expected(rows)
