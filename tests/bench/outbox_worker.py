"""A worker that times the calls of one SQLite outbox, of this release or of an earlier one.

It imports the package of the folder that it is given. So it imports nothing of the package before that, and names the
modules of both releases.
"""

from __future__ import annotations

import gc
import importlib
import json
import secrets
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench.crew import answer_lines, pin

__all__ = ["PIXEL", "fill", "serve"]

PIXEL = "C4BENCHBENCHBENCH000"
_BODY_BYTES = 587
_LEASE_S = 3600.0
_REQUEST_ID = "2026113000000000000000000000000000"
_LIMIT_ROWS = 4_000_000
_LIMIT_CLAIMS = 40_000_000
_LIMIT_BYTES = 1 << 40


class Release02:
    """The outbox of this release.

    Args:
        path: path of its file.
    """

    def __init__(self, path: Path) -> None:
        base = importlib.import_module("tiktok_middleware.delivery.outbox.base")
        event = importlib.import_module("tiktok_middleware.core.events.event")
        sqlite = importlib.import_module("tiktok_middleware.delivery.outbox.sqlite.outbox")
        limits = base.Limits(_LIMIT_ROWS, _LIMIT_BYTES, 100_000, _LIMIT_CLAIMS)
        self.record: Any = event.Record
        self.entry: Any = event.OutboxEntry
        self._outbox: Any = sqlite.SqliteOutbox(path, limits=limits, pixels=[PIXEL], sends=[PIXEL])
        self._puts = 0

    def put(self, entries: Sequence[object]) -> None:
        """Store entries in one transaction."""
        self._puts += 1
        self._outbox.put(entries, put_id=b"bench:rd" + self._puts.to_bytes(8, "big"))

    def lease(self, limit: int) -> list[Any]:
        """Lease rows."""
        return self._outbox.lease("bench", limit, limit_bytes=1_000_000, for_s=_LEASE_S)  # type: ignore[no-any-return]

    def ack(self, rows: list[Any]) -> None:
        """Remove leased rows that were delivered."""
        self._outbox.ack("bench", rows, _REQUEST_ID)

    def tidy(self) -> None:
        """Do the housekeeping that the relay does after sending."""
        self._outbox.tidy()


class Release01:
    """The outbox of release 0.1: no put ids, no ledger, times instead of durations.

    Args:
        path: path of its file.
    """

    def __init__(self, path: Path) -> None:
        base = importlib.import_module("tiktok_middleware.delivery.outbox")
        event = importlib.import_module("tiktok_middleware.core.event")
        sqlite = importlib.import_module("tiktok_middleware.delivery.sqlite")
        limits = base.Limits(_LIMIT_ROWS, _LIMIT_BYTES, 100_000, _LIMIT_CLAIMS)
        self.record: Any = event.Record
        self.entry: Any = event.Submission
        self._outbox: Any = sqlite.SqliteOutbox(path, limits=limits)

    def put(self, entries: Sequence[object]) -> None:
        """Store entries in one transaction."""
        self._outbox.put(entries, time.time())

    def lease(self, limit: int) -> list[Any]:
        """Lease rows."""
        now = time.time()
        return self._outbox.lease("bench", limit, limit_bytes=1_000_000, for_s=_LEASE_S, now=now)  # type: ignore[no-any-return]

    def ack(self, rows: list[Any]) -> None:
        """Remove leased rows that were delivered."""
        self._outbox.ack("bench", [row.id for row in rows])

    def tidy(self) -> None:
        """Do the housekeeping that the relay does after sending."""
        self._outbox.tidy(time.time())


