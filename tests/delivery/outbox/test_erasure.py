"""A row that is delivered, purged or expired leaves no copy of its content on the disk within a minute."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import NOW, PIXEL, WALL, record, sqlite_outbox, submission, wait_until
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.admin import OutboxAdmin
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.dead_letters import RowFilter
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

EMAIL = sha256(b"jane@shop.example").hexdigest()
DAY = 86400.0


def personal(number: int) -> Record:
    pad = "x" * random.Random(number).randrange(0, 3000)
    user = {"email": EMAIL, "external_id": sha256(str(number).encode()).hexdigest()}
    body = json.dumps({"event": "Purchase", "event_id": f"e{number}", "user": user, "pad": pad}).encode()
    return Record(PIXEL, "web", "Purchase", f"e{number}", int(NOW), body)


def copies(path: Path) -> dict[str, int]:
    """How often each file of the outbox holds the hash; read by another process, so that no lock is dropped."""
    code = """
import pathlib, sys
folder, text = pathlib.Path(sys.argv[1]), sys.argv[2].encode()
for file in sorted(folder.iterdir()):
    print(file.name, file.read_bytes().count(text))
"""
    found = subprocess.run(
        [sys.executable, "-c", code, str(path.parent), EMAIL], capture_output=True, text=True, check=True
    )
    lines = (line.split() for line in found.stdout.splitlines())
    return {name: int(count) for name, count in lines if int(count)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@pytest.fixture
def outbox(path: Path) -> Iterator[SqliteOutbox]:
    outbox = sqlite_outbox(path)
    yield outbox
    outbox.close()


def lease(outbox: SqliteOutbox, limit: int = 1000) -> list[LeasedRecord]:
    return outbox.lease("a", limit, limit_bytes=10**8, for_s=60.0)


def minute_passes(*outboxes: SqliteOutbox) -> None:
    for _ in range(10):
        WALL.pass_by(5.0)
        for outbox in outboxes:
            outbox.tidy()


def is_clean_after_a_minute(path: Path, outbox: SqliteOutbox) -> bool:
    minute_passes(outbox)
    return copies(path) == {}


@pytest.mark.parametrize("count", [1, 20, 400])
def test_delivered_rows_leave_nothing(path: Path, outbox: SqliteOutbox, count: int) -> None:
    for number in range(count):
        outbox.put([submission(personal(number))])
    assert copies(path), "until then they are there"
    while rows := lease(outbox, 7):
        outbox.ack("a", rows)
    minute_passes(outbox)
    assert copies(path) == {}


def test_rows_that_were_tried_again_and_buried_leave_nothing(path: Path, outbox: SqliteOutbox) -> None:
    for number in range(60):
        outbox.put([submission(personal(number))])
    rows = lease(outbox)
    outbox.retry("a", [row.id for row in rows[::2]], 1.0, "503")
    outbox.release("a", [row.id for row in rows[1::2]])
    WALL.pass_by(2.0)
    outbox.bury("a", lease(outbox), "40002 no")
    WALL.pass_by(91 * DAY)
    minute_passes(outbox)
    assert outbox.counts()["dead"] == 0, "dead letters are kept for 90 days"
    assert copies(path) == {}


def test_purged_rows_leave_nothing_at_once(path: Path, outbox: SqliteOutbox) -> None:
    for number in range(30):
        outbox.put([submission(personal(number))])
    assert OutboxAdmin(path, WALL).purge(RowFilter()) == 30
    assert copies(path) == {}


def test_other_processes_that_read_and_write_keep_nothing_back(path: Path, outbox: SqliteOutbox) -> None:
    others = [sqlite_outbox(path) for _ in range(3)]
    for number in range(60):
        others[number % 3].put([submission(personal(number))])
        outbox.counts()
    for other in others:
        other.ack("a", lease(other, 20))
        OutboxAdmin(path, WALL).summary()
    minute_passes(outbox, *others)
    assert copies(path) == {}
    for other in others:
        other.close()


@pytest.fixture
def without_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian builds SQLite so that it overwrites deleted rows by default, others do not."""
    connect = sqlite3.connect

    def without(*args: Any, **options: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*args, **options)
        db.execute("PRAGMA secure_delete=OFF")
        return db

    monkeypatch.setattr(sqlite3, "connect", without)


def test_an_sqlite_without_secure_delete_by_default_leaves_nothing_either(path: Path, without_default: None) -> None:
    outbox = sqlite_outbox(path)
    for number in range(60):
        outbox.put([submission(personal(number))])
    rows = lease(outbox)
    outbox.bury("a", rows[:20], "40002 no")
    outbox.ack("a", rows[20:])
    OutboxAdmin(path, WALL).purge(RowFilter())
    minute_passes(outbox)
    assert copies(path) == {}
    outbox.close()


READER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=10)
db.execute("PRAGMA secure_delete=OFF")
print("reads", flush=True)
while not sys.stdin.closed:
    db.execute("SELECT count(*), sum(length(body)) FROM waiting").fetchone()
    db.rollback()
    time.sleep(0.002)
"""


def test_other_processes_that_read_all_the_time_keep_nothing_back(path: Path, without_default: None) -> None:
    """Their SQLite does not overwrite deleted rows by default either."""
    outbox = sqlite_outbox(path)
    for number in range(60):
        outbox.put([submission(personal(number))])
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout
            assert reader.stdout.readline() == b"reads\n"
        rows = lease(outbox)
        outbox.bury("a", rows[:20], "40002 no")
        outbox.ack("a", rows[20:])
        assert OutboxAdmin(path, WALL).purge(RowFilter()) == 20
        assert wait_until(lambda: is_clean_after_a_minute(path, outbox), 30)
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()
    outbox.close()
    assert copies(path) == {}


def test_what_a_killed_process_left_in_the_log_goes_too(path: Path) -> None:
    code = """
import os, sys
from tests.delivery.outbox.test_erasure import lease, personal, submission
from tests.delivery.delivery_world import sqlite_outbox
outbox = sqlite_outbox(sys.argv[1])
for number in range(20):
    outbox.put([submission(personal(number))])
outbox.ack("a", lease(outbox))
os.kill(os.getpid(), 9)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(path)], env={"PYTHONPATH": "."}, check=False)
    assert killed.returncode == -9
    assert copies(path)
    outbox = sqlite_outbox(path)
    outbox.counts()
    minute_passes(outbox)
    assert copies(path) == {}
    outbox.close()


def test_a_process_that_ends_leaves_nothing(path: Path) -> None:
    outbox, other = sqlite_outbox(path), sqlite_outbox(path)
    other.counts()
    outbox.put([submission(personal(1))])
    outbox.ack("a", lease(outbox))
    outbox.close()
    assert copies(path) == {}
    other.close()


@pytest.mark.slow
def test_a_file_that_an_earlier_process_filled_shrinks_once_it_is_empty(path: Path) -> None:
    outbox = sqlite_outbox(path)
    for part in range(4):
        outbox.put([submission(record(f"{part}-{number}", size=20_000)) for number in range(1000)])
    while rows := lease(outbox):
        outbox.ack("a", rows)
    outbox.close()
    full = path.stat().st_size
    outbox = sqlite_outbox(path)
    outbox.counts()
    minute_passes(outbox)
    outbox.close()
    assert full > 60_000_000
    assert path.stat().st_size < full / 3
