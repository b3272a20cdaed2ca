"""What only a file can do: survive, be shared, be damaged, be forked."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import NOW, WALL, at, record, sqlite_outbox, submission, submissions, wait_until
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.base import LeasedRecord, LeaseHolder, Limits
from tiktok_middleware.delivery.outbox.sqlite import connection as database
from tiktok_middleware.delivery.outbox.sqlite import migrate
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection
from tiktok_middleware.delivery.outbox.sqlite.database_file import file_lock
from tiktok_middleware.delivery.outbox.sqlite.once_claims import ONCE_RETENTION_S
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.outbox.sqlite.schema import MIGRATIONS
from tiktok_middleware.errors import OutboxError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite3"


def lease(outbox: SqliteOutbox, owner: str = "a", now: float = NOW, limit: int = 1000) -> list[LeasedRecord]:
    return at(outbox, now).lease(owner, limit, limit_bytes=10**6, for_s=60.0)


def test_nothing_is_opened_before_the_first_call(path: Path) -> None:
    sqlite_outbox(path).close()
    assert not path.parent.exists()


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(1))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"outbox.sqlite3": 0o600, "outbox.sqlite3-wal": 0o600, "outbox.sqlite3-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    outbox.close()


@pytest.mark.parametrize(("sync", "level"), [("normal", 0), ("full", 2)])
def test_the_file_is_in_wal_mode_and_commits_wait_for_the_disk_as_asked(path: Path, sync: str, level: int) -> None:
    outbox = sqlite_outbox(path, sync=sync)
    assert outbox._connection.read("PRAGMA journal_mode") == ("wal",)
    assert outbox._connection.read("PRAGMA synchronous") == (level,)
    outbox.close()


def test_rows_and_claims_outlive_the_outbox(path: Path) -> None:
    first = sqlite_outbox(path)
    order = submission(record("order-1", paired=True), browser=True, once=True)
    at(first, NOW).put([order])
    first.close()
    second = sqlite_outbox(path)
    assert at(second, NOW).put([order]) == [Claim(browser=False, server=False)]
    assert [row.record for row in lease(second)] == list(order.records)
    second.close()


def test_a_claim_in_passing_is_kept_as_long_as_its_id_is_good(path: Path) -> None:
    outbox = sqlite_outbox(path)
    minted = OutboxEntry("minted", browser=True, once=True, passing=True)
    at(outbox, NOW).put([minted])
    at(outbox, NOW + 4 * 86400 - 60).tidy()
    assert at(outbox, NOW + 4 * 86400 - 60).put([minted]) == [Claim(browser=False, server=False)]
    at(outbox, NOW + 5 * 86400).tidy()
    assert at(outbox, NOW + 5 * 86400).put([minted]) == [Claim(browser=True, server=False)]
    outbox.close()


def test_a_claim_is_kept_above_a_year_and_then_forgotten(path: Path) -> None:
    outbox = sqlite_outbox(path)
    order = OutboxEntry("order-1", browser=True, once=True)
    at(outbox, NOW).put([order])
    at(outbox, NOW + 366 * 86400).tidy()
    assert at(outbox, NOW).put([order]) == [Claim(browser=False, server=False)]
    at(outbox, NOW + ONCE_RETENTION_S + 1).tidy()
    assert at(outbox, NOW).put([order]) == [Claim(browser=True, server=False)]
    outbox.close()


def test_what_is_forgotten_goes_in_parts_and_all_of_it_goes(path: Path) -> None:
    outbox = sqlite_outbox(path, limits=Limits(rows=10, bytes=10_000, dead=1, claims=750))
    at(outbox, NOW - ONCE_RETENTION_S - 1).put([OutboxEntry(f"old-{i}", browser=True, once=True) for i in range(1250)])
    at(outbox, NOW).put([OutboxEntry(f"new-{i}", browser=True, once=True) for i in range(2000)])
    kept = []
    for _ in range(7):
        at(outbox, NOW).tidy()
        with closing(sqlite3.connect(path)) as db, db:
            kept.append(db.execute("SELECT count(*), (SELECT claims FROM tally) FROM once").fetchone())
        db.close()
    assert kept == [(left, left) for left in (2750, 2250, 1750, 1250, 750, 750, 750)], "never more than a part"
    again = at(outbox, NOW).put([OutboxEntry(f"old-{i}", browser=True, once=True) for i in range(25)])
    assert all(claim.browser for claim in again)
    outbox.close()


def test_a_year_of_claims_takes_bounded_room(path: Path) -> None:
    """Some 115 bytes each, so that the five million that are kept at most take 0.6 GB."""
    outbox = sqlite_outbox(path)
    for part in range(20):
        orders = [OutboxEntry(f"{part:04x}{i:04x}".ljust(32, "f"), browser=True, once=True) for i in range(1000)]
        at(outbox, NOW + part).put(orders)
    outbox.close()
    assert path.stat().st_size / 20_000 < 140


def test_claims_of_an_older_file_are_counted_when_it_is_opened(path: Path) -> None:
    older = database.Connection(path, MIGRATIONS[:3], "normal")
    with older.transaction() as db:
        db.executemany("INSERT INTO once VALUES (?, 'browser', ?)", [(name, NOW) for name in "abc"])
    older.close()
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put([OutboxEntry("d", browser=True, once=True)])
    outbox.close()
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT claims FROM tally").fetchone() == (4,)
    db.close()


def test_what_waits_for_a_halted_pixel_costs_the_others_nothing(path: Path) -> None:
    """A million rows may wait for days; whoever looks for work holds up every other process meanwhile."""
    outbox, steps = sqlite_outbox(path), []
    for part in range(20):
        at(outbox, NOW).put(submissions(1000, f"halted-{part}", pixel="A"))
    at(outbox, NOW + 1).put(
        [submission(record("well", pixel="B")), submission(record("sold", pixel="B", source="offline"))]
    )
    last_id, db = outbox.last_id(), outbox._connection._db
    assert db
    db.set_progress_handler(lambda: steps.append(1), 1000)
    assert outbox.due_in_s({"A"}) == NOW + 1 - WALL.now
    assert outbox.holds(last_id, {"A"})
    assert not outbox.holds(last_id - 2, {"A"})
    assert not outbox.holds(last_id, {"A", "B"})
    found = [at(outbox, NOW + 2).lease("b", 10, limit_bytes=10**6, for_s=60, pixels_blocked={"A"}) for _ in range(3)]
    assert sorted(row.record.event_id for part in found for row in part) == ["sold", "well"]
    assert outbox.due_in_s({"A", "B"}) is None
    assert len(steps) <= 2, "thousands of SQLite's steps"


def test_what_was_stored_before_the_clock_was_set_back_does_not_wait_for_it(path: Path) -> None:
    outbox = sqlite_outbox(path, monotonic=time.monotonic)
    at(outbox, NOW).put(submissions(2, event_time=NOW))
    assert at(outbox, NOW).lease("killed", 1, limit_bytes=10**6, for_s=20)
    at(outbox, NOW).tidy()
    now = NOW - 86_400
    at(outbox, now).put(submissions(1, "later"))
    outbox.retry("a", [row.id for row in lease(outbox, "a", now)], 3600)
    at(outbox, now).tidy()
    assert [row.record.event_id for row in lease(outbox, "b", now)] == ["evt-0", "evt-1"]
    assert outbox.due_in_s() == 60
    assert [row.record.event_id for row in lease(outbox, "c", now + 3600)] == ["evt-0", "evt-1", "later-0"]


def test_a_burial_does_not_count_all_the_dead(path: Path) -> None:
    outbox, steps = sqlite_outbox(path), []
    at(outbox, NOW).keep_dead([record(f"dead-{i}", size=1000) for i in range(5000)], "refused")
    at(outbox, NOW).put(submissions(1))
    [row] = lease(outbox)
    db = outbox._connection._db
    assert db
    plan = db.execute("EXPLAIN QUERY PLAN SELECT count(*) FROM dead").fetchall()
    assert "COVERING INDEX" in plan[0][3], "their bodies are not read"
    db.set_progress_handler(lambda: steps.append(1), 1000)
    assert outbox.bury("a", [row], "refused") == 1
    assert len(steps) <= 2


def test_a_dead_letter_keeps_all_it_had_and_why(path: Path) -> None:
    outbox = sqlite_outbox(path)
    one = record("evt", paired=True)
    at(outbox, NOW).put([submission(one)])
    rows = lease(outbox)
    at(outbox, NOW + 3).bury("a", rows, "40002 no")
    outbox.close()
    with closing(sqlite3.connect(path)) as db, db:
        row = db.execute(
            "SELECT pixel, source, event, event_id, event_time, body, paired, reason, died FROM dead"
        ).fetchone()
    db.close()
    assert row == (one.pixel, "web", "Purchase", "evt", int(NOW), one.body, 1, "40002 no", NOW + 3)


def test_rows_can_be_leased_while_they_are_stored(path: Path) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(2, "before"))
    holder = LeaseHolder("w", 20)
    wanted = [*submissions(120, "new"), submission(record("lost"), once=True)]
    at(outbox, NOW).put([submission(record("lost"), once=True)])
    claims = at(outbox, NOW).put(wanted, holder=holder)
    assert [claim.server for claim in claims] == [True] * 120 + [False]
    assert [row.record for row in holder.rows] == [r for s in wanted[:-1] for r in s.records]
    assert [row.record.event_id for row in lease(outbox)] == ["before-0", "before-1", "lost"]
    assert outbox.ack("w", holder.rows[:-1]) == 119
    assert [row.record.event_id for row in lease(outbox, now=NOW + 20)] == ["new-119"]
    outbox.close()


def test_nothing_to_store_takes_nothing(path: Path) -> None:
    outbox = sqlite_outbox(path)
    holder = LeaseHolder("w", 20)
    at(outbox, NOW).put([OutboxEntry("e", browser=True)], holder=holder)
    assert holder.rows == []
    outbox.close()


def test_a_schema_from_a_newer_release_is_left_alone(path: Path) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(1))
    outbox.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(OutboxError, match="newer release"):
        at(outbox, NOW).put(submissions(1))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_older_schema_takes_the_missing_steps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(1))
    outbox.close()
    steps = (*MIGRATIONS, "CREATE TABLE more (x);\nINSERT INTO more VALUES (7);\n")
    newer = database.Connection(path, steps, "normal")
    assert newer.read("SELECT x, (SELECT count(*) FROM waiting) FROM more") == (7, 1)
    assert newer.read("PRAGMA user_version") == (len(steps),)
    newer.close()


def test_a_file_that_is_no_connection_is_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    outbox = sqlite_outbox(path)
    assert at(outbox, NOW).put(submissions(1)) == [Claim(browser=False, server=True)]
    outbox.close()
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_bytes().startswith(b"this is no database")
    assert caplog.text.count("is damaged") == 1


def test_damage_found_at_work_is_set_aside_at_the_next_call(path: Path) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(300, size=2000))
    outbox.close()
    data = bytearray(path.read_bytes())
    data[163840:-4096] = b"\xff" * (len(data) - 163840 - 4096)
    path.write_bytes(data)
    with pytest.raises(OutboxError):
        lease(outbox)
    assert at(outbox, NOW).put(submissions(1)) == [Claim(browser=False, server=True)]
    assert outbox.counts()["waiting"] == 1
    assert len(list(path.parent.glob("*.damaged-*"))) >= 1
    outbox.close()


def _remove(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def test_a_file_that_is_removed_while_in_use_is_made_anew_and_loses_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As by somebody who tidies up. Until then SQLite would write on into what no other process can open."""
    outbox, other = sqlite_outbox(path), sqlite_outbox(path)
    at(outbox, NOW).put([*submissions(3, "early"), submission(record("order"), browser=True, once=True)])
    [in_hand, *_] = lease(outbox, "a", limit=1)
    assert lease(other, "b", limit=1)
    at(outbox, NOW).tidy()
    _remove(path)
    assert at(outbox, NOW).put([submission(record("order"), browser=True, once=True)]) == [
        Claim(browser=False, server=False)
    ]
    assert "removed or replaced while in use" in caplog.text
    at(other, NOW).put(submissions(2, "late"))
    assert outbox.ack("a", [in_hand]) == 1, "what was in hand is still known by its number"
    left = lease(sqlite_outbox(path), "c", NOW + 61)
    assert sorted(row.record.event_id for row in left) == ["early-1", "early-2", "late-0", "late-1", "order"]
    assert outbox.counts() == {"waiting": 5, "bytes": sum(len(row.record.body) for row in left), "dead": 0}
    at(outbox, NOW + 4000).tidy()