class _OutboxWorker:
    """Times blocks of calls; each method named ``_do_...`` is an order, and returns microseconds of each call."""

    def __init__(self, outbox: Release01 | Release02) -> None:
        self._outbox = outbox

    def answer(self, order: dict[str, Any]) -> Any:
        """Do what the order's ``do`` says."""
        return getattr(self, f"_do_{order.pop('do')}")(**order)

    def _do_put(self, calls: int, entries: int = 1, once: bool = False, is_late: bool = False) -> dict[str, float]:
        puts = [[self._entry(once=once, is_late=is_late) for _ in range(entries)] for _ in range(calls)]
        return self._timed(puts, self._outbox.put)

    def _do_lease(self, calls: int, rows: int) -> dict[str, float]:
        """Lease rows and keep them for `_do_ack`."""
        self._leased: list[list[Any]] = []
        return self._timed([rows] * calls, lambda limit: self._leased.append(self._outbox.lease(limit)))

    def _do_ack(self) -> dict[str, float]:
        return self._timed(self._leased, self._outbox.ack)

    def _do_tidy(self) -> None:
        self._outbox.tidy()

    def _entry(self, *, once: bool, is_late: bool) -> Any:
        """Return an entry for both channels, or for the server alone if its event happened three days ago."""
        now = time.time() - (3 * 86400 if is_late else 0)
        event_id = secrets.token_urlsafe(24) if once else f"{int(now * 1000):012x}{secrets.token_hex(10)}"
        record = self._outbox.record(PIXEL, "web", "Purchase", event_id, int(now), _body(event_id), paired=not is_late)
        return self._outbox.entry(event_id, (record,), browser=not is_late, once=once)

    @staticmethod
    def _timed(arguments: Sequence[Any], call: Callable[[Any], object]) -> dict[str, float]:
        """Median and lowest tenth of the thread's processor time, and of the time by the clock."""
        gc.collect()
        gc.disable()
        cpu, clock = [], []
        for argument in arguments:
            clock_at, cpu_at = time.perf_counter_ns(), time.thread_time_ns()
            call(argument)
            cpu.append(time.thread_time_ns() - cpu_at)
            clock.append(time.perf_counter_ns() - clock_at)
        gc.enable()
        cpu.sort()
        return {
            "cpu_us": statistics.median(cpu) / 1000,
            "low_us": cpu[len(cpu) // 10] / 1000,
            "us": statistics.median(clock) / 1000,
        }


def fill(path: Path, *, rows: int, claims: int, entries: int) -> None:
    """Fill an outbox file that no process has open: waiting rows, claims and ledger entries.

    The claims have random ids, as those of `once` events. They are inserted in two sorted passes, which is quick, and
    which leaves as much unused room in the pages as inserts in random order.

    Args:
        path: path of the file; its tables exist.
        rows: waiting rows.
        claims: claims, one channel each.
        entries: entries of the ledger.
    """
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "secure_delete=OFF", "cache_size=-200000"):
        db.execute(f"PRAGMA {pragma}")
    now = int(time.time())
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    random_id = "lower(hex(randomblob(16)))"
    db.execute("BEGIN")
    db.execute(
        f"""INSERT INTO waiting (pixel, source, event, event_id, event_time, paired, body, due) {numbers}
        SELECT ?, 'web', 'Purchase', {random_id}, ?, 1, ?, ? FROM n""",
        (rows, PIXEL, now, _body("0" * 32), now),
    )
    for count in (claims * 7 // 10, claims * 3 // 10):
        db.execute(
            f"INSERT INTO once (event_id, channel, at) {numbers} SELECT {random_id} AS id, 'server', ? FROM n ORDER BY id",
            (count, now - 86400),
        )
    db.execute(
        f"""INSERT INTO ledger (environment, pixel, source, event, event_id, order_id, value, currency, channels,
        reason, request_id, event_time, at) {numbers} SELECT 'production', ?, 'web', 'Purchase', {random_id}, 'A-' || i,
        59.9, 'EUR', 'browser+server', 'delivered', ?, ?, ? FROM n""",
        (entries, PIXEL, _REQUEST_ID, now, now),
    )
    db.execute(
        "UPDATE tally SET rows = rows + ?, bytes = bytes + ?, claims = claims + ?",
        (rows, rows * len(_body("0" * 32)), claims),
    )
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode=WAL")
    db.close()


def _body(event_id: str) -> bytes:
    """An item as the Events API takes it, of the usual size."""
    item = {
        "event": "Purchase",
        "event_id": event_id,
        "event_time": 1_800_000_000,
        "properties": {"value": 59.9, "currency": "EUR", "order_id": "A-1001"},
        "user": {"email": "f" * 64, "ttp": "t" * 32, "ip": "203.0.113.7"},
        "page": {"url": "https://shop.example.com/thanks"},
    }
    body = json.dumps(item, separators=(",", ":"))
    return (body[:-1] + f',"user_agent":"{"M" * (_BODY_BYTES - len(body) - 16)}"}}').encode()


def serve(tree: str, path: str) -> None:
    """Answer orders until standard input ends.

    Args:
        tree: folder with the package to measure; empty for this release.
        path: path of the outbox's file.
    """
    pin(0)
    if tree:
        sys.path.insert(0, tree)
    earlier = tree and not (Path(tree) / "tiktok_middleware/delivery/outbox").is_dir()
    answer_lines(_OutboxWorker((Release01 if earlier else Release02)(Path(path))).answer)
