"""A file of the release before is taken over as it is, and both releases work on one file side by side."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.delivery.delivery_world import NOW, at, record, sqlite_outbox, submission, submissions
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.admin import OutboxAdmin
from tiktok_middleware.delivery.outbox.dead_letters import RowFilter
from tiktok_middleware.delivery.outbox.sqlite.schema import MIGRATIONS, SCHEMA_VERSION

A, B = "C000000000000000000A", "C000000000000000000B"


class EarlierRelease:
    """The statements of release 0.1 on an outbox file, word for word."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        if self.db.execute("PRAGMA user_version").fetchone()[0] > 6:
            raise OSError("written by a newer release")
        if self.db.execute("PRAGMA user_version").fetchone()[0] == 0:
            for script in MIGRATIONS[:6]:
                for statement in script.split(";\n"):
                    self.db.execute(statement)
            self.db.execute("PRAGMA user_version=6")

    def put(self, event_id: str, pixel: str = A, *, once: bool = False, owner: str | None = None) -> bool:
        """Whether the server copy won."""
        db, one = self.db, record(event_id, pixel=pixel)
        db.execute("BEGIN IMMEDIATE")
        db.execute("SELECT rows, bytes FROM tally").fetchone()
        claims = 0
        if once:
            claim = """INSERT OR IGNORE INTO once SELECT ?, ?, ? WHERE NOT EXISTS
                (SELECT 1 FROM once WHERE event_id = ? AND at < ?)"""
            claims = db.execute(claim, (event_id, "server", NOW, event_id, NOW - 47 * 3600)).rowcount
        is_won = claims == 1 or not once
        if is_won:
            db.execute(
                """INSERT INTO waiting (pixel, source, event, event_id, event_time, paired, body, due, owner) VALUES
                (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                (pixel, "web", one.event, event_id, one.event_time, False, one.body, NOW, owner),
            )
        rows = (int(is_won), int(is_won) * len(one.body), claims)
        db.execute("UPDATE tally SET rows = rows + ?, bytes = bytes + ?, claims = claims + ?", rows)
        db.execute("COMMIT")
        return is_won

    def lease(self, pixels_blocked: tuple[str, ...] = ()) -> list[tuple[int, str, str]]:
        """Number, pixel and event of each row that it would send."""
        marks = ", ".join("?" * len(pixels_blocked))
        sql = f"SELECT id, pixel, event_id FROM waiting WHERE due <= ? AND pixel NOT IN ({marks}) ORDER BY id"
        rows = self.db.execute(sql, (NOW, *pixels_blocked)).fetchall()
        self.db.executemany("UPDATE waiting SET owner = 'old', due = ? WHERE id = ?", [(NOW + 20, r[0]) for r in rows])
        return rows

    def ack(self, rows: list[tuple[int, str, str]]) -> None:
        for row_id, _, _ in rows:
            [size] = self.db.execute("SELECT length(body) FROM waiting WHERE id = ?", (row_id,)).fetchone()
            self.db.execute("DELETE FROM waiting WHERE id = ?", (row_id,))
            self.db.execute("UPDATE tally SET rows = rows - 1, bytes = bytes - ?, claims = claims + 0", (size,))

    def bury(self, rows: list[tuple[int, str, str]]) -> None:
        for row_id, _, _ in rows:
            self.db.execute(
                """INSERT OR REPLACE INTO dead SELECT id, pixel, source, event, event_id, event_time, paired, body, tries,
                ?, ? FROM waiting WHERE id = ?""",
                ("40002 no", NOW, row_id),
            )
        self.ack(rows)

    def keep(self, ref: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO parcels VALUES (?, ?, ?)", (ref, b"[1]", NOW))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@pytest.fixture
def old(path: Path) -> Iterator[EarlierRelease]:
    release = EarlierRelease(path)
    yield release
    release.db.close()


def test_all_that_an_earlier_release_stored_is_productions(old: EarlierRelease, path: Path) -> None:
    for name in ("a", "b", "c"):
        old.put(name)
    old.put("other", B)
    old.put("order", once=True)
    old.bury([row for row in old.lease() if row[2] == "c"])
    old.db.execute("UPDATE waiting SET due = ?, owner = NULL", (NOW,))
    old.keep("ref")
    before = path.stat().st_size

    staging = sqlite_outbox(path, environment="loopback", pixels=[A], sends=[A])
    assert staging.lease("s", 10, limit_bytes=10**6, for_s=60) == []
    assert staging.put([submission(record("order", pixel=A), once=True)]) == [Claim(browser=False, server=True)]

    new = sqlite_outbox(path, pixels=[A], sends=[A])
    other = sqlite_outbox(path, pixels=[B], sends=[B])
    assert new.put([OutboxEntry("order", (record("order", pixel=A),), once=True)]) == [
        Claim(browser=False, server=False)
    ]
    assert other.put([OutboxEntry("order", (record("order", pixel=B),), once=True)]) == [
        Claim(browser=False, server=False)
    ], "the earlier claim names no pixel, so that it counts for each"
    assert new.take("ref") == b"[1]"
    assert new.counts() == {"waiting": 4, "bytes": 4 * len(record("a").body) + 8, "dead": 1}
    rows = new.lease("n", 10, limit_bytes=10**6, for_s=60)
    assert [row.record.event_id for row in rows] == ["a", "b", "order"]
    assert [row.record.event_id for row in other.lease("n", 10, limit_bytes=10**6, for_s=60)] == ["other"]
    assert new.ack("n", rows) == 3
    admin = OutboxAdmin(path, lambda: NOW)
    assert [row.event_id for row in admin.rows(RowFilter(states=("dead",)))] == ["c"]
    assert admin.retry(RowFilter(states=("dead",))).put_back == 1
    assert [row.record.event_id for row in new.lease("n", 10, limit_bytes=10**6, for_s=60)] == ["c"]
    assert path.stat().st_size < before + 100_000
    for outbox in (staging, new, other):
        outbox.close()


def test_the_schema_number_stays_what_the_earlier_release_knows(path: Path) -> None:
    new = sqlite_outbox(path)
    new.put(submissions(1))
    new.close()
    assert SCHEMA_VERSION == 6
    EarlierRelease(path).db.close()


def test_an_earlier_release_goes_on_beside_a_newer_one(old: EarlierRelease, path: Path) -> None:
    """A rolling deploy: none of them loses durability, and an order counts once whichever process it meets."""
    old.put("first")
    new = sqlite_outbox(path, pixels=[A], sends=[A])
    new.put(submissions(2, "new", pixel=A))
    assert old.put("second")
    assert old.put("order-1", once=True)
    assert new.put([submission(record("order-1", pixel=A), once=True)]) == [Claim(browser=False, server=False)]
    assert new.put([submission(record("order-2", pixel=A), once=True)]) == [Claim(browser=False, server=True)]
    assert not old.put("order-2", once=True)
    sent = old.lease()
    assert [row[2] for row in sent] == ["first", "new-0", "new-1", "second", "order-1", "order-2"]
    old.ack(sent[:2])
    old.bury(sent[2:3])
    rows = at(new, NOW + 30).lease("n", 10, limit_bytes=10**6, for_s=60)
    assert [row.record.event_id for row in rows] == ["second", "order-1", "order-2"]
    assert new.ack("n", rows) == 3
    assert new.counts() == {"waiting": 0, "bytes": 0, "dead": 1}
    new.close()


def test_operator_reads_a_file_of_an_earlier_release_as_it_is(old: EarlierRelease, path: Path) -> None:
    for name in ("a", "b"):
        old.put(name)
    old.bury(old.lease()[1:])
    admin = OutboxAdmin(path, lambda: NOW)
    everything = RowFilter(states=("waiting", "in_flight", "dead", "delivered"))
    assert [row.event_id for row in admin.newest(everything, 10)] == ["a", "b"]
    assert [row.event_id for row in admin.rows(everything)] == ["a", "b"]
    assert admin.count(everything) == 2
    delivered = RowFilter(states=("delivered",))
    assert (admin.newest(delivered, 10), list(admin.rows(delivered)), admin.count(delivered)) == ([], [], 0)
    assert not old.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchall(), "reading adds nothing"


def test_a_rollback_loses_nothing_and_counts_nothing_twice(path: Path) -> None:
    new = sqlite_outbox(path, pixels=[A], sends=[A])
    new.put([*submissions(2, pixel=A), submission(record("order", pixel=A), once=True)])
    new.close()
    old = EarlierRelease(path)
    assert [row[2] for row in old.lease()] == ["evt-0", "evt-1", "order"]
    assert not old.put("order", once=True)
    old.db.close()


def test_an_earlier_release_has_no_token_for_rows_of_another_environment(path: Path) -> None:
    staging = sqlite_outbox(path, environment="loopback", pixels=[A], sends=[A])
    staging.put(submissions(2, pixel=A))
    staging.close()
    old = EarlierRelease(path)
    assert {pixel for _, pixel, _ in old.lease()} == {f"{A}@loopback"}
    old.db.close()


def test_counters_that_an_earlier_release_did_not_keep_are_mended(old: EarlierRelease, path: Path) -> None:
    new = sqlite_outbox(path, pixels=[A, B], sends=[A, B])
    new.put(submissions(3, pixel=B))
    old.put("late", B)
    old.ack(old.lease()[:2])
    new.tidy()
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT rows FROM usage").fetchall() == [(2,)]
        assert db.execute("SELECT rows, other_rows FROM tally").fetchall() == [(2, 2)]
    db.close()
    new.close()
