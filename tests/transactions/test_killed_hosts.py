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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.delivery.delivery_world import Api, running_api
from tests.postgres_world import Postgres
from tests.transactions.orders_host import make_client
from tiktok_middleware.core.events.ids import once_event_id

pytestmark = pytest.mark.postgres

_ROOT = Path(__file__).parents[2]
_LONGEST_S = 60.0 * 15
_IN_FLIGHT = 20  # events that a host may be sending when it is killed
KINDS = ("django", "django-async", "session-psycopg", "psycopg", "asyncpg")


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


class World(NamedTuple):
    """What the hosts of one test share."""

    postgres: Postgres
    url: str
    api: Api
    folder: Path

    @property
    def schema(self) -> str:
        return self.url.partition("schema=")[2].partition("&")[0]


@pytest.fixture
def world(postgres: Postgres, api: Api, tmp_path: Path) -> Iterator[World]:
    postgres.execute("DROP TABLE IF EXISTS orders; CREATE TABLE orders (id text)")
    with postgres.schema() as url:
        yield World(postgres, f"{url}&wait=20", api, tmp_path)


class Host:
    """A process that takes orders.

    Attributes:
        next: number of the first order that it has not finished.
        copies: orders whose browser copies have left.
        is_done: whether it has taken all its orders and closed its client.
    """

    def __init__(self, world: World, kind: str, first: int, last: int) -> None:
        command = [sys.executable, "-m", "tests.transactions.orders_host", kind, world.url, world.api.url]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
        environ |= {"XDG_STATE_HOME": str(world.folder / kind), "PYTHONPATH": str(_ROOT)}
        with (world.folder / f"{kind}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(first), str(last)], cwd=_ROOT, env=environ, stdout=subprocess.PIPE, stderr=log
            )
        self.next = first
        self.copies: list[str] = []
        self.is_done = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            number, *copies = line.decode().split()
            if number == "done":
                self.is_done = True
            else:
                self.next = int(number) + 1
                self.copies += copies

    def end(self, how: signal.Signals | None = None) -> None:
        if how is not None:
            self.process.send_signal(how)
        try:
            self.process.wait(_LONGEST_S)
        finally:
            self.process.kill()
            self._reader.join(10)
            assert self.process.stdout is not None
            self.process.stdout.close()


def take_orders(world: World, kind: str, orders: int, kills: int) -> list[str]:
    """Take orders on a host that is killed and started again; return the orders whose browser copies have left."""
    done, killed, copies = 0, 0, list[str]()
    while done < orders:
        host = Host(world, kind, done, orders)
        if killed < kills:
            wanted = done + random.randint(1, max(2 * (orders - done) // (kills - killed + 1), 2))
            deadline = time.monotonic() + _LONGEST_S
            while host.next < wanted and host.process.poll() is None and time.monotonic() < deadline:
                time.sleep(random.uniform(0.001, 0.02))
            host.end(signal.SIGKILL)
            killed += 1
        else:
            host.end()
            assert host.is_done, (world.folder / f"{kind}.log").read_text()[-3000:]
        copies += host.copies
        done = host.next  # the order in which it was killed is taken again
    return copies


def send_the_rest(world: World) -> None:
    """Send what the hosts have left behind, as another host does once drafts are due and leases of killed hosts end."""
    world.postgres.execute(f"UPDATE {world.schema}.draft SET due = 0; UPDATE {world.schema}.event SET due = 0")
    relay = make_client(world.url, world.api.url)
    relay.start()
    try:
        assert relay.flush(60)
    finally:
        relay.close(5)


def play(world: World, orders: int, kills: int) -> None:
    """Take orders on a host of each kind, all at once, and compare what was sent with what was committed.

    Args:
        world: what the hosts share.
        orders: number of orders of each host.
        kills: how often each host is killed.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(len(KINDS)) as pool:
        taken = pool.map(lambda kind: take_orders(world, kind, orders, kills), KINDS)
        copies = Counter(order for some in taken for order in some)
    send_the_rest(world)
    committed = {order for (order,) in world.postgres.execute("SELECT DISTINCT id FROM orders")}
    # A host that is killed may have sent a part of a request.
    whole = [one for one in list(world.api.requests) if len(one.body) == int(one.headers["content-length"])]
    sent = Counter(event_id for request in whole for event_id in request.ids)
    taken_orders = [f"{kind}-{number}{part}" for kind in KINDS for number in range(orders) for part in ("", "-part")]
    names = {once_event_id("Purchase", order): order for order in taken_orders}
    got = {names[event_id] for event_id in sent}
    logs = "\n".join(path.read_text() for path in world.folder.glob("*.log"))[-5000:]
    assert (sorted(got - committed), sorted(committed - got)) == ([], []), logs
    assert set(copies) <= committed
    assert world.postgres.execute(f"SELECT count(*) FROM {world.schema}.draft") == [(0,)]
    again = sum(sent.values()) - len(sent)
    assert again <= kills * len(KINDS) * _IN_FLIGHT, "only what was in flight at a kill may be sent again"
    # A browser copy whose claim is not known in time leaves: two pages may hold it, under the same id.
    twice = sum(copies.values()) - len(copies)
    figures = f"{again} sent again and {twice} in two pages under the same id"
    print(f"{len(KINDS) * orders} orders, {kills * len(KINDS)} times kill -9: {len(committed)} committed and sent,")
    print(f"{len(copies)} with a browser copy, {figures}; {time.monotonic() - began:.0f} s")


@pytest.mark.slow
def test_sixty_orders_of_killed_hosts(world: World) -> None:
    play(world, 12, 1)


@pytest.mark.soak
@pytest.mark.timeout(1100)
def test_thousand_orders_of_killed_hosts(world: World) -> None:
    play(world, 200, 4)
