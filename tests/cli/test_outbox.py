"""The operator's commands tell the truth about a file in use, change what they are told to, and show no visitor."""

from __future__ import annotations

import itertools
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.delivery.delivery_world import PIXEL, Api, running_api, submission, wait_until
from tiktok_middleware.cli import outbox_file as outbox_cli
from tiktok_middleware.cli.main import main
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import OutboxEntry, Record
from tiktok_middleware.delivery.outbox.admin import OutboxAdmin
from tiktok_middleware.delivery.outbox.base import LeaseHolder
from tiktok_middleware.delivery.outbox.dead_letters import Retried, RowFilter
from tiktok_middleware.delivery.outbox.expiry import PAIRED_TTL_S, UNPAIRED_TTL_S
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

HASH = "f" * 64


def letter(
    event_id: str, event: str = "Purchase", *, age_s: float = 0, paired: bool = False, pixel: str = PIXEL
) -> Record:
    at = int(time.time() - age_s)
    item = {
        "event": event,
        "event_id": event_id,
        "user": {"email": HASH, "ip": "203.0.113.9"},
        "page": {"url": "https://shop.example/p"},
        "properties": {"value": 5, "currency": "EUR"},
    }
    return Record(pixel, "web", event, event_id, at, json.dumps(item).encode(), paired)


class Shop:
    """An outbox with something of everything."""

    def __init__(self, path: Path, environment: str = "production") -> None:
        self.path = path
        self.outbox = SqliteOutbox(path, environment=environment)

    def wait(self, *records: Record) -> None:
        self.outbox.put([submission(one) for one in records])

    def lease(self, *records: Record, for_s: float = 60) -> list[int]:
        holder = LeaseHolder("relay", for_s)
        self.outbox.put([submission(one) for one in records], holder=holder)
        return [row.id for row in holder.rows]

    def bury(self, reason: str, *records: Record) -> None:
        self.outbox.keep_dead(records, reason)

    def run(self, *arguments: str, input: str | None = None, **environ: str) -> Result:  # noqa: A002
        return run("--outbox", f"sqlite:///{self.path}", *arguments, input=input, **environ)

    def ask(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def ids(self, *arguments: str) -> set[str]:
        return {row["event_id"] for row in self.ask("list", *arguments)}


def run(*arguments: str, input: str | None = None, **environ: str) -> Result:  # noqa: A002
    cleared = {f"TIKTOK_{name.upper()}": None for name in Config.__dataclass_fields__}
    return CliRunner().invoke(main, ["outbox", *arguments], input=input, env={**cleared, "COLUMNS": "200", **environ})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "o.sqlite3")
    yield shop
    shop.outbox.close()


@pytest.fixture
def full(shop: Shop) -> Shop:
    shop.wait(letter("w1", age_s=7200), letter("w2", "Contact"))
    shop.lease(letter("f1"))
    shop.bury(f"40002 Batch.0 [bold]wrong[/bold] {HASH}", letter("d1"), letter("d2", "Contact", pixel="OTHER"))
    shop.bury("expired", letter("d3", age_s=PAIRED_TTL_S + 60, paired=True))
    return shop


def test_status_counts_by_state_event_and_reason(full: Shop) -> None:
    found = full.ask("status")
    assert (found["waiting"], found["in_flight"], found["dead"]) == (2, 1, 3)
    assert 7200 <= found["oldest_s"] < 7300
    assert found["waiting_bytes"] > 300
    assert found["file_bytes"] > 4096
    assert found["outbox"] == str(full.path)
    assert found["counted_once"] == 0
    groups = {(g["state"], g["event"], g["reason"]): g["count"] for g in found["events"]}
    assert groups[("dead", "Purchase", "expired")] == 1
    assert groups[("dead", "Contact", "40002 Batch.0 [bold]wrong[/bold] <hash>")] == 1
    printed = full.run("status").output
    assert "2 waiting, 1 in flight, 3 dead" in printed
    assert "the oldest that waits happened 2 h ago" in printed
    assert "[bold]wrong[/bold] <hash>" in printed


