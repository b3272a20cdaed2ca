"""What is stored of a person is found by what TikTok is told of them, and nothing of it is left on the disk."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.delivery.delivery_world import PIXEL, submission
from tiktok_middleware.cli.main import main
from tiktok_middleware.core.events.event import DeferredPayload, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.base import LeaseHolder
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox


def hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


JANE = {
    "email": hashed("jane@shop.example"),
    "phone": hashed("+4915112345678"),
    "external_id": hashed("customer-7"),
    "ttp": "01ABCDEFGHJKMNPQRSTVWXYZ00",
    "ip": "203.0.113.9",
}
OTHER = {"email": hashed("other@shop.example"), "ip": "203.0.113.10"}
NAMED = [
    ("email", " Jane@Shop.Example "),
    ("email", JANE["email"]),
    ("phone", "+49 151 1234 5678"),
    ("external-id", "customer-7"),
    ("ttp", JANE["ttp"]),
    ("ip", JANE["ip"]),
]


def stored(event_id: str, user: Mapping[str, object]) -> Record:
    body = json.dumps({"event": "Purchase", "event_id": event_id, "user": user, "properties": {"value": 5}}).encode()
    return Record(PIXEL, "web", "Purchase", event_id, int(time.time()), body)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "o.sqlite3"


@pytest.fixture
def outbox(path: Path) -> Iterator[SqliteOutbox]:
    outbox = SqliteOutbox(path)
    yield outbox
    outbox.close()


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments], env={"TIKTOK_OUTBOX": f"sqlite:///{path}", "COLUMNS": "200"})


def fill(outbox: SqliteOutbox, user: Mapping[str, object]) -> None:
    outbox.put([submission(stored("waits", user)), submission(stored("other", OTHER))])
    outbox.put([submission(stored("in-flight", user))], holder=LeaseHolder("relay", 60))
    outbox.keep_dead([stored("dead", user), stored("other-dead", OTHER)], "40002 no")
    body = json.dumps(["Purchase", {"value": 5}, "x", user]).encode()
    outbox.put([OutboxEntry("d", browser=True, deferred=DeferredPayload("ref", body))])


@pytest.mark.parametrize(("option", "value"), NAMED)
def test_erase_removes_a_person_and_nobody_else(path: Path, outbox: SqliteOutbox, option: str, value: str) -> None:
    key = option.replace("-", "_")
    fill(outbox, {key: JANE[key]})
    result = run(path, "erase", f"--{option}", value, "--yes", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found == {
        "waiting": 1, "in_flight": 1, "dead": 1, "deferred": 1, "is_scrubbed": True, "set_aside": []
    }  # fmt: skip
    assert copies(path, JANE[key]) == {}
    left = json.loads(run(path, "outbox", "list", "--json").stdout)
    assert {row["event_id"] for row in left} == {"other", "other-dead"}
    assert outbox.counts()["waiting"] == 1
    assert outbox.counts()["bytes"] == len(stored("other", OTHER).body)


def test_a_person_with_several_values_is_found_by_each(path: Path, outbox: SqliteOutbox) -> None:
    outbox.put([submission(stored("several", {"email": [hashed("a@b.example"), JANE["email"]]}))])
    assert "1 waiting" in run(path, "erase", "--email", "jane@shop.example", "--yes").output


@pytest.mark.parametrize(("option", "value"), NAMED)
def test_export_shows_the_events_of_a_person(path: Path, outbox: SqliteOutbox, option: str, value: str) -> None:
    fill(outbox, {option.replace("-", "_"): JANE[option.replace("-", "_")]})
    lines = run(path, "outbox", "export", f"--{option}", value).stdout.splitlines()
    assert {json.loads(line)["event_id"] for line in lines} == {"waits", "in-flight", "dead"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "say whom"),
        (("--email", "no address"), "email"),
        (("--phone", "12"), "phone"),
    ],
)
def test_a_person_that_cannot_be_is_refused(
    path: Path, outbox: SqliteOutbox, arguments: tuple[str, ...], complaint: str
) -> None:
    fill(outbox, JANE)
    result = run(path, "erase", *arguments, "--yes")
    assert result.exit_code != 0
    assert complaint in result.output
    assert "12345678" not in result.output


def test_a_value_in_another_field_is_no_match(path: Path, outbox: SqliteOutbox) -> None:
    outbox.put([submission(stored("a", {"external_id": JANE["email"]}))])
    assert "0 waiting" in run(path, "erase", "--email", "jane@shop.example", "--yes").output


def test_erase_asks_first(path: Path, outbox: SqliteOutbox) -> None:
    fill(outbox, JANE)
    assert run(path, "erase", "--email", "jane@shop.example").exit_code == 1
    assert outbox.counts()["waiting"] == 3


def test_erase_tells_when_a_reader_keeps_the_log(
    path: Path, outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_middleware.delivery.outbox.admin._SCRUB_S", 0.1)
    fill(outbox, JANE)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM waiting").fetchone()
    result = run(path, "erase", "--email", "jane@shop.example", "--yes")
    assert result.exit_code == 3
    assert "run this again" in result.output
    reader.close()
    assert run(path, "erase", "--email", "jane@shop.example", "--yes").exit_code == 0
    assert copies(path, JANE["email"]) == {}


def test_a_damaged_file_that_was_set_aside_is_named(path: Path, outbox: SqliteOutbox) -> None:
    fill(outbox, JANE)
    aside = path.with_name(f"{path.name}.damaged-1")
    aside.write_bytes(b"")
    assert str(aside) in run(path, "erase", "--email", "jane@shop.example", "--yes").output


def copies(path: Path, text: str) -> dict[str, int]:
    """How often each file of the outbox holds a text."""
    found = {file.name: file.read_bytes().count(text.encode()) for file in path.parent.glob(f"{path.name}*")}
    return {name: count for name, count in found.items() if count}
