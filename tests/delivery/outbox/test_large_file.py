"""No call of an outbox file reads all its rows, claims or ledger entries, so that its cost does not grow with the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.bench.outbox_worker import PIXEL, fill
from tests.delivery.delivery_world import NOW, WALL, record, sqlite_outbox, submission
from tiktok_middleware.delivery.outbox.base import LeasedRecord, Retention
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

_STEP = 10  # instructions of SQLite between two counts
_SMALL, _LARGE = 1_000, 30_000

steps = [0]
latest = [NOW]
"""Time of the last call: the clock of a file that several tests share is not set back."""


class Counting(sqlite3.Connection):
    """Counts the instructions that SQLite executes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + _STEP), _STEP)


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=Counting, **options))
    WALL.now = latest[0]
    yield
    latest[0] = WALL.now


@pytest.fixture(scope="module", params=["home", "other pixel", "staging"])
def outboxes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[SqliteOutbox]]:
    """A small and a large file, whose rows are of the first pixel, and a process with that or another pixel."""
    opened = []
    WALL.now = NOW
    for size in (_SMALL, _LARGE):
        path = tmp_path_factory.mktemp("files") / "o.sqlite3"
        first = sqlite_outbox(path, pixels=[PIXEL], sends=[PIXEL])
        first.put([])
        first.close()
        fill(path, rows=size, claims=size, entries=size)
        with sqlite3.connect(path) as db:
            db.execute("UPDATE waiting SET due = ?, event_time = ?", (NOW, int(NOW)))
            db.execute("UPDATE once SET at = ?", (NOW,))
            db.execute("UPDATE ledger SET at = ?", (NOW,))
        db.close()
        pixel = "C0000000000000000002" if request.param == "other pixel" else PIXEL
        environment = "loopback" if request.param == "staging" else "production"
        opened.append(sqlite_outbox(path, pixels=[pixel], sends=[pixel], environment=environment))
    yield opened
    for outbox in opened:
        outbox.close()


def own_rows(outbox: SqliteOutbox, count: int = 3) -> list[LeasedRecord]:
    """Store rows of the outbox's own pixel and lease some."""
    outbox.put([new(outbox, f"own-{number}") for number in range(count)])
    return outbox.lease("a", count, limit_bytes=10**6, for_s=60.0)


def new(outbox: SqliteOutbox, event_id: str, *, once: bool = False, late: bool = False) -> Any:
    pixel = outbox._scopes.pixels[0]
    happened = NOW - 3 * 86400 if late else NOW
    return submission(record(event_id, pixel=pixel, event_time=happened), browser=not late, once=once)


CALLS: dict[str, Callable[[SqliteOutbox], object]] = {
    "put": lambda outbox: outbox.put([new(outbox, "plain")], put_id=b"writer-1" + bytes(8)),
    "put once": lambda outbox: outbox.put([new(outbox, "once", once=True)]),
    "put once again": lambda outbox: outbox.put([new(outbox, "once", once=True)]),
    "put once, late": lambda outbox: outbox.put([new(outbox, "late", once=True, late=True)]),
    "put a page view": lambda outbox: outbox.put(
        [submission(record("view", event="Pageview", pixel=outbox._scopes.pixels[0]))]
    ),
    "stored": lambda outbox: outbox.stored(b"writer-1" + bytes(8)),
    "take": lambda outbox: outbox.take("none"),
    "lease": lambda outbox: outbox.lease("a", 3, limit_bytes=10**6, for_s=60.0),
    "lease, blocked": lambda outbox: outbox.lease("a", 3, limit_bytes=10**6, for_s=60.0, pixels_blocked=[PIXEL]),
    "ack": lambda outbox: outbox.ack("a", own_rows(outbox)),
    "retry": lambda outbox: outbox.retry("a", [row.id for row in own_rows(outbox)], 1.0, "503"),
    "release": lambda outbox: outbox.release("a", [row.id for row in own_rows(outbox)]),
    "renew": lambda outbox: outbox.renew("a", [row.id for row in own_rows(outbox)], 60.0),
    "bury": lambda outbox: outbox.bury("a", own_rows(outbox), "40002 no"),
    "due_in_s": lambda outbox: outbox.due_in_s(),
    "last_id": lambda outbox: outbox.last_id(),
    "holds": lambda outbox: outbox.holds(outbox.last_id()),
    "counts": lambda outbox: outbox.counts(),
    "oldest_s": lambda outbox: outbox.oldest_s(),
    "resumes": lambda outbox: outbox.resumes(),
    "tidy": lambda outbox: outbox.tidy(),
}


@pytest.mark.parametrize("name", CALLS)
def test_cost_of_a_call_does_not_grow_with_the_file(outboxes: list[SqliteOutbox], name: str) -> None:
    spent = []
    for outbox in outboxes:
        WALL.pass_by(7200.0)  # so that the hourly housekeeping is due
        steps[0] = 0
        CALLS[name](outbox)
        spent.append(steps[0])
    small, large = spent
    assert large <= 2 * small + _LARGE // 10, f"{small} instructions in a small file, {large} in a large one"


def test_first_call_of_a_process_reads_no_more(tmp_path: Path, outboxes: list[SqliteOutbox]) -> None:
    spent = []
    for outbox in outboxes:
        path, pixels = outbox._connection.path, outbox._scopes.pixels
        for call in (SqliteOutbox.counts, SqliteOutbox.oldest_s, SqliteOutbox.due_in_s, SqliteOutbox.last_id):
            fresh = sqlite_outbox(path, pixels=pixels, sends=pixels, environment=outbox._scopes.environment)
            steps[0] = 0
            call(fresh)
            spent.append((call.__name__, steps[0]))
            fresh.close()
    assert [name for name, found in spent if found > _LARGE // 10] == []


@pytest.mark.parametrize("ledger_s", [0.0, 400 * 86400.0])
def test_surplus_is_removed_in_parts(outboxes: list[SqliteOutbox], ledger_s: float) -> None:
    spent = []
    for outbox in outboxes:
        limits = msgspec.structs.replace(outbox._limits, ledger=_SMALL // 2, claims=_SMALL // 2)
        pixels = outbox._scopes.pixels
        path = outbox._connection.path
        one = sqlite_outbox(path, pixels=pixels, sends=pixels, limits=limits, retention=Retention(ledger_s=ledger_s))
        steps[0] = 0
        one.tidy()
        spent.append(steps[0])
        one.close()
    assert spent[1] <= 3 * spent[0] + _LARGE // 10, spent