def test_status_tells_how_much_is_remembered_as_counted_once(shop: Shop) -> None:
    shop.outbox.put([OutboxEntry(f"order-{i}", browser=True, once=True) for i in range(1200)])
    assert shop.ask("status")["counted_once"] == 1200
    assert "1,200 copies are remembered by channel and id, so that none is counted again" in shop.run("status").output
    shop.run("purge", "--waiting", "--dead", "--yes")
    assert shop.ask("status")["counted_once"] == 1200, "what was counted once stays counted"


def test_an_empty_outbox_is_said_in_a_line(shop: Shop) -> None:
    shop.outbox.counts()
    assert shop.ask("status")["oldest_s"] is None
    assert "0 waiting, 0 in flight, 0 dead" in shop.run("status").output


def test_list_filters(full: Shop) -> None:
    assert full.ids() == {"w1", "w2", "f1", "d1", "d2", "d3"}
    assert full.ids("--state", "dead") == {"d1", "d2", "d3"}
    assert full.ids("--state", "dead", "--state", "in_flight") == {"d1", "d2", "d3", "f1"}
    assert full.ids("--pixel", "OTHER") == {"d2"}
    assert full.ids("--event", "Contact") == {"w2", "d2"}
    assert full.ids("--event-id", "w1") == {"w1"}
    assert full.ids("--reason", "WRONG") == {"d1", "d2"}
    assert full.ids("--older-than", "1h") == {"w1"}, "dead letters count from their death"
    assert len(full.ask("list", "--limit", "2")) == 2
    printed = full.run("list", "--limit", "4").output
    assert "2 more; see them with --limit or `outbox export`" in printed
    row = full.ask("list", "--event-id", "d1")[0]
    assert row["reason"] == "40002 Batch.0 [bold]wrong[/bold] <hash>"
    assert row["died"].endswith("+00:00")


def test_nothing_shows_the_visitor(full: Shop) -> None:
    for arguments in (("status",), ("list",), ("export",), ("status", "--json"), ("list", "--json")):
        printed = full.run(*arguments).output
        assert "203.0.113.9" not in printed
        assert HASH not in printed


def test_what_waits_shows_why(shop: Shop) -> None:
    ids = shop.lease(letter("late"), letter("halted"))
    shop.outbox.retry("relay", ids[:1], 100, "503")
    shop.outbox.release("relay", ids[1:], "40105 token")
    rows = {row["event_id"]: (row["state"], row["reason"], row["tries"]) for row in shop.ask("list")}
    assert rows == {"late": ("waiting", "503", 1), "halted": ("waiting", "40105 token", 0)}


def test_retry_puts_dead_letters_back_and_hastens_the_rest(shop: Shop) -> None:
    ids = shop.lease(letter("late"), letter("halted"), letter("leased"))
    shop.outbox.retry("relay", ids[:1], 100, "503")
    shop.outbox.release("relay", ids[1:2], "40105 token")
    shop.bury("40002", letter("d1"), letter("d2"))
    before = shop.outbox.resumes()
    found = shop.ask("retry")
    assert found == {"put_back": 2, "hastened": 2, "expired": 0, "too_old": 0}
    assert shop.outbox.counts()["dead"] == 0
    assert shop.outbox.counts()["waiting"] == 5
    assert shop.outbox.resumes() == before + 1
    leased = shop.outbox.lease("other", 10, limit_bytes=10**6, for_s=60)
    assert {row.record.event_id for row in leased} == {"late", "halted", "d1", "d2"}
    assert shop.ask("status")["waiting_bytes"] == sum(
        len(letter(i).body) for i in ("late", "halted", "leased", "d1", "d2")
    )