def test_numbers_of_one_file_are_not_those_of_the_next(path: Path) -> None:
    seen: list[int] = []
    for name in "ab":
        outbox = sqlite_outbox(path)
        at(outbox, NOW).put(submissions(2, name))
        seen += [row.id for row in lease(outbox)]
        outbox.close()
        _remove(path)
        time.sleep(0.01)
    assert len(set(seen)) == 4


def test_a_removed_file_that_cannot_be_read_is_left_and_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(1))
    db = outbox._connection._db
    assert db
    db.execute("DROP TABLE tally")
    _remove(path)
    at(outbox, NOW).put(submissions(1, "late"))
    assert "could not be taken along (no such table" in caplog.text
    assert [row.record.event_id for row in lease(outbox)] == ["late-0"]


def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outbox = sqlite_outbox(tmp_path / "file" / "outbox.sqlite3")
    with pytest.raises(OutboxError, match=r"outbox\.sqlite3"):
        at(outbox, NOW).put(submissions(1))
    with pytest.raises(OutboxError):
        outbox.counts()


def test_a_failed_put_leaves_nothing_behind(path: Path) -> None:
    outbox = sqlite_outbox(path)
    order = submission(record("order-1"), browser=True, once=True)
    unstorable = submission(record("order-2", event_time=2.0**70), once=True)
    with pytest.raises(OverflowError):
        at(outbox, NOW).put([order, unstorable])
    assert at(outbox, NOW).put([order]) == [Claim(browser=True, server=True)], "its claims were rolled back"
    assert outbox.counts()["waiting"] == 1
    outbox.close()


