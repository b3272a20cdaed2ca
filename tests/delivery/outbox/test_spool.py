"""Puts that wait on a host keep their order, their ids and their entries, whoever of the host takes them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.delivery_world import NOW, WALL, record, submission, submissions
from tiktok_middleware.core.events.event import Claim, DeferredPayload, Draft, OutboxEntry
from tiktok_middleware.delivery.outbox.deferred import DEFERRED_LIFE_S
from tiktok_middleware.delivery.outbox.spool import MemorySpool, Spool, SpooledPut
from tiktok_middleware.delivery.outbox.sqlite.spool_file import SpoolFile
from tiktok_middleware.delivery.outbox.undecided_claims import UndecidedClaims

Pair = tuple[Spool, Spool]


@pytest.fixture(params=["memory", "file"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """Two processes' views of one spool."""
    WALL.now = NOW
    if request.param == "memory":
        spool = MemorySpool(WALL)
        yield spool, spool
    else:
        files = [SpoolFile(tmp_path / "spool", "production", WALL, "normal") for _ in range(2)]
        yield files[0], files[1]
        for file in files:
            file.close()


def test_a_tried_put_keeps_its_id_and_all_of_its_entries(pair: Pair) -> None:
    one, other = pair
    entries = [
        submission(record("a", paired=True), record("b"), browser=True, once=True),
        OutboxEntry("c", browser=True),
    ]
    one.keep(entries, b"p" * 16)
    assert one.rows == other.rows == 2
    put = other.oldest(1)
    assert put is not None
    assert (put.put_id, put.entries) == (b"p" * 16, entries)
    other.remove(put)
    assert (one.rows, one.oldest(1)) == (0, None)


def test_puts_that_were_never_tried_become_one_whose_id_stays(pair: Pair) -> None:
    one, other = pair
    for number in range(5):
        one.keep(submissions(2, f"e{number}"), b"")
    first, again = one.oldest(5), other.oldest(5)
    assert first is not None
    assert again is not None
    assert first == again, "two processes try the same put under the same id"
    assert [entry.event_id for entry in first.entries] == [f"e{n}-{i}" for n in range(3) for i in range(2)]
    one.remove(first)
    other.remove(again)
    rest = other.oldest(100)
    assert rest is not None
    assert rest.put_id != first.put_id
    assert [entry.event_id for entry in rest.entries] == ["e3-0", "e3-1", "e4-0", "e4-1"]


def test_a_tried_put_is_never_joined_with_others(pair: Pair) -> None:
    one, _ = pair
    one.keep(submissions(1, "a"), b"")
    one.keep(submissions(1, "b"), b"t" * 16)
    one.keep(submissions(1, "c"), b"")
    taken = []
    while put := one.oldest(100):
        taken.append((put.put_id == b"t" * 16, [entry.event_id for entry in put.entries]))
        one.remove(put)
    assert taken == [(False, ["a-0"]), (True, ["b-0"]), (False, ["c-0"])]


def test_a_deferred_payload_is_found_for_a_day(pair: Pair) -> None:
    one, other = pair
    one.keep([OutboxEntry("a", browser=True, deferred=DeferredPayload("ref", b"[1]"))], b"")
    assert other.take("ref") == b"[1]"
    assert other.take("other") is None
    WALL.now = NOW + DEFERRED_LIFE_S
    assert other.take("ref") is None


@pytest.mark.parametrize("put_id", [b"", b"t" * 16], ids=["never tried", "tried"])
@pytest.mark.parametrize("kind", ["BLOB", "TEXT"])
@pytest.mark.parametrize(
    "stored",
    [b"", b"\xff\x00 damage", b"\x91\x01", b"\x81\xa1a\x01", b"text"],
    ids=["empty", "odd", "shape", "map", "text"],
)
def test_a_put_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    tmp_path: Path, stored: bytes, kind: str, put_id: bytes
) -> None:
    path = tmp_path / "spool"
    spool = SpoolFile(path, "production", WALL, "normal")
    for name in ("first", "damaged", "last"):
        spool.keep(submissions(2, name), put_id and name.encode().ljust(16))
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE spool SET entries = CAST(? AS {kind}) WHERE id = 2", (stored,))
    seen: list[str] = []
    while put := spool.oldest(100):
        seen += [put.fault and "fault", *(entry.event_id for entry in put.entries)]
        if put.fault:
            assert spool.set_aside(put) == 2
        else:
            spool.remove(put)
    assert [one for one in seen if one] == ["first-0", "first-1", "fault", "last-0", "last-1"]
    assert spool.rows == 0
    spool.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT CAST(entries AS BLOB) FROM unreadable").fetchall() == [(stored,)]


@pytest.mark.parametrize("how", ["expire", "remove", "set_aside"])
def test_unreadable_puts_are_kept_for_ninety_days(tmp_path: Path, how: str) -> None:
    path = tmp_path / "spool"
    spool = SpoolFile(path, "production", WALL, "normal")

    def damage(name: str) -> SpooledPut:
        spool.keep(submissions(1, name), name.encode().ljust(16))
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE spool SET entries = x'ff'")
        put = spool.oldest(1)
        assert put is not None
        return put

    def kept() -> int:
        with contextlib.closing(sqlite3.connect(path)) as db:
            return int(db.execute("SELECT count(*) FROM unreadable").fetchone()[0])

    WALL.now = NOW
    spool.set_aside(damage("first"))
    WALL.now = NOW + 90 * 86400 - 1
    spool.expire()
    assert kept() == 1
    WALL.now += 1
    if how == "expire":
        spool.expire()
    elif how == "remove":
        spool.keep(submissions(1, "good"), b"g" * 16)
        good = spool.oldest(1)
        assert good is not None
        spool.remove(good)
    else:
        spool.set_aside(damage("second"))
    assert kept() == (how == "set_aside")
    spool.close()


def test_a_put_without_server_copies_waits_too(pair: Pair) -> None:
    one, other = pair
    assert one.is_empty
    one.keep([OutboxEntry("a", draft=Draft("ref"))], b"p" * 16)
    assert (one.rows, one.is_empty, other.is_empty) == (0, False, False)
    put = other.oldest(1)
    assert put is not None
    other.remove(put)
    assert one.is_empty


def test_a_process_takes_puts_of_its_own_environment_only(tmp_path: Path) -> None:
    def open_(environment: str) -> SpoolFile:
        return SpoolFile(tmp_path / "spool", environment, WALL, "normal")

    production, staging = open_("production"), open_("tiktok, test code T1")
    staging.keep(submissions(3), b"")
    assert (production.rows, production.oldest(10), staging.rows) == (0, None, 3)
    production.close()
    staging.close()


@pytest.mark.parametrize(("hands_out", "first"), [(True, True), (False, False)])
def test_the_first_browser_copy_of_an_event_leaves_undecided(hands_out: bool, first: bool) -> None:
    claims = UndecidedClaims(100, hands_out=hands_out)
    order = submission(record("order"), browser=True, once=True)
    assert claims.of(order) == Claim(browser=first, server=True, is_decided=False)
    assert claims.of(order) == Claim(browser=False, server=False, is_decided=False)
    plain = submission(record("plain"), browser=True)
    assert [claims.of(plain), claims.of(plain)] == [Claim(browser=True, server=True)] * 2
    claims.clear()
    assert claims.of(order) == Claim(browser=first, server=True, is_decided=False)