def test_retry_takes_only_what_is_chosen(full: Shop) -> None:
    result = full.run("retry", "--event", "Contact", "--pixel", "OTHER")
    assert result.output == "1 dead letter(s) wait again, 0 event(s) are tried at once.\n"
    assert full.ids("--state", "dead") == {"d1", "d3"}


def test_an_expired_pair_goes_again_only_as_new(shop: Shop) -> None:
    shop.bury("expired", letter("pair", age_s=PAIRED_TTL_S + 60, paired=True))
    shop.bury(
        "expired", letter("old", age_s=UNPAIRED_TTL_S + 60), letter("old pair", age_s=UNPAIRED_TTL_S + 60, paired=True)
    )
    result = shop.run("retry")
    assert result.exit_code == outbox_cli.EXIT_REFUSED
    assert "1 stay dead: their browser copy went out more than 47 h ago" in result.stderr
    assert "--as-new" in result.stderr
    assert "2 stay dead: they are older than 7 days (offline and CRM: 28)" in result.stderr
    assert shop.run("retry", "--as-new").exit_code == outbox_cli.EXIT_REFUSED
    [row] = shop.outbox.lease("o", 10, limit_bytes=10**6, for_s=60)
    assert (row.record.event_id, row.record.paired) == ("pair", False), "the relay would bury a pair again"
    assert shop.run("retry", "--as-new", "--event-id", "pair").exit_code == 0


def test_purge_removes_what_is_named_after_asking(full: Shop) -> None:
    assert full.run("purge").exit_code == 2
    result = full.run("purge", "--dead", input="n\n")
    assert result.exit_code == 1
    assert f"Remove 3 event(s) from {full.path} for good?" in result.output
    assert full.run("purge", "--dead", "--older-than", "30d", "--yes").output == "0 event(s) removed.\n"
    assert "1 event(s) removed." in full.run("purge", "--dead", "--reason", "expired", input="y\n").output
    assert full.ask("purge", "--dead", "--waiting", "--yes") == {"purged": 4}
    assert full.ids() == {"f1"}, "what is on its way is left alone"
    assert full.outbox.counts() == {"waiting": 1, "bytes": len(letter("f1").body), "dead": 0}


def test_export_writes_a_line_an_event(full: Shop, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in full.run("export").stdout.splitlines()]
    assert {line["event_id"] for line in lines} == {"w1", "w2", "f1", "d1", "d2", "d3"}
    assert lines[0]["properties"] == {"value": 5, "currency": "EUR"}
    assert lines[0]["page"] == {"url": "https://shop.example/p"}
    assert "user" not in lines[0]
    target = tmp_path / "out.jsonl"
    assert full.run("export", "--to", str(target), "--state", "dead").exit_code == 0
    assert len(target.read_text().splitlines()) == 3
    result = full.run("export", "--to", str(tmp_path / "none" / "out"))
    assert (result.exit_code, result.output) == (
        1,
        f"Error: cannot write {tmp_path}/none/out: No such file or directory\n",
    )


def test_a_body_that_is_no_item_is_shown_without_its_parts(shop: Shop) -> None:
    shop.wait(*(Record(PIXEL, "web", "Contact", f"e{i}", 1, body) for i, body in enumerate((b"{", b"[]", b"{}"))))
    lines = [json.loads(line) for line in shop.run("export").stdout.splitlines()]
    assert [(line["page"], line["properties"]) for line in lines] == [({}, {})] * 3