def test_a_transaction_waits_for_another_process_and_not_forever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox, impatient = sqlite_outbox(path), sqlite_outbox(path, busy_limit_s=0.05)
    at(outbox, NOW).put(submissions(1))
    impatient.counts()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match="locked"):
        at(impatient, NOW).put(submissions(1))
    impatient.close()
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 7:
            other.execute("COMMIT")

    monkeypatch.setattr(time, "sleep", sleep)
    assert at(outbox, NOW).put(submissions(1)) == [Claim(browser=False, server=True)]
    assert len(sleeps) == 7
    assert max(sleeps) <= 0.001
    other.close()
    outbox.close()


def test_the_log_is_written_back_once_it_has_grown(path: Path) -> None:
    """By its size, whoever wrote it: with many processes none of them writes enough by itself."""
    outboxes = [sqlite_outbox(path) for _ in range(8)]
    for i in range(1200):
        outboxes[i % 8].put(submissions(1, f"e{i}", size=3000))
    assert wait_until(lambda: path.stat().st_size > 1000 * 3000)
    for outbox in outboxes:
        outbox.close()


def test_a_put_that_page_views_give_way_to_keeps_the_books(path: Path) -> None:
    outbox = sqlite_outbox(path, limits=Limits(rows=200, bytes=10**6, dead=10))
    at(outbox, NOW).put(submissions(200, "view", event="Pageview"))
    at(outbox, NOW).put(submissions(1, "sale"))
    counted = outbox._connection.read("SELECT count(*), sum(length(body)) FROM waiting")
    assert counted == outbox._connection.read("SELECT rows, bytes FROM tally")
    assert counted is not None
    assert counted[0] == 199, "views go by the hundredth"
    outbox.close()


