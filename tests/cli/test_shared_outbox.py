"""The operator's commands on an outbox in PostgreSQL, and the relay that sends what other processes store."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from tests.cli.test_erase import JANE, NAMED, OTHER, stored
from tests.cli.test_outbox import HASH, letter
from tests.delivery.delivery_world import PIXEL, Api, postgres_outbox, running_api, submission, wait_until
from tests.postgres_world import Postgres
from tiktok_middleware.cli.main import main
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import Claim, DeferredPayload, OutboxEntry
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
from tiktok_middleware.delivery.outbox.expiry import PAIRED_TTL_S
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.outbox.sqlite.spool_file import SpoolFile

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with postgres.schema() as url:
        yield url


@pytest.fixture
def outbox(url: str) -> Iterator[PostgresOutbox]:
    outbox = postgres_outbox(url, clock=time.time, monotonic=time.monotonic)
    yield outbox
    outbox.close()


def run(*arguments: str, **environ: str) -> Result:
    cleared = {f"TIKTOK_{name.upper()}": None for name in Config.__dataclass_fields__}
    return CliRunner().invoke(main, arguments, env={**cleared, "COLUMNS": "200", **environ})


def ask(url: str, *arguments: str) -> Any:
    result = run("outbox", "--outbox", url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def ids(url: str, *arguments: str) -> set[str]:
    return {row["event_id"] for row in ask(url, "list", *arguments)}


@pytest.fixture
def full(url: str, outbox: PostgresOutbox) -> str:
    """Address of an outbox with something of everything."""
    outbox.put([submission(letter("f1"))])
    assert len(outbox.lease("relay", 10, limit_bytes=10**6, for_s=60)) == 1
    outbox.put([submission(letter("w1", age_s=7200)), submission(letter("w2", "Contact"))])
    outbox.keep_dead([letter("d1"), letter("d2", "Contact", pixel="OTHER")], f"40002 Batch.0 wrong {HASH}")
    outbox.keep_dead([letter("d3", age_s=PAIRED_TTL_S + 60, paired=True)], "expired")
    return url


def test_status_and_list_show_a_shared_outbox(full: str) -> None:
    found = ask(full, "status")
    assert (found["waiting"], found["in_flight"], found["dead"]) == (2, 1, 3)
    assert 7200 <= found["oldest_s"] < 7300
    assert found["file_bytes"] > 4096
    assert ids(full) == {"w1", "w2", "f1", "d1", "d2", "d3"}
    assert ids(full, "--state", "dead", "--pixel", "OTHER") == {"d2"}
    assert ids(full, "--event", "Contact") == {"w2", "d2"}
    assert ids(full, "--reason", "BATCH") == {"d1", "d2"}
    assert ids(full, "--older-than", "1h") == {"w1"}
    assert HASH not in run("outbox", "--outbox", full, "list").output


def test_retry_purge_and_forget_change_a_shared_outbox(full: str, outbox: PostgresOutbox) -> None:
    result = run("outbox", "--outbox", full, "retry", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["put_back"] == 2
    assert "1 stay dead" in result.stderr
    assert ids(full, "--state", "waiting") == {"w1", "w2", "d1", "d2"}
    assert outbox.resumes() == 1
    assert ask(full, "purge", "--dead", "--waiting", "--yes")["purged"] == 5
    assert ids(full) == {"f1"}
    outbox.put([OutboxEntry("order-1", browser=True, once=True)])
    assert ask(full, "forget", "--event-id", "order-1")["forgotten"] == 1


def test_erase_removes_a_person_from_a_shared_outbox(full: str) -> None:
    result = run("erase", "--outbox", full, "--yes", "--email", HASH, "--json")
    found = json.loads(result.stdout)
    assert (found["waiting"], found["in_flight"], found["dead"]) == (2, 1, 3)
    assert result.exit_code == 0 if found["is_scrubbed"] else 3
    assert ids(full) == set()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolFile]:
    """Events of two people that wait on this host for the shared outbox."""
    spool = SpoolFile(tmp_path / "tiktok-middleware" / f"{PIXEL}.undecided.sqlite3", "production", time.time, "normal")
    payload = DeferredPayload("ref", json.dumps(["Purchase", {}, "x", JANE]).encode())
    jane = submission(stored("jane", JANE), browser=True, once=True)
    spool.keep([msgspec.structs.replace(jane, deferred=payload), submission(stored("other", OTHER))], b"")
    spool.keep([submission(stored("tried", JANE))], b"t" * 16)
    yield spool
    spool.close()


def copies(spool: SpoolFile, value: str) -> int:
    found = [Path(f"{spool.path}{tail}") for tail in ("", "-wal")]
    return sum(file.read_bytes().count(value.encode()) for file in found if file.exists())


@pytest.mark.parametrize(("option", "value"), NAMED)
def test_erase_and_export_search_what_waits_on_this_host(
    url: str, outbox: PostgresOutbox, spool: SpoolFile, option: str, value: str
) -> None:
    outbox.counts()
    shown = run("outbox", "--outbox", url, "export", f"--{option}", value).stdout.splitlines()
    assert {json.loads(line)["event_id"] for line in shown} == {"jane", "tried"}
    found = json.loads(run("erase", "--outbox", url, f"--{option}", value, "--yes", "--json").stdout)
    assert (found["waiting"], found["deferred"]) == (2, 1)
    assert ids(url) == {"other"}
    assert copies(spool, JANE[option.replace("-", "_")]) == 0
    left = spool.oldest(10)
    assert left is not None
    assert [(entry.event_id, entry.once, len(entry.records)) for entry in left.entries] == [
        ("jane", True, 0),
        ("other", False, 1),
    ], "the order stays claimed"


def test_erase_searches_puts_that_cannot_be_read(url: str, outbox: PostgresOutbox, spool: SpoolFile) -> None:
    outbox.counts()
    with contextlib.closing(sqlite3.connect(spool.path)) as db, db:
        db.execute("UPDATE spool SET entries = x'ff' || entries")
    first = spool.oldest(10)
    assert first is not None
    spool.set_aside(first)
    assert run("erase", "--outbox", url, "--email", JANE["email"], "--yes").exit_code in {0, 3}
    assert copies(spool, JANE["email"]) == 0


def test_erase_searches_this_host_first_where_the_database_does_not_answer(spool: SpoolFile) -> None:
    url = "postgresql://shop@127.0.0.1:1/shop"
    environ = {"XDG_STATE_HOME": str(spool.path.parents[1])}
    result = run("erase", "--outbox", url, "--email", JANE["email"], "--yes", **environ)
    assert result.exit_code == 1
    assert "127.0.0.1" in result.output
    assert copies(spool, JANE["email"]) == 0


def test_switches_reach_all_processes_of_a_shared_outbox(url: str) -> None:
    delivery = open_delivery(DeliveryOptions(outbox=url, tokens={PIXEL: "t"}))
    try:
        assert run("outbox", "--outbox", url, "off").exit_code == 0
        assert wait_until(lambda: delivery.is_off)
        assert "everything is OFF" in run("outbox", "--outbox", url, "status").output
        assert run("outbox", "--outbox", url, "on").exit_code == 0
        assert wait_until(lambda: not delivery.is_off)
    finally:
        delivery.close(0.1)


def test_migrate_says_what_it_did(url: str) -> None:
    assert "script(s) applied" in run("outbox", "--outbox", url, "migrate").output
    assert "up to date" in run("outbox", "--outbox", url, "migrate").output
    result = run("outbox", "--outbox", "sqlite:///x", "migrate")
    assert result.exit_code == 1
    assert "set TIKTOK_OUTBOX or --outbox to an outbox in PostgreSQL" in result.output


def test_move_takes_everything_along_and_can_be_repeated(url: str, outbox: PostgresOutbox, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    old = SqliteOutbox(path, pixels=[PIXEL], sends=[PIXEL])
    order = submission(letter("order-1"), browser=True, once=True)
    old.put([order, submission(letter("w1"))])
    old.keep_dead([letter("d1")], "40002 no")
    old.put([submission(letter("sent", age_s=60))])
    sent = [row for row in old.lease("a", 10, limit_bytes=10**6, for_s=60) if row.record.event_id == "sent"]
    old.ack("a", sent)
    others = old.lease("a", 10, limit_bytes=10**6, for_s=60)
    assert others == []
    first = json.loads(move(url, path).stdout)
    assert first == {"claims": 2, "waiting": 0, "dead": 1, "ledger": 2, "in_flight": 2, "unmoved": 0}
    rows = [row for row in old.counts().items() if row[0] == "waiting"]
    assert rows == [("waiting", 2)]
    old.close()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE waiting SET owner = NULL, due = 0")
    second = move(url, path)
    assert second.exit_code == 0
    assert json.loads(second.stdout) == {
        "claims": 0,
        "waiting": 2,
        "dead": 0,
        "ledger": 0,
        "in_flight": 0,
        "unmoved": 0,
    }
    assert json.loads(move(url, path).stdout)["waiting"] == 0
    assert ids(url) == {"order-1", "w1", "d1"}
    mine = postgres_outbox(url, clock=time.time, monotonic=time.monotonic, pixels=[PIXEL], sends=[PIXEL])
    assert mine.put([order]) == [Claim(browser=False, server=False)]
    assert [row.record.paired for row in mine.lease("b", 10, limit_bytes=10**6, for_s=60)] == [True, False]
    mine.close()


def move(url: str, path: Path) -> Result:
    environ = {"TIKTOK_PIXEL_ID": PIXEL}
    return run("outbox", "--outbox", url, "move", "--from", f"sqlite:///{path}", "--json", **environ)


def test_check_says_whether_a_shared_outbox_can_be_used(url: str) -> None:
    environ = {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_CONSENT": "implied"}
    result = run("check", "--json", **environ, TIKTOK_OUTBOX=url.replace("postgres@", "postgres:hunter2@"))
    assert result.exit_code == 0, result.output
    assert "hunter2" not in result.output
    assert json.loads(result.stdout)["switches"] == "nothing is stopped"
    result = run("check", **environ, TIKTOK_OUTBOX="postgresql://u:hunter2@127.0.0.1:1/d")
    assert result.exit_code == 1
    assert "the shared outbox cannot be used" in result.output
    assert "hunter2" not in result.output


@contextlib.contextmanager
def relay(url: str, api: Api, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    environ |= {
        "TIKTOK_OUTBOX": url,
        "TIKTOK_PIXEL_ID": PIXEL,
        "TIKTOK_ACCESS_TOKEN": "t",
        "TIKTOK_API_URL": api.url,
        "XDG_STATE_HOME": str(folder),
    }
    command = [str(Path(sys.executable).with_name("tiktok-middleware")), "relay", *arguments]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        assert any("The relay is running" in line for line in process.stdout)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


@pytest.mark.slow
def test_a_relay_sends_what_others_store_and_drains_at_sigterm(url: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"pixel_id": PIXEL, "access_token": "t", "outbox": url, "flush": "relay"}
    with running_api() as api, relay(url, api, tmp_path, "--drain", "20") as process:
        client = Client(Config(**options, api_url=api.url))
        waits: list[float] = []
        for number in range(10):
            began = time.monotonic()
            with client.tracker() as tiktok:
                tiktok.track("Contact", event_id=f"evt-{number}")
            assert wait_until(lambda number=number: f"evt-{number}" in api.ids, 30)  # type: ignore[misc]
            waits.append(time.monotonic() - began)
        print(f"from track() to TikTok through another process: median {sorted(waits)[5] * 1000:.1f} ms")
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
        client.close(1)
        assert sorted(api.ids) == [f"evt-{number}" for number in range(10)]
