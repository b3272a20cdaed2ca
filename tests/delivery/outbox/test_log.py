"""The write-ahead log: its size, its checkpoints, and that no put waits for the disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.delivery.delivery_world import PIXEL, sqlite_outbox, submission
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection
from tiktok_middleware.delivery.outbox.sqlite.log_file import is_log_used, sync_log, wal_bytes
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.outbox.sqlite.schema import MIGRATIONS
from tiktok_middleware.errors import OutboxError

PAGE_AND_HEADER = 4096 + 24


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


def put(outbox: SqliteOutbox, size: int) -> None:
    outbox.put([submission(Record(PIXEL, "web", "Purchase", "e", 1, b"x" * size))])


def test_no_log_is_not_used(path: Path) -> None:
    assert wal_bytes(path) == 0
    assert not is_log_used(path, 0)
    Path(f"{path}-wal").touch()
    assert not is_log_used(path, 0)
    sync_log(path.with_name("none"))


@pytest.mark.parametrize("frames", [1, 2, 3, 17, 400])
def test_used_size_is_the_frames_of_this_round(path: Path, frames: int) -> None:
    """After a restart, older frames follow the new ones and do not count."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("y" * 3000,)] * 500)
        full = wal_bytes(path)
        assert is_log_used(path, full - 1)
        assert not is_log_used(path, full)
        db.execute("PRAGMA wal_checkpoint(RESTART)")
        for number in range(frames):
            db.execute(f"PRAGMA user_version={number}")  # one page
        used = 32 + frames * PAGE_AND_HEADER
        assert wal_bytes(path) == full
        assert is_log_used(path, 0)
        assert is_log_used(path, used - 1)
        assert not is_log_used(path, used)


def test_a_complete_checkpoint_restarts_the_log_and_keeps_its_file(path: Path) -> None:
    outbox = sqlite_outbox(path)
    for _ in range(20):
        put(outbox, 20_000)
    full = wal_bytes(path)
    assert outbox._connection.maintenance.checkpoint()
    assert wal_bytes(path) == full
    assert not is_log_used(path, 32 + PAGE_AND_HEADER)
    put(outbox, 10)
    assert wal_bytes(path) == full, "the log is written again from its start"
    outbox.close()


def test_a_checkpoint_beside_a_writer_is_not_complete(path: Path) -> None:
    outbox = sqlite_outbox(path)
    put(outbox, 10)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM tally").fetchone()
        put(outbox, 10)
        assert not outbox._connection.maintenance.checkpoint(), "the reader needs the log's older state"
        assert not outbox._connection.maintenance.truncate(is_urgent=False)
    assert outbox._connection.maintenance.truncate()
    assert wal_bytes(path) == 0
    outbox.close()


@pytest.mark.parametrize(("sync", "level"), [("normal", 0), ("full", 2)])
def test_with_sync_normal_no_transaction_waits_for_the_disk(path: Path, sync: str, level: int) -> None:
    database = Connection(path, (), sync)
    assert database.read("PRAGMA synchronous") == (level,)
    assert database.read("PRAGMA wal_autocheckpoint") == (0,)
    with database.maintenance.second_connection() as db:
        assert db.execute("PRAGMA synchronous").fetchone()[0] > 0, "checkpoints sync the log and the file"
    database.maintenance.checkpoint()
    with database.maintenance.second_connection() as db:
        assert db.execute("PRAGMA synchronous").fetchone()[0] > 0
    database.close()


def test_a_large_log_is_checkpointed_by_a_commit_where_no_thread_starts(path: Path) -> None:
    database = Connection(
        path, MIGRATIONS, "normal", checkpoint_bytes=100_000, backstop_bytes=200_000, start_thread=lambda _: False
    )
    sizes = []
    for number in range(64):
        with database.transaction() as db:
            db.execute("INSERT INTO parcels VALUES (?, ?, 0)", (str(number), b"x" * 40_000))
        sizes.append(wal_bytes(path))
    assert max(sizes) < 1_500_000, "without a checkpoint it would have 4 MB"
    database.close()


def test_a_restart_of_the_log_that_fails_blocks_no_put(path: Path) -> None:
    outbox = sqlite_outbox(path)
    put(outbox, 10)

    def refuse(_action: int, name: str | None, value: str | None, *_: object) -> int:
        return sqlite3.SQLITE_DENY if name == "user_version" and value is not None else sqlite3.SQLITE_OK

    with outbox._connection.maintenance.second_connection() as db:
        db.set_authorizer(refuse)
    with pytest.raises(OutboxError):
        outbox._connection.maintenance.checkpoint()
    put(outbox, 10)
    assert outbox.counts()["waiting"] == 2
    with outbox._connection.maintenance.second_connection() as db:
        assert db.execute("PRAGMA synchronous").fetchone()[0] > 0
    outbox.close()