WORKER = """
import os, sys, time
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tests.delivery.delivery_world import WALL, at, memory_outbox, sqlite_outbox, NOW, submissions
outbox = sqlite_outbox(sys.argv[1])
for i in range(int(sys.argv[2])):
    at(outbox, NOW).put(submissions(1, f"{os.getpid()}-{i}"))
    print(i, flush=True)
{then}
"""


def spawn(path: Path, count: int, then: str) -> subprocess.Popen[str]:
    code = WORKER.replace("{then}", then)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(count)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": "."}
    )


def test_a_killed_worker_loses_neither_what_it_put_nor_what_it_leased(path: Path) -> None:
    worker = spawn(
        path,
        50,
        "outbox.lease('w', 20, limit_bytes=10**6, for_s=60.0); print('held', flush=True)\ntime.sleep(60)",
    )
    assert worker.stdout is not None
    while worker.stdout.readline().strip() != "held":
        assert worker.poll() is None
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(10)
    worker.stdout.close()
    outbox = sqlite_outbox(path)
    assert len(lease(outbox)) == 30
    assert len(lease(outbox, "b", now=NOW + 60)) == 50, "leases have expired"
    outbox.close()


def test_processes_share_the_file(path: Path) -> None:
    workers = [spawn(path, 100, "") for _ in range(3)]
    for worker in workers:
        assert worker.wait(60) == 0
        assert worker.stdout is not None
        worker.stdout.close()
    outbox = sqlite_outbox(path)
    assert outbox.counts()["waiting"] == 300
    assert len({row.record.event_id for row in lease(outbox)}) == 300
    outbox.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_no_connection_lives_through_a_fork(path: Path) -> None:
    """A child that inherited one would lose its rows with the log that the parent deletes when it closes."""
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(1, "parent"))
    to_child, from_child = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - runs in the child
        try:
            at(outbox, NOW).put(submissions(1, "child-first"))
            os.write(from_child[1], b"1")
            os.read(to_child[0], 1)
            at(outbox, NOW).put(submissions(1, "child-second"))
            os.write(from_child[1], b"2")
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.read(from_child[0], 1) == b"1"
    at(outbox, NOW).put(submissions(1, "parent-again"))
    outbox.close()
    os.write(to_child[1], b"x")
    assert os.read(from_child[0], 1) == b"2"
    os.waitpid(pid, 0)
    for end in (*to_child, *from_child):
        os.close(end)
    names = {row.record.event_id for row in lease(outbox)}
    assert names == {"parent-0", "child-first-0", "parent-again-0", "child-second-0"}
    outbox.close()


