"""An outbox with something of everything, and its operator's access."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from tests.delivery.delivery_world import PIXEL, submission
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.dead_letters import DEAD, DELIVERED, IN_FLIGHT, WAITING, RowFilter
from tiktok_middleware.delivery.outbox.operator import open_admin

ALL = (WAITING, IN_FLIGHT, DEAD, DELIVERED)
JANE, JOHN = "a" * 64, "b" * 64


def sale(event_id: str, order: object = None, email: str = JANE, pixel: str = PIXEL) -> Record:
    item = {
        "event": "Purchase",
        "event_id": event_id,
        "user": {"email": email, "ttp": f"ttp-{email[:4]}", "ip": "203.0.113.9"},
        "properties": {"value": 5, "currency": "EUR", **({} if order is None else {"order_id": order})},
    }
    return Record(pixel, "web", "Purchase", event_id, int(time.time()), msgspec.json.encode(item), paired=False)


class World:
    """An outbox and its operator's access."""

    def __init__(self, url: str, outbox: Any) -> None:
        self.outbox = outbox
        self.url = url
        self.admin = open_admin(url)

    def lease(self, limit: int = 10) -> Any:
        return self.outbox.lease("relay", limit, limit_bytes=10**6, for_s=60)

    def deliver(self, *records: Record) -> None:
        self.outbox.put([submission(one) for one in records])
        self.outbox.ack("relay", self.lease(), "req-1")

    def wait(self, *records: Record) -> None:
        self.outbox.put([submission(one) for one in records])

    def close(self) -> None:
        self.admin.close()
        self.outbox.close()

    def fill(self) -> None:
        """Two rows of each state; ``f1`` and ``f2`` are being sent."""
        self.deliver(sale("x1", "A-1"), sale("x2", "A-10"))
        self.wait(sale("f1", "A-1"), sale("f2"))
        self.lease()
        self.wait(sale("w1", "A-1"), sale("w2", 1001))
        self.outbox.keep_dead([sale("d1", "A-1"), sale("d2", "Köln-1", JOHN)], "40002 wrong")

    def newest(self, limit: int = 100, after: tuple[str, int] | None = None, **choice: Any) -> list[tuple[str, str]]:
        rows = self.admin.newest(RowFilter(**{"states": ALL, **choice}), limit, after)
        return [(row.state, row.event_id) for row in rows]
