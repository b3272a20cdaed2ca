"""The ledger holds what was delivered or given up, and nothing of whom it was about."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.delivery.delivery_world import NOW, PIXEL, WALL, sqlite_outbox, submission
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, read_answer
from tiktok_middleware.delivery.outbox.base import LeasedRecord, Limits, Retention
from tiktok_middleware.delivery.outbox.sqlite.migrate import add_tables, migrate
from tiktok_middleware.delivery.outbox.sqlite.once_claims import SENT
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.outbox.sqlite.schema import ADDITIONS, LEDGER_PART, MIGRATIONS

DAY = 86400.0
HASH = "f" * 64
NUMBERS = "WITH RECURSIVE n (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < ?) SELECT * FROM n"


def sale(event_id: str, event: str = "Purchase", *, paired: bool = False, properties: Any = None) -> Record:
    body = {
        "event": event,
        "event_id": event_id,
        "user": {"email": HASH, "ip": "203.0.113.9", "ttp": "ttp-of-jane", "user_agent": "Mozilla of Jane"},
        "page": {"url": "https://shop.example/thanks"},
        "properties": {"value": 59.9, "currency": "EUR", "order_id": "A-1"} if properties is None else properties,
    }
    return Record(PIXEL, "web", event, event_id, int(NOW), json.dumps(body).encode(), paired)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "o.sqlite3"


@pytest.fixture
def outbox(path: Path) -> Iterator[SqliteOutbox]:
    outbox = sqlite_outbox(path, pixels=[PIXEL], sends=[PIXEL])
    yield outbox
    outbox.close()


def lease(outbox: SqliteOutbox) -> list[LeasedRecord]:
    return outbox.lease("a", 1000, limit_bytes=10**7, for_s=60)


def ledger(path: Path) -> list[dict[str, Any]]:
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    rows = [dict(row) for row in db.execute("SELECT * FROM ledger ORDER BY id")]
    db.close()
    return rows


def test_a_delivered_event_is_entered_with_tiktoks_request_id(path: Path, outbox: SqliteOutbox) -> None:
    outbox.put([submission(sale("e1", paired=True))])
    WALL.pass_by(3.0)
    outbox.ack("a", lease(outbox), "req-1")
    [entry] = ledger(path)
    assert entry.pop("id")
    assert entry == {
        "environment": "production", "pixel": PIXEL, "source": "web", "event": "Purchase", "event_id": "e1",
        "order_id": "A-1", "value": 59.9, "currency": "EUR", "channels": "browser+server", "reason": "delivered",
        "request_id": "req-1", "event_time": int(NOW), "at": NOW + 3.0,
    }  # fmt: skip


@pytest.mark.parametrize(("reason", "code"), [("40002 wrong value for jane", "rejected"), ("expired", "expired")])
def test_what_is_given_up_is_entered_by_its_code(path: Path, outbox: SqliteOutbox, reason: str, code: str) -> None:
    outbox.put([submission(sale("e1"))])
    outbox.bury("a", lease(outbox), reason)
    [entry] = ledger(path)
    assert (entry["reason"], entry["channels"], entry["request_id"]) == (code, "server", "")


def test_the_ledger_holds_no_identity_and_no_page_views(path: Path, outbox: SqliteOutbox) -> None:
    outbox.put([submission(sale("e1")), submission(sale("view", "Pageview"))])
    outbox.ack("a", lease(outbox), "req-1")
    [entry] = ledger(path)
    shown = json.dumps(entry)
    for of_jane in (HASH, "203.0.113.9", "ttp-of-jane", "Mozilla", "shop.example"):
        assert of_jane not in shown


def test_rows_of_somebody_else_are_not_entered(path: Path, outbox: SqliteOutbox) -> None:
    outbox.put([submission(sale("e1")), submission(sale("e2"))])
    rows = lease(outbox)
    WALL.pass_by(61.0)
    mine = outbox.lease("b", 1, limit_bytes=10**7, for_s=60)
    assert outbox.ack("a", rows) == 1
    assert [entry["event_id"] for entry in ledger(path)] == ["e2"]
    assert outbox.ack("b", mine) == 1
    assert [entry["event_id"] for entry in ledger(path)] == ["e2", "e1"]


@pytest.mark.parametrize(
    ("properties", "entered"),
    [
        ({}, ("", None, "")),
        ({"value": 5, "order_id": 1001}, ("1001", 5.0, "")),
        ({"value": "many", "currency": ["EUR"], "order_id": {"a": 1}}, ("", None, "")),
        ({"value": "many", "currency": "EUR", "order_id": "A-2"}, ("A-2", None, "EUR")),
        ({"order_id": "x" * 500, "currency": "E" * 50}, ("x" * 128, None, "E" * 8)),
        ([1, 2], ("", None, "")),
    ],
)
def test_properties_of_any_kind_are_entered(
    path: Path, outbox: SqliteOutbox, properties: Any, entered: tuple[str, float | None, str]
) -> None:
    outbox.put([submission(sale("e1", properties=properties))])
    outbox.ack("a", lease(outbox))
    [entry] = ledger(path)
    assert (entry["order_id"], entry["value"], entry["currency"]) == entered


def test_many_entries_are_all_entered(path: Path, outbox: SqliteOutbox) -> None:
    outbox.put([submission(sale(f"e{number}")) for number in range(123)])
    assert outbox.ack("a", lease(outbox)) == 123
    assert [entry["event_id"] for entry in ledger(path)] == [f"e{number}" for number in range(123)]


def test_the_ledger_is_bounded_in_time_and_in_number(path: Path) -> None:
    retention = Retention(ledger_s=10 * DAY)
    outbox = sqlite_outbox(path, limits=Limits(100, 10**6, 10, ledger=3), retention=retention)
    for number in range(5):
        outbox.put([submission(sale(f"e{number}"))])
        outbox.ack("a", lease(outbox))
    outbox.tidy()
    assert [entry["event_id"] for entry in ledger(path)] == ["e2", "e3", "e4"]
    WALL.pass_by(9 * DAY)
    outbox.put([submission(sale("late"))])
    outbox.ack("a", lease(outbox))
    WALL.pass_by(2 * DAY)
    outbox.tidy()
    assert [entry["event_id"] for entry in ledger(path)] == ["late"]
    outbox.close()


def test_no_ledger_is_kept_where_none_is_wanted(path: Path) -> None:
    outbox = sqlite_outbox(path, retention=Retention(ledger_s=0))
    outbox.put([submission(sale("e1"))])
    outbox.ack("a", lease(outbox))
    assert ledger(path) == []
    outbox.close()


def test_entries_go_once_no_ledger_is_wanted_any_more(path: Path, outbox: SqliteOutbox) -> None:
    outbox.put([submission(sale(f"e{number}")) for number in range(1100)])
    while rows := lease(outbox):
        outbox.ack("a", rows)
    without = sqlite_outbox(path, retention=Retention(ledger_s=0))
    WALL.pass_by(1.0)
    for _ in range(4):  # in parts, since others wait for each
        without.tidy()
    assert ledger(path) == []
    without.close()


def test_the_answer_of_tiktok_gives_the_request_id() -> None:
    verdict = read_answer(200, b'{"code":0,"message":"OK","request_id":"2026113012"}', None)
    assert isinstance(verdict, Delivered)
    assert verdict.request_id == "2026113012"


@pytest.mark.parametrize("outcome", ["delivered", "rejected", "paired and expired"])
def test_late_event_without_a_claim_is_stored_unless_the_ledger_has_it(
    path: Path, outbox: SqliteOutbox, outcome: str
) -> None:
    """The ledger also has events that were tracked without a key, and outlives the claims."""
    outbox.put([submission(sale("e1", paired=outcome.startswith("paired")))])
    if outcome == "delivered":
        outbox.ack("a", lease(outbox))
    else:
        outbox.bury("a", lease(outbox), outcome.rsplit(maxsplit=1)[-1])
    WALL.pass_by(3 * DAY)
    [claim] = outbox.put([submission(sale("e1"), once=True)])
    is_sent = outcome != "rejected"
    assert (claim.server, claim.first_at) == (not is_sent, NOW if is_sent else 0.0)


def test_ledger_of_another_pixel_or_environment_stops_no_late_event(path: Path) -> None:
    here = {"pixels": (PIXEL,), "environment": "production"}
    places = {"here": here, "other pixel": {**here, "pixels": ("C02",)}, "staging": {**here, "environment": "staging"}}
    for name, place in places.items():
        outbox = sqlite_outbox(path, **place)
        pixel = place["pixels"][0]
        if name == "here":
            outbox.put([submission(sale("e1"))])
            outbox.ack("a", lease(outbox))
            WALL.pass_by(3 * DAY)
        late = submission(msgspec.structs.replace(sale("e1"), pixel=pixel), once=True)
        assert [claim.server for claim in outbox.put([late])] == [name != "here"]
        outbox.close()


def test_late_event_is_found_in_every_part_of_a_long_ledger(path: Path, outbox: SqliteOutbox) -> None:
    outbox.put([submission(sale("first"))])
    outbox.ack("a", lease(outbox))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            f"""INSERT INTO ledger SELECT NULL, environment, pixel, source, event, 'e' || number, order_id, value,
            currency, channels, reason, request_id, event_time, at FROM ledger, ({NUMBERS})""",
            (3 * LEDGER_PART,),
        )
        db.execute("DELETE FROM ledger WHERE id <= 10")
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {SENT}", ("e1", "production"))]
    assert any("SEARCH" in step and "ledger_part" in step for step in plan), plan
    assert not any("SCAN" in step and "ledger" in step for step in plan), plan
    WALL.pass_by(3 * DAY)
    asked = {"first": True, "e9": True, "e10": False, "e5000": False, f"e{3 * LEDGER_PART}": False, "e999999": True}
    found = outbox.put([submission(sale(event_id), once=True) for event_id in asked])
    assert {event_id: claim.server for event_id, claim in zip(asked, found, strict=True)} == asked


def test_entries_that_an_earlier_release_found_by_another_index_are_found(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, MIGRATIONS)
        add_tables(db, ADDITIONS[:2])
        entry = ("production", PIXEL, "web", "Purchase", "e1", "", None, "", "server", "delivered", "r", int(NOW), NOW)
        db.execute(f"INSERT INTO ledger VALUES (NULL, {', '.join('?' * len(entry))})", entry)
    outbox = sqlite_outbox(path, pixels=[PIXEL], sends=[PIXEL])
    WALL.pass_by(3 * DAY)
    late = outbox.put([submission(sale(event_id), once=True) for event_id in ("e1", "e2")])
    assert [claim.server for claim in late] == [False, True]
    outbox.close()