def test_long_work_shows_a_bar(full: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    with CliRunner().isolation() as (_, error, _):
        monkeypatch.setattr(sys.stderr, "isatty", Terminal().isatty, raising=False)
        with outbox_cli.progress_bar("Removing", 2000) as advance:
            advance(1200)
            advance(800)
        assert b"Removing" in error.getvalue()


# -- beside live processes, and where there is nothing to see


def test_retry_wakes_a_live_process_that_had_halted(tmp_path: Path) -> None:
    with running_api() as api:
        api.status, api.body = 401, b'{"code":40105,"message":"bad token"}'
        path = tmp_path / "o.sqlite3"
        client = Client(
            Config(pixel_id=PIXEL, access_token="0123456789abcdef", api_url=api.url, outbox=f"sqlite:///{path}")
        )
        try:
            client.delivery.submit([submission(letter("e1"))]).result(10)
            assert wait_until(lambda: client.stats()["halted"] == 1)
            shop = Shop(path)
            assert wait_until(lambda: shop.ask("list")[0]["reason"] == "40105 bad token")
            api.status, api.body = 200, Api.OK
            before = len(api.requests)
            assert client.flush(0.2) is False
            assert len(api.requests) == before
            assert shop.ask("retry")["hastened"] == 1
            assert wait_until(lambda: client.stats()["delivered"] == 1, 12)
            assert client.stats()["halted"] == 0
        finally:
            client.close(2)


def test_send_delivers_from_where_no_app_runs(tmp_path: Path) -> None:
    with running_api() as api:
        shop = Shop(tmp_path / "o.sqlite3", "loopback")
        shop.bury("40002", letter("d1"))
        environ = {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ACCESS_TOKEN": "t", "TIKTOK_API_URL": api.url}
        result = shop.run("retry", "--send", **environ)
        assert (result.exit_code, api.ids) == (0, ["d1"]), result.output
        assert result.output.endswith("All is sent.\n")
        shop.bury("40002", letter("d2"))
        api.body = b'{"code":40105,"message":"bad token"}'
        assert json.loads(shop.run("retry", "--send", "--json", **environ).stdout)["sent"] is False
        result = shop.run("retry", "--send")
        assert (result.exit_code, result.stderr) == (1, "Error: nothing can be sent from here: no_pixel\n")
        result = shop.run("retry", "--send", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_GPC="maybe")
        assert result.stderr.startswith("Error: TIKTOK_GPC is 'maybe'")
        shop.outbox.close()


@pytest.mark.parametrize("command", [("status",), ("list",), ("retry",), ("export",), ("purge", "--dead")])
def test_what_is_no_outbox_is_one_clear_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    missing = tmp_path / "none.sqlite3"
    result = run(*command, TIKTOK_PIXEL_ID=PIXEL, TIKTOK_OUTBOX=f"sqlite:///{missing}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: there is no outbox at {missing}: nothing was ever stored there\n"
    assert not missing.exists()
    result = run(*command, TIKTOK_OUTBOX="memory://")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: the outbox is memory://: events wait inside each process of the app")
    garbage = tmp_path / "garbage.sqlite3"
    garbage.write_bytes(b"no database at all" * 1000)
    result = run("--outbox", f"sqlite:///{garbage}", *command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: outbox {garbage} is damaged (")
    assert garbage.read_bytes().startswith(b"no database"), "only the app sets it aside"
    assert (
        run("--outbox", "redis://x", *command).stderr
        == "Error: 'redis://x' is no outbox; allowed: sqlite:///path, postgresql://...\n"
    )
    assert run(*command, TIKTOK_OUTBOX="what").stderr.startswith("Error: TIKTOK_OUTBOX is 'what'")


def test_a_file_of_another_release_is_left_alone(shop: Shop) -> None:
    shop.outbox.counts()
    shop.outbox.close()
    with closing(sqlite3.connect(shop.path)) as db, db:
        db.execute("PRAGMA user_version=99")
    db.close()
    result = shop.run("status")
    assert result.exit_code == 1
    assert "its tables are of version 99" in result.stderr


def test_a_file_that_is_locked_is_said_and_nothing_is_half_done(full: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiktok_middleware.delivery.outbox.admin._BUSY_S", 0.05)
    with closing(sqlite3.connect(full.path, isolation_level=None)) as db, db:
        db.execute("BEGIN IMMEDIATE")
        assert full.ask("status")["dead"] == 3
        result = full.run("purge", "--dead", "--yes")
        db.execute("ROLLBACK")
    db.close()
    assert (result.exit_code, result.stderr) == (1, f"Error: outbox {full.path}: database is locked\n")
    assert full.ask("status")["dead"] == 3


def test_many_rows_are_done_in_parts(shop: Shop) -> None:
    shop.bury("40002", *(letter(f"d{i}") for i in range(1201)))
    assert shop.ask("retry")["put_back"] == 1201
    assert len(shop.run("export").stdout.splitlines()) == 1201
    assert shop.ask("purge", "--waiting", "--yes") == {"purged": 1201}


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1w"])
def test_an_age_that_is_none_is_refused(shop: Shop, age: str) -> None:
    result = shop.run("list", "--older-than", age)
    assert result.exit_code == 2
    assert "such as 30d" in result.output


def test_reasons_that_differ_in_a_hash_alone_are_one(shop: Shop) -> None:
    for digit in "ab":
        shop.bury(f"40002 {digit * 64} is wrong", letter(digit))
    [group] = shop.ask("status")["events"]
    assert (group["reason"], group["count"]) == ("40002 <hash> is wrong", 2)


def test_the_desk_leaves_what_is_in_flight_and_undoes_what_fails(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = shop.lease(letter("f1"))
    shop.outbox.retry("relay", ids, 0, "503")
    shop.outbox.lease("relay", 1, limit_bytes=1000, for_s=60)
    shop.bury("40002", letter("d1"))
    desk = OutboxAdmin(shop.path, time.time)
    assert desk.retry(RowFilter()) == Retried(put_back=1)
    assert desk.purge(RowFilter(states=("in_flight",))) == 0
    shop.bury("40002", letter("d2"), letter("d3"))

    def fails(*_: object) -> float:
        raise MemoryError

    calls = itertools.count()

    def clock() -> float:
        return time.time() if next(calls) < 2 else fails()  # fails between the two rows

    with pytest.raises(MemoryError):
        OutboxAdmin(shop.path, clock).retry(RowFilter(states=("dead",)))
    assert desk.count(RowFilter(states=("dead",))) == 2
    monkeypatch.setattr(Path, "as_uri", fails)
    with pytest.raises(MemoryError):
        desk.summary()


# -- what became of a try to send


ENVIRON = {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ACCESS_TOKEN": "t"}


@pytest.mark.parametrize(
    ("answer", "send_s", "sentence"),
    [
        ((200, b'{"code":40002,"message":"Batch.0.value: wrong"}'), 30, "Not all is sent: 0 delivered; 2 rejected, dead letters again."),
        ((503, b""), 0.7, "Not all is sent: 0 delivered; 2 still waiting. See `outbox status`."),
        ((401, b'{"code":40105,"message":"bad token"}'), 0.7, "Not all is sent: 0 delivered; 2 still waiting (TikTok refuses this"),
    ],
    ids=["refused", "outage", "halted"],
)  # fmt: skip
def test_retry_and_send_tells_what_was_not_delivered(
    tmp_path: Path, answer: tuple[int, bytes], send_s: float, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_middleware.cli.outbox_changes._SEND_S", send_s)
    with running_api() as api:
        api.status, api.body = answer
        shop = Shop(tmp_path / "o.sqlite3", "loopback")
        shop.bury("40002", letter("d1"), letter("d2"))
        result = shop.run("retry", "--send", **ENVIRON, TIKTOK_API_URL=api.url)
        assert result.exit_code == outbox_cli.EXIT_REFUSED, result.output
        assert sentence in result.output
        assert "All is sent" not in result.output
        as_json = shop.run("retry", "--send", "--json", **ENVIRON, TIKTOK_API_URL=api.url)
        assert json.loads(as_json.stdout)["sent"] is False


def test_retry_and_send_with_nothing_to_send(tmp_path: Path) -> None:
    with running_api() as api:
        shop = Shop(tmp_path / "o.sqlite3", "loopback")
        shop.outbox.counts()
        result = shop.run("retry", "--send", **ENVIRON, TIKTOK_API_URL=api.url)
        assert (result.exit_code, "there was nothing to send" in result.output) == (0, True)


# -- tables


def test_status_groups_by_tiktoks_code(shop: Shop) -> None:
    for number in range(5):
        shop.bury(f"40002 Batch.{number}.properties.value: {number} is wrong (request r{number})", letter(f"d{number}"))
    shop.bury("HTTP 503 without a TikTok code", letter("e"))
    shop.bury("HTTP 503 upstream", letter("f"))
    groups = {group["code"]: group["count"] for group in shop.ask("status")["events"]}
    assert groups == {"40002": 5, "HTTP 503": 2}


@pytest.mark.parametrize("columns", ["80", "60", "200"])
@pytest.mark.parametrize("command", ["status", "list"])
def test_tables_break_no_word(shop: Shop, command: str, columns: str) -> None:
    shop.bury(
        "40002 Batch.0.properties.contents.0.price: not a valid number; see https://business-api.tiktok.com/portal/docs",
        Record(PIXEL, "web", "CompleteRegistration", "01HZY8QK7W3J5R9T2V4X6Z8B0D-order-1001", int(time.time()), b"{}"),
    )
    printed = shop.run(command, COLUMNS=columns).output
    words = (
        "CompleteRegistration",
        "Batch.0.properties.contents.0.price:",
        "https://business-api.tiktok.com/portal/docs",
        *(("01HZY8QK7W3J5R9T2V4X6Z8B0D-order-1001",) if command == "list" else ()),
    )
    assert [word for word in words if word not in printed] == []


def test_large_counts_are_exact_in_json(shop: Shop) -> None:
    shop.wait(*(letter(f"w{number}") for number in range(1234)))
    assert "1,234 waiting" in shop.run("status").output.replace("1234", "1,234")
    assert shop.ask("status")["waiting"] == 1234
    assert shop.ask("status")["events"][0]["count"] == 1234


# -- what counts once


def test_forget_lets_an_order_count_again(tmp_path: Path) -> None:
    with running_api() as api:
        path = tmp_path / "o.sqlite3"
        given = {**ENVIRON, "TIKTOK_API_URL": api.url}
        config = Config.from_env({**given, "TIKTOK_OUTBOX": f"sqlite:///{path}"})
        client = Client(config)
        shop = Shop(path)

        def buy() -> int:
            with client.tracker(consent=True) as tiktok:
                tiktok.track("Purchase", value=5, currency="EUR", order_id="A-1001")
            client.flush(10)
            return len(api.ids)

        assert (buy(), buy()) == (1, 1)
        assert "nothing to forget" in shop.run("forget", "--once", "A-1001").output, "in production, where it was not"
        assert "counts again" in shop.run("forget", "--once", "A-1001", **given).output
        assert buy() == 2
        client.close(1)
        assert shop.run("forget").exit_code == 2
        assert shop.run("forget", "--once", "null").exit_code == 1


def test_rows_name_their_environment(tmp_path: Path) -> None:
    staging, production = Shop(tmp_path / "o.sqlite3", "loopback"), Shop(tmp_path / "o.sqlite3")
    staging.wait(letter("s"))
    production.wait(letter("p"))
    assert {row["event_id"]: (row["pixel"], row["environment"]) for row in production.ask("list")} == {
        "s": (PIXEL, "loopback"),
        "p": (PIXEL, "production"),
    }
    assert production.ids("--environment", "loopback") == {"s"}
    assert production.ids("--pixel", PIXEL) == {"s", "p"}
    assert "environment" in production.run("status").output
    staging.outbox.close()
    production.outbox.close()