def test_a_fork_behind_pythons_back_uses_no_inherited_connection(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(1))
    inherited = outbox._connection._db
    assert inherited is not None
    monkeypatch.setattr(os, "getpid", lambda: -1)
    at(outbox, NOW).put(submissions(1))
    assert outbox._connection._db is not inherited
    assert inherited in database._inherited
    assert inherited.execute("SELECT 1").fetchone() == (1,), "it is not closed either"
    outbox.close()
    database._inherited.remove(inherited)
    inherited.close()


def test_a_checkpoint_that_fails_says_so_and_leaves_nothing_open(path: Path) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(1))
    outbox._connection.maintenance.checkpoint()
    outbox._connection.maintenance.checkpoint()
    outbox.close()
    outbox._connection.maintenance.checkpoint()
    assert outbox._connection.maintenance._db is None, "after the end each call cleans up behind itself"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(OutboxError):
        outbox._connection.maintenance.checkpoint()


def test_only_one_process_sets_a_damaged_file_aside(path: Path) -> None:
    """Another one waited for the lock, and finds a good file when its turn comes."""
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    quicker: list[SqliteOutbox] = []

    @contextlib.contextmanager
    def alone(lock: Path) -> Iterator[None]:
        if not quicker:
            quicker.append(sqlite_outbox(path))
            at(quicker[0], NOW).put(submissions(1, "quicker"))
        with file_lock(lock):
            yield

    connection = Connection(path, MIGRATIONS, "normal", alone=alone)
    assert connection.read("SELECT event_id FROM waiting") == ("quicker-0",)
    assert len(list(path.parent.glob("*.damaged-*"))) == 1
    connection.close()
    quicker[0].close()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """A good database that another process keeps to itself."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE x (y)")
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.close()


def test_a_file_that_cannot_be_read_is_not_taken_for_damaged(path: Path) -> None:
    path.parent.mkdir()
    with locked(path), pytest.raises(OutboxError, match="locked"):
        at(sqlite_outbox(path, busy_limit_s=0.01), NOW).put(submissions(1))
    assert not list(path.parent.glob("*.damaged-*"))


def test_a_good_file_that_took_a_damaged_ones_place_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)

    @contextlib.contextmanager
    def alone(_: Path) -> Iterator[None]:
        path.unlink()
        with locked(path):
            yield

    connection = Connection(path, MIGRATIONS, "normal", busy_limit_s=0.01, alone=alone)
    with pytest.raises(OutboxError, match="locked"):
        connection.read("SELECT 1")
    assert not list(path.parent.glob("*.damaged-*"))


def test_a_fork_does_not_wait_for_a_disk_that_hangs(path: Path) -> None:
    connection = Connection(path, MIGRATIONS, "normal", fork_wait_s=0.01)
    with connection.transaction() as db:
        database._for_all("before_fork")
        database._for_all("after_fork")
        assert db.execute("SELECT 1").fetchone() == (1,), "the connection in use is not closed under it"
    assert connection.read("SELECT count(*) FROM waiting") == (0,)
    connection.close()


class Late(sqlite3.Connection):
    """A connection that asked for the version before another one migrated the file."""

    has_asked = False

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "PRAGMA user_version" and not self.has_asked:
            self.has_asked = True
            sql = "SELECT 0"
        return super().execute(sql, *values)


def test_two_connections_that_migrate_at_once_do_it_once(path: Path) -> None:
    outbox = sqlite_outbox(path)
    at(outbox, NOW).put(submissions(1))
    late = sqlite3.connect(path, isolation_level=None, factory=Late)
    migrate.migrate(late, MIGRATIONS)
    assert late.has_asked
    assert not late.in_transaction
    assert late.execute("SELECT count(*) FROM waiting").fetchone() == (1,)
    late.close()
    outbox.close()
