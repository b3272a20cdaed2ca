"""Orders over four hosts and one PostgreSQL, which are killed meanwhile: each order counts once, also 49 hours later."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.delivery.delivery_world import running_api, wait_until
from tests.durability.orders_count import conversions, server_copies
from tests.durability.orders_world import LATER_S, World, drained, running
from tests.postgres_world import Postgres, new_cluster
from tiktok_middleware.core.events.ids import once_event_id
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox

pytestmark = pytest.mark.postgres

_HOSTS = 4
_DRAIN_S = 100.0  # what a killed host had leased is free after 20 s


@pytest.fixture
def own() -> Iterator[Postgres]:
    with new_cluster() as cluster:
        yield cluster


def faults(own: Postgres, world: World, total: int, lost: list[str]) -> None:
    """Restart the database once the first third has come, and once more while a host is killed."""
    _wait_for(world, total // 3)
    own.stop(signal.SIGQUIT)
    time.sleep(0.5)
    own.start()
    _wait_for(world, total * 2 // 3)
    own.stop(signal.SIGQUIT)
    time.sleep(0.5)
    lost += world.hosts[0].kill()
    own.start()


def _wait_for(world: World, done: int) -> None:
    assert wait_until(lambda: world.done >= done, 200)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("total", [60, pytest.param(1000, marks=pytest.mark.soak)])
def test_each_of_many_orders_counts_once_whatever_dies(own: Postgres, tmp_path: Path, total: int) -> None:
    orders = [f"A-{number}" for number in range(total)]
    with running_api() as api, own.schema() as url:
        outbox = PostgresOutbox(url)
        outbox.counts()
        outbox.close()
        with running(tmp_path, _HOSTS, url, api) as hosts:
            world = World(hosts, seed=total)
            lost: list[str] = []
            with ThreadPoolExecutor(1) as pool:
                played = pool.submit(world.play, orders)
                faults(own, world, total, lost)
                played.result(600)
            assert wait_until(lambda: drained(own, url, hosts[1:]), _DRAIN_S)
        copies = server_copies(api.requests, 0.0) + world.fired
        sent = len(api.requests)
        shift_clock(own, url)
        with running(tmp_path, 2, url, api, is_later=True) as hosts:
            replay = World(hosts, seed=total)
            replay.now = float(LATER_S)
            replay.play(orders)
            assert wait_until(lambda: drained(own, url, hosts), _DRAIN_S)
        later = server_copies(api.requests[sent:], LATER_S) + replay.fired
    lost_orders = {order for order in orders if once_event_id("Purchase", order) in lost}
    found, in_the_end = conversions(copies), conversions(copies + later)
    print(
        f"{total} orders: {sum(found.values())} conversions of {len(found)} orders by {len(copies)} copies,"
        f" {len(world.fired)} of browsers; on the killed host alone: {sorted(lost_orders)};"
        f" never counted: {sorted(set(orders) - set(found))}; 49 hours later {len(later)} copies,"
        f" of the orders {sorted({copy.order for copy in later})}"
    )
    assert {order: count for order, count in found.items() if count != 1} == {}
    assert set(orders) - set(found) <= lost_orders
    assert {copy.order for copy in later} <= lost_orders, "what the killed host had told nobody"
    assert {order for order in orders if in_the_end.get(order) != 1} <= lost_orders


def shift_clock(own: Postgres, url: str) -> None:
    """Set the clock that the outbox reads from the database to 49 hours later."""
    schema = url.rpartition("schema=")[2]
    own.execute(
        f"CREATE OR REPLACE FUNCTION {schema}.clock() RETURNS double precision LANGUAGE sql VOLATILE"
        f" AS 'SELECT extract(epoch FROM clock_timestamp())::double precision + {LATER_S}'"
    )
