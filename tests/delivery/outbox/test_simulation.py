"""Orders over several writers and relays in an order that a seed decides, while connections break at the worst moments."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any

import pytest

from tests.delivery.delivery_world import NOW, PIXEL, Clock, record, submission
from tests.postgres_world import Postgres
from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.delivery.outbox.put_ids import PutIds
from tiktok_middleware.delivery.outbox.spool import MemorySpool
from tiktok_middleware.errors import OutboxError

pytestmark = pytest.mark.postgres

_LEASE_S = 20.0
_CUT = 0.1  # share of calls whose connection breaks


class Simulation:
    """Everything that happens, one step after another.

    Attributes:
        delivered: numbers of the rows in which each order came to TikTok.
        sent: number of copies that came to TikTok, repetitions included.
        faults: number of each fault.
    """

    def __init__(self, url: str, seed: int, orders: int) -> None:
        self.random = random.Random(seed)
        self.clock = Clock(NOW)
        self.delivered: defaultdict[str, set[int]] = defaultdict(set)
        self.sent = 0
        self.faults: Counter[str] = Counter()
        # Each order comes twice, from its page and from its webhook, and some come again.
        visits = [f"order-{number}" for number in range(orders) for _ in range(2 + (self.random.random() < 0.2))]
        self.random.shuffle(visits)
        self.visits = deque(visits)
        self.outboxes: list[PostgresOutbox] = []
        self.writers = [Writer(self, url) for _ in range(4)]
        self.relays = [Relay(self, url) for _ in range(2)]

    def run(self) -> None:
        while self.visits or any(writer.spool.rows for writer in self.writers):
            self.step()
        for _ in range(1000):  # until nothing waits
            self.clock.pass_by(_LEASE_S)
            for relay in self.relays:
                relay.round()
            if not self.relays[0].outbox.counts()["waiting"]:
                return
        raise AssertionError("rows are left")

    def step(self) -> None:
        choice = self.random.random()
        if choice < 0.4 and self.visits:
            self.random.choice(self.writers).put(
                [self.visits.popleft() for _ in range(min(len(self.visits), self.random.randint(1, 6)))]
            )
        elif choice < 0.6:
            self.random.choice(self.writers).bring_home()
        elif choice < 0.9:
            self.random.choice(self.relays).round()
        else:
            self.clock.pass_by(self.random.choice([0.01, 1.0, 15.0, _LEASE_S + 1]))

    def cut(self, call: Callable[[], Any]) -> Any:
        """Make a call over a connection that may break before the database has heard it, or after it has committed."""
        draw = self.random.random()
        if draw < _CUT / 2:
            self.faults["cut before commit"] += 1
            raise OutboxError("cut before")
        result = call()
        if draw < _CUT:
            self.faults["cut after commit"] += 1
            raise OutboxError("cut after")
        return result

    def outbox(self, url: str) -> PostgresOutbox:
        skew_s = self.random.uniform(-2.0, 2.0)
        clock = self.clock
        self.outboxes.append(
            PostgresOutbox(
                url, pixels=[PIXEL], sends=[PIXEL], clock=lambda: clock.now + skew_s, monotonic=lambda: clock.now
            )
        )
        return self.outboxes[-1]


class Writer:
    """A process that stores orders, by the rules of `SharedStorage`."""

    def __init__(self, world: Simulation, url: str) -> None:
        self.world = world
        self.outbox = world.outbox(url)
        self.spool = MemorySpool(world.clock)
        self.ids = PutIds(world.random.randbytes(8))

    def put(self, orders: list[str]) -> None:
        entries: list[OutboxEntry] = [
            submission(
                record(order, event_time=self.world.clock.now), browser=self.world.random.random() < 0.5, once=True
            )
            for order in orders
        ]
        if self.spool.rows and self.world.random.random() < 0.5:
            self.spool.keep(entries, b"")  # the database is known to be down
            return
        put_id = self.ids()
        try:
            self.world.cut(lambda: self.outbox.put(entries, put_id=put_id))
        except OutboxError:
            self.ids = PutIds(self.world.random.randbytes(8))
            self.spool.keep(entries, put_id)

    def bring_home(self) -> None:
        put = self.spool.oldest(50)
        if put is None:
            return
        try:
            self.world.cut(lambda: self.outbox.put(put.entries, put_id=put.put_id))
        except OutboxError:
            return
        self.spool.remove(put)


class Relay:
    """A process that sends, and crashes now and then between TikTok's answer and the acknowledgement."""

    def __init__(self, world: Simulation, url: str) -> None:
        self.world = world
        self.outbox = world.outbox(url)
        self.lives = 0

    def round(self) -> None:
        owner = f"{id(self)}-{self.lives}"
        try:
            rows: list[LeasedRecord] = self.world.cut(
                lambda: self.outbox.lease(owner, 100, limit_bytes=10**6, for_s=_LEASE_S)
            )
            self.world.sent += len(rows)
            for row in rows:
                self.world.delivered[row.record.event_id].add(row.id)
            if self.world.random.random() < 0.2:
                self.lives += 1
                self.world.faults["crash after delivery"] += bool(rows)
                return
            if rows:
                self.world.cut(lambda: self.outbox.ack(owner, rows))
        except OutboxError:
            return


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    ("orders", "seed"), [(400, 1), *(pytest.param(20_000, seed, marks=pytest.mark.soak) for seed in range(2, 7))]
)
def test_no_order_is_lost_or_stored_twice(postgres: Postgres, orders: int, seed: int) -> None:
    with postgres.schema() as url:
        simulation = Simulation(url, seed, orders)
        simulation.run()
        for outbox in simulation.outboxes:
            outbox.close()
    print(f"seed {seed}: {orders} orders, {simulation.sent} copies sent, faults {dict(simulation.faults)}")
    assert len(simulation.delivered) == orders
    assert {order: rows for order, rows in simulation.delivered.items() if len(rows) != 1} == {}
    assert min(simulation.faults.values()) > 0
    assert len(simulation.faults) == 3
