"""Processor time that a shared outbox takes, of PostgreSQL and of our own process. Not a test.

``python -m tests.durability.shared_cost`` starts a PostgreSQL of its own, with its log synced. Processor time hardly
depends on what else a machine does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.delivery.delivery_world import PIXEL, record, submission
from tests.postgres_world import Postgres, new_cluster
from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.delivery.outbox.put_ids import PutIds

_TICKS = os.sysconf("SC_CLK_TCK")
_BODY_BYTES = 500


class Meter:
    """Measures the processor time of a cluster and of this process."""

    def __init__(self, cluster: Postgres) -> None:
        self._cluster = cluster

    def measure(self, name: str, events: int, work: Callable[[], None]) -> None:
        theirs, ours, wal = self._database_s(), time.process_time(), self._wal()
        work()
        theirs, ours, wal = self._database_s() - theirs, time.process_time() - ours, self._wal() - wal
        cells = (f"{part / events * 1e6:.0f}" for part in (theirs, ours))
        print(f"| {name} | {' | '.join(cells)} | {wal / events:,.0f} |", flush=True)

    def _wal(self) -> int:
        return int(self._cluster.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")[0][0])

    def _database_s(self) -> float:
        """Return the seconds that the server's processes have run; those that have ended count for their parent."""
        root = int((self._cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parts = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(path.parent.name) == root:
                ticks += sum(int(part) for part in parts[11:15])
            elif int(parts[1]) == root:
                ticks += int(parts[11]) + int(parts[12])
        return ticks / _TICKS


def entries(count: int, prefix: str, *, once: bool) -> list[OutboxEntry]:
    names = [f"{prefix}-{number}" for number in range(count)]
    return [
        submission(record(name, event_time=time.time(), size=_BODY_BYTES), browser=True, once=once) for name in names
    ]


def put_all(outbox: PostgresOutbox, parts: Sequence[Sequence[OutboxEntry]]) -> None:
    ids = PutIds(os.urandom(8))
    for part in parts:
        outbox.put(part, put_id=ids())


def drain(outbox: PostgresOutbox, limit: int) -> None:
    while rows := outbox.lease("a", limit, limit_bytes=10**7, for_s=60):
        outbox.ack("a", rows)


def main() -> None:
    with new_cluster(fsync="on", full_page_writes="on") as cluster:
        meter = Meter(cluster)
        outbox = PostgresOutbox(cluster.url(schema="cost"), pixels=[PIXEL], sends=[PIXEL])
        put_all(outbox, [entries(1, f"warm-{n}", once=True) for n in range(200)])
        drain(outbox, 1000)
        print("| Work | PostgreSQL, us an event | our process, us an event | log, bytes an event |\n|---|---|---|---|")
        for name, part, once in (
            ("store one event that counts once", 1, True),
            ("store one other event", 1, False),
            ("store 10 events", 10, True),
            ("store 200 events", 200, True),
        ):
            parts = [entries(part, f"{name}-{n}", once=once) for n in range(4000 // part if part > 1 else 3000)]
            count = sum(len(one) for one in parts)
            meter.measure(name, count, lambda parts=parts: put_all(outbox, parts))  # type: ignore[misc]
            if part == 10:
                meter.measure("lease and remove, 100 at a time", count, lambda: drain(outbox, 100))
            elif part == 200:
                meter.measure("lease and remove, 1,000 at a time", count, lambda: drain(outbox, 1000))
            else:
                drain(outbox, 1000)
        outbox.close()


if __name__ == "__main__":
    main()
