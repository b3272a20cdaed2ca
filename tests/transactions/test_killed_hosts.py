"""Hosts that take orders are killed at random moments: each committed order is sent once, the others never."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.delivery.delivery_world import Api, running_api
from tests.postgres_world import Postgres
from tests.transactions.orders_host import make_client
from tiktok_middleware.core.events.ids import once_event_id

pytestmark = pytest.mark.postgres

_ROOT = Path(__file__).parents[2]
KINDS = ("psycopg", "session-psycopg", "asyncpg")


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


class Host:
    """A process that takes orders; `highest` is the last that it has finished."""

    def __init__(self, arguments: Sequence[str], first: int, last: int, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.transactions.orders_host", *arguments, str(first), str(last)]
        environ = {**os.environ, "XDG_STATE_HOME": str(folder), "PYTHONPATH": str(_ROOT)}
        self.log = (folder / "log").open("ab")
        self.process = subprocess.Popen(command, cwd=_ROOT, env=environ, stdout=subprocess.PIPE, stderr=self.log)
        self.next = first
        self.problems: list[str] = []
        self.is_done = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word = line.decode().strip()
            if word.isdigit():
                self.next = int(word) + 1
            elif word == "done":
                self.is_done = True
            else:
                self.problems.append(word)

    def end(self, how: signal.Signals | None = None) -> None:
        if how is not None:
            self.process.send_signal(how)
        self.process.wait(60)
        self._reader.join(10)
        self.log.close()
        if self.process.stdout is not None:
            self.process.stdout.close()


class World(NamedTuple):
    """What the hosts of one test share."""

    postgres: Postgres
    url: str
    api: Api
    folder: Path


@pytest.fixture
def world(postgres: Postgres, api: Api, tmp_path: Path) -> Iterator[World]:
    postgres.execute("DROP TABLE IF EXISTS orders; CREATE TABLE orders (id text)")
    with postgres.schema() as url:
        yield World(postgres, url, api, tmp_path)


def play(world: World, kind: str, orders: int, kills: int) -> None:
    """Take orders in hosts that are killed and started again, and compare what was sent with what was committed."""
    postgres, url, api, folder = world
    schema = url.rpartition("schema=")[2]
    done, killed = 0, 0
    while done < orders:
        host = Host([kind, f"{url}&wait=20", api.url], done, orders, folder)
        if killed < kills:
            wanted = done + random.randint(1, max(2 * (orders - done) // (kills - killed + 1), 2))
            deadline = time.monotonic() + 60
            while host.next < wanted and not host.is_done and time.monotonic() < deadline:
                time.sleep(random.uniform(0.001, 0.02))
            host.end(signal.SIGKILL)
            killed += 1
        else:
            host.end()
        assert host.problems == [], (folder / "log").read_text()[-3000:]
        assert host.next > done or killed <= kills, (folder / "log").read_text()[-3000:]
        done = host.next  # the order in which it was killed is taken again
    postgres.execute(f"UPDATE {schema}.draft SET due = 0")  # a minute later
    relay = make_client(f"{url}&wait=20", api.url)
    relay.start()
    try:
        assert relay.flush(60)
    finally:
        relay.close(5)
    committed = {once_event_id("Purchase", order) for (order,) in postgres.execute("SELECT DISTINCT id FROM orders")}
    got = Counter(event_id for request in api.requests for event_id in request.ids)
    assert set(got) == committed
    assert postgres.execute(f"SELECT count(*) FROM {schema}.draft") == [(0,)]
    again = [event_id for event_id, count in got.items() if count > 1]
    assert len(again) <= killed * 20, "only what was in flight at a kill may be sent again, under the same id"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_sixty_orders_of_killed_hosts(kind: str, world: World) -> None:
    play(world, kind, 20, 1)


@pytest.mark.soak
@pytest.mark.timeout(1100)
@pytest.mark.parametrize("kind", KINDS)
def test_thousand_orders_of_killed_hosts(kind: str, world: World) -> None:
    play(world, kind, 1000, 10)
