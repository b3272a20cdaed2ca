"""From submit to TikTok and through everything that goes wrong in between: outages, forks, kills, exits, full disks."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import (
    PIXEL,
    Api,
    Clock,
    StartedThreads,
    ToldSink,
    record,
    submission,
    submissions,
    wait_until,
)
from tiktok_middleware.core.events.event import Claim, DeferredPayload, OutboxEntry, Record
from tiktok_middleware.core.events_api.answers import Delivered, Halted, Rejected, Retry, Verdict
from tiktok_middleware.delivery.delivery import Delivery, DeliveryOptions, open_delivery
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.errors import ConfigError, OutboxError

Open = Callable[..., Delivery]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def open_(outbox: str) -> Iterator[Open]:
    opened: list[Delivery] = []

    def open_one(**options: object) -> Delivery:
        opened.append(open_delivery(DeliveryOptions(**{"outbox": outbox, "tokens": {PIXEL: "tok"}, **options})))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for delivery in opened:
        delivery.close(0.1)


class Held(SqliteOutbox):
    """A disk on which each put waits for `leave`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.leave = threading.Event()

    def put(self, *args: Any, **options: Any) -> list[Claim]:
        self.leave.wait(10)
        return super().put(*args, **options)


class Failing(SqliteOutbox):
    """A disk of which each method fails as often as ``failures`` names it."""

    def __init__(self, path: Path, *failures: str) -> None:
        super().__init__(path)
        self.failures = list(failures)

    def _may(self, method: str) -> None:
        if method in self.failures:
            self.failures.remove(method)
            raise OutboxError("disk I/O error")

    def put(self, *args: Any, **options: Any) -> list[Claim]:
        self._may("put")
        return super().put(*args, **options)

    def tidy(self) -> None:
        self._may("tidy")
        super().tidy()

    def counts(self) -> dict[str, int]:
        self._may("counts")
        return super().counts()

    def last_id(self) -> int:
        self._may("last_id")
        return super().last_id()

    def holds(self, *args: Any, **options: Any) -> bool:
        self._may("holds")
        return super().holds(*args, **options)


def fresh(count: int, prefix: str = "evt") -> list[OutboxEntry]:
    return submissions(count, prefix, event_time=time.time())


@pytest.fixture
def started() -> StartedThreads:
    return StartedThreads()


def test_what_is_submitted_arrives_once_and_is_counted(open_: Open, api: Api, started: StartedThreads) -> None:
    delivery = open_(api_url=api.url)
    assert delivery.submit(fresh(3)).result(10) == [Claim(browser=False, server=True)] * 3
    assert delivery.flush(10)
    assert sorted(api.ids) == ["evt-0", "evt-1", "evt-2"]
    stats = delivery.stats()
    assert sum(stats.pop("send_s").counts) == sum(stats.pop("batch_records").counts) > 0  # type: ignore[union-attr]
    assert stats == {
        "submitted": 3,
        "accepted": 3,
        "duplicates": 0,
        "delivered": 3,
        "retried": 0,
        "buried": {},
        "dropped": {},
        "halted": 0,
        "uncommitted": 0,
        "waiting": 0,
        "bytes": 0,
        "dead": 0,
        "oldest_s": 0.0,
    }
    assert delivery.close(10)
    assert not started.ours


def test_nothing_starts_before_the_first_submission(open_: Open, tmp_path: Path, started: StartedThreads) -> None:
    delivery = open_()
    assert not started.ours
    assert list(tmp_path.iterdir()) == []
    assert delivery.flush(1)
    assert delivery.close(1)
    assert not started.ours
    assert list(tmp_path.iterdir()) == [], "nor is a file made at the end"


def test_an_empty_submission_is_answered(open_: Open) -> None:
    assert open_().submit([]).result(10) == []


def test_claims_work_without_a_token_and_no_relay_starts(open_: Open, started: StartedThreads) -> None:
    delivery = open_(tokens={})
    order = OutboxEntry("order-1", browser=True, once=True)
    assert delivery.submit([order]).result(10) == [Claim(browser=True, server=False)]
    assert delivery.submit([order]).result(10) == [Claim(browser=False, server=False)]
    delivery.wake()
    assert "tiktok-relay" not in started.ours
    assert delivery.flush(10)


def test_without_a_token_claims_are_forgotten_too(tmp_path: Path) -> None:
    clock = Clock()
    delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{tmp_path / 'outbox.sqlite3'}"), clock=clock)
    assert delivery.submit([OutboxEntry("old", browser=True, once=True)]).result(10)[0].browser
    for i in range(20):
        clock.pass_by(20 * 86400 + 3600)
        delivery.submit([OutboxEntry(f"later-{i}", browser=True, once=True)]).result(10)
    delivery.close(1)
    delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{tmp_path / 'outbox.sqlite3'}"), clock=clock)
    assert delivery.submit([OutboxEntry("new", browser=True, once=True)]).result(10)[0].browser
    assert delivery.submit([OutboxEntry("old", browser=True, once=True)]).result(10)[0].browser
    delivery.close(1)


def test_a_file_that_goes_bad_between_storing_and_tidying_is_left_for_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = open_delivery(DeliveryOptions(), disk=Failing(tmp_path / "outbox.sqlite3", "tidy"))
    order = OutboxEntry("order-1", browser=True, once=True)
    assert delivery.submit([order]).result(10) == [Claim(browser=True, server=False)]
    assert delivery.submit([order]).result(10), "memory goes on"
    assert "disk I/O error" in caplog.text
    delivery.close(1)


def test_a_duplicate_is_counted_and_not_sent(open_: Open) -> None:
    sink = ToldSink()
    delivery = open_(sink=lambda _: sink)
    order = submission(record("order-1", event_time=time.time()), browser=True, once=True)
    assert delivery.submit([order]).result(10) == [Claim(browser=True, server=True)]
    assert delivery.submit([order]).result(10) == [Claim(browser=False, server=False)]
    assert delivery.flush(10)
    assert sink.sent == ["order-1"]
    assert delivery.stats()["duplicates"] == 1


def test_events_that_follow_closely_share_a_request_and_one_alone_goes_soon(open_: Open) -> None:
    sink = ToldSink()
    delivery = open_(sink=lambda _: sink)
    for number in range(200):
        delivery.submit(submissions(1, f"dense-{number}", event_time=time.time()))
        time.sleep(0.0002)
    assert wait_until(lambda: len(sink.sent) == 200)
    assert len(sink.batches) <= 50
    began = time.monotonic()
    delivery.submit(submissions(1, "alone", event_time=time.time()))
    assert wait_until(lambda: len(sink.sent) == 201)
    assert time.monotonic() - began < 5, "milliseconds on an idle machine"


def test_a_teams_own_sink_is_made_from_the_options_and_closed(open_: Open) -> None:
    sink = ToldSink()
    made: list[tuple[DeliveryOptions, str]] = []

    def factory(options: DeliveryOptions) -> ToldSink:
        made.append((options, threading.current_thread().name))
        return sink

    delivery = open_(sink=factory, tokens={})
    delivery.submit(fresh(1)).result(10)
    assert delivery.flush(10)
    assert [(options.sink, thread) for options, thread in made] == [(factory, "tiktok-relay")]
    delivery.close(10)
    assert sink.is_closed


@pytest.mark.slow
def test_test_events_go_singly_with_their_code(open_: Open, api: Api) -> None:
    delivery = open_(api_url=api.url, test_event_code="TEST1")
    delivery.submit(fresh(30)).result(10)
    assert delivery.flush(10)
    assert [len(request.ids) for request in api.requests] == [1] * 30
    assert {json.loads(request.body)["test_event_code"] for request in api.requests} == {"TEST1"}


def test_a_burst_is_delivered_whole_in_large_requests(open_: Open, api: Api) -> None:
    delivery = open_(api_url=api.url)
    for i in range(5000):
        delivery.submit(fresh(1, f"b{i}"))
    assert delivery.flush(30)
    assert sorted(api.ids) == sorted(f"b{i}-0" for i in range(5000))
    assert len(api.requests) < 500
    assert delivery.stats()["delivered"] == 5000


def test_a_sink_without_close_is_said_and_holds_up_nothing_else(open_: Open, caplog: pytest.LogCaptureFixture) -> None:
    class Endless:
        def send(self, batch: Sequence[Record]) -> list[Verdict]:
            return [Delivered()] * len(batch)

    delivery = open_(sink=lambda _: Endless())
    delivery.submit(submissions(1, event_time=time.time())).result(10)
    assert delivery.close(10)
    assert delivery.close(10)
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR] == [
        "The sink could not be closed"
    ]


def test_submit_does_not_wait_for_a_sink_that_hangs(open_: Open) -> None:
    leave = threading.Event()

    def answer(batch: Sequence[Record]) -> list[Verdict]:
        leave.wait(20)
        return [Delivered()] * len(batch)

    sink = ToldSink(answer)
    delivery = open_(sink=lambda _: sink)
    started = time.monotonic()
    futures = [delivery.submit(fresh(1, f"h{i}")) for i in range(200)]
    for future in futures:
        future.result(10)
    assert time.monotonic() - started < 5
    assert not delivery.flush(0.05)
    assert delivery.stats()["waiting"] == 200
    leave.set()
    assert delivery.flush(10)


@pytest.mark.slow
def test_an_outage_loses_nothing(open_: Open, api: Api) -> None:
    api.status, api.body = 503, b""
    delivery = open_(api_url=api.url)
    delivery.submit(fresh(10)).result(10)
    assert wait_until(lambda: delivery.stats()["retried"] != 0)
    api.status, api.body = 200, Api.OK
    assert delivery.flush(20)
    assert set(api.ids) == {f"evt-{i}" for i in range(10)}
    assert delivery.stats()["delivered"] == 10


def test_an_invalid_event_takes_no_other_with_it(open_: Open) -> None:
    def answer(batch: Sequence[Record]) -> list[Verdict]:
        bad = any(r.event_id == "evt-30" for r in batch)
        return [Rejected("40002 no") if bad else Delivered()] * len(batch)

    delivery = open_(sink=lambda _: ToldSink(answer))
    delivery.submit(fresh(60)).result(10)
    assert delivery.flush(10)
    stats = delivery.stats()
    assert (stats["delivered"], stats["buried"], stats["dead"]) == (59, {"rejected": 1}, 1)


def test_flush_does_not_wait_for_what_cannot_go(open_: Open) -> None:
    delivery = open_(sink=lambda _: ToldSink(lambda batch: [Halted("40105")] * len(batch)))
    delivery.submit(fresh(2)).result(10)
    assert wait_until(lambda: delivery.stats()["halted"] == 1)
    started = time.monotonic()
    assert not delivery.flush(20)
    assert time.monotonic() - started < 5
    assert delivery.stats()["waiting"] == 2


def test_close_does_not_wait_for_a_try_after_its_time(open_: Open) -> None:
    delivery = open_(sink=lambda _: ToldSink(lambda batch: [Retry(600.0, "429")] * len(batch)))
    delivery.submit(fresh(2)).result(10)
    assert wait_until(lambda: delivery.stats()["retried"] == 2)
    started = time.monotonic()
    assert not delivery.close(20)
    assert not delivery.close(20), "closing again tells the same"
    assert time.monotonic() - started < 5


def test_submit_after_close_is_not_lost(tmp_path: Path) -> None:
    delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{tmp_path}/o.db", sink=lambda _: ToldSink()))
    delivery.submit(fresh(1)).result(10)
    assert delivery.close(10)
    assert delivery.submit(fresh(1, "late")).result(0) == [Claim(browser=False, server=True)]
    again = ToldSink()
    heir = open_delivery(DeliveryOptions(outbox=f"sqlite:///{tmp_path}/o.db", sink=lambda _: again))
    heir.wake()
    assert wait_until(lambda: again.sent == ["late-0"])
    assert heir.close(10)
    assert delivery.close(10)


def test_overflow_is_counted_by_reason(open_: Open) -> None:
    delivery = open_(limit_rows=2, sink=lambda _: ToldSink(lambda batch: [Retry(60.0, "no")] * len(batch)))
    views = submissions(1, "view", event="Pageview", event_time=time.time())
    claims = delivery.submit([*fresh(1), *views, *fresh(2, "more")]).result(10)
    assert [claim.server for claim in claims] == [True, True, False, False]
    assert delivery.stats()["dropped"] == {"overflow": 2}


def test_a_full_queue_refuses_counts_and_lets_the_browser_go(tmp_path: Path) -> None:
    disk = Held(tmp_path / "o.db")
    delivery = open_delivery(DeliveryOptions(sink=lambda _: ToldSink(), limit_uncommitted=5), disk=disk)
    order = submission(record("order", event_time=time.time()), browser=True)
    futures = [delivery.submit([order]) for _ in range(20)]
    refused = [future for future in futures if future.done()]
    assert len(refused) >= 14
    assert {claim for future in refused for claim in future.result()} == {Claim(browser=True, server=False)}
    assert delivery.stats()["dropped"] == {"queue_full": len(refused)}
    disk.leave.set()
    assert delivery.close(10)
    assert delivery.stats()["delivered"] == 20 - len(refused)


def test_one_event_that_cannot_be_stored_does_not_take_its_neighbours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = ToldSink()
    delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{tmp_path}/o.db", sink=lambda _: sink))
    bad = submission(record("bad", event_time=2.0**70), browser=True)
    claims = delivery.submit([*fresh(1), bad, *fresh(1, "next")]).result(10)
    assert claims == [
        Claim(browser=False, server=True),
        Claim(browser=True, server=False),
        Claim(browser=False, server=True),
    ]
    assert delivery.close(10)
    assert sorted(sink.sent) == ["evt-0", "next-0"]
    assert delivery.stats()["dropped"] == {"unstorable": 1}
    assert caplog.text.count("could not be stored") == 1


def test_an_unwritable_disk_means_memory_and_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    sink = ToldSink()
    delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{tmp_path}/file/o.db", sink=lambda _: sink))
    order = submission(record("order", event_time=time.time()), browser=True, once=True)
    assert delivery.submit([order]).result(10) == [Claim(browser=True, server=True)]
    assert delivery.submit([order]).result(10) == [Claim(browser=False, server=False)]
    assert wait_until(lambda: sink.sent == ["order"])
    assert caplog.text.count("Events wait in memory") == 1
    delivery.close(1)


@pytest.mark.parametrize("kind", ["disk", "memory", "broken"])
def test_a_copy_is_there_for_whoever_asks(tmp_path: Path, kind: str) -> None:
    if kind == "broken":
        (tmp_path / "o").write_text("in the way")
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/o/o.db"
    delivery = open_delivery(DeliveryOptions(outbox=url))
    delivery.submit([OutboxEntry("a", browser=True, deferred=DeferredPayload("ref", b"[1]"))])
    assert delivery.take("ref").result(10) == b"[1]"
    assert delivery.take("none").result(10) is None
    delivery.close(1)


def test_a_disk_that_is_lost_meanwhile_has_no_copies(tmp_path: Path) -> None:
    delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{tmp_path}/o/o.db"))
    (tmp_path / "o").write_text("in the way")
    assert delivery.take("ref").result(10) is None
    delivery.close(1)


def test_a_queue_that_is_full_reads_nothing(tmp_path: Path) -> None:
    delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{tmp_path}/o.db", limit_uncommitted=0))
    assert delivery.take("ref").result(10) is None
    delivery.close(1)


def test_a_disk_that_comes_back_is_used_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hold = ToldSink(lambda batch: [Retry(600.0, "later")] * len(batch))
    delivery = open_delivery(
        DeliveryOptions(sink=lambda _: hold),
        disk=Failing(tmp_path / "o.db", "put", "put"),
        monotonic=itertools.count(0.0, 60.0).__next__,  # a failed disk is tried again at once
    )
    for i in range(3):
        delivery.submit(fresh(1, f"e{i}")).result(10)
    assert caplog.text.count("Events wait in memory") == 1
    assert delivery.stats()["waiting"] == 3
    delivery.close(0)
    with closing(sqlite3.connect(tmp_path / "o.db")) as db, db:
        found = db.execute("SELECT event_id FROM waiting ORDER BY 1").fetchall()
        assert found == [("e0-0",), ("e1-0",), ("e2-0",)], "what waited in memory meanwhile among them"
    db.close()


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"outbox": "postgres://x"}, "outbox"),
        ({"outbox": "sqlite:///"}, "outbox"),
        ({"sync": "off"}, "sync"),
        ({"sink": "carrier-pigeon"}, "sink"),
    ],
)
def test_a_malformed_option_is_named(options: dict[str, str], option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_delivery(DeliveryOptions(**options))  # type: ignore[arg-type]
    assert caught.value.option == option


def test_three_slashes_are_relative_to_where_the_process_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    delivery = open_delivery(DeliveryOptions(outbox="sqlite:///sub/o.db"))
    monkeypatch.chdir("/")
    delivery.submit([OutboxEntry("e", browser=True)]).result(10)
    delivery.close(1)
    assert (tmp_path / "sub" / "o.db").exists()


def test_many_threads_submit_at_once(open_: Open) -> None:
    sink = ToldSink()
    delivery = open_(sink=lambda _: sink)
    futures: list[Future[list[Claim]]] = []

    def caller(number: int) -> None:
        futures.extend(delivery.submit(fresh(1, f"{number}-{i}")) for i in range(100))

    callers = [threading.Thread(target=caller, args=(n,)) for n in range(6)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(20)
    assert delivery.flush(20)
    assert all(future.result(0) == [Claim(browser=False, server=True)] for future in futures)
    assert sorted(sink.sent) == sorted(f"{n}-{i}-0" for n in range(6) for i in range(100))


# Processes


PRELUDE = """
import os, signal, sys, threading, time, atexit
from tests.delivery.delivery_world import PIXEL, submissions
from tiktok_middleware.delivery.delivery import DeliveryOptions
from tiktok_middleware.delivery.delivery import open_delivery
outbox, url = sys.argv[1:3]
delivery = open_delivery(DeliveryOptions(outbox=outbox, api_url=url, tokens={PIXEL: "tok"}))
def fresh(count, prefix): return submissions(count, prefix, event_time=time.time())
"""


#: At exit there are two seconds for sending, which a busy machine needs for the import of the HTTP client alone.
TIME_TO_SEND = """
from tiktok_middleware.delivery.process.stopping import STOP
STOP._send_s, STOP._commit_s = 30.0, 40.0
"""


def run(code: str, outbox: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code), outbox, url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


NOWHERE = "http://127.0.0.1:9"


def test_at_exit_one_delivery_that_cannot_be_closed_leaves_the_others_closed(tmp_path: Path) -> None:
    ended = run(
        """
        from tiktok_middleware.core.events_api.answers import Delivered

        class Sink:
            def send(self, batch):
                return [Delivered()] * len(batch)
            def close(self):
                print("closed", flush=True)

        some = [open_delivery(DeliveryOptions(sink=lambda _: Sink())) for _ in range(3)]
        for one in some:
            one.submit(fresh(1, "x"))
        some[1]._writer.close = None
        """,
        f"sqlite:///{tmp_path}/outbox.sqlite3",
        NOWHERE,
    )
    assert ended.stdout == "closed\n" * 2, ended.stderr
    assert ended.stderr.count("A delivery could not be closed") == 1
    assert ended.returncode == 0


@pytest.mark.slow
def test_what_a_future_promised_survives_kill_9(tmp_path: Path, api: Api) -> None:
    outbox = f"sqlite:///{tmp_path}/outbox.sqlite3"
    killed = run(
        """
        for i in range(50):
            delivery.submit(fresh(20, f"k{i}")).result(10)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        outbox,
        NOWHERE,
    )
    assert killed.returncode == -signal.SIGKILL
    later = [30.0]
    heir = open_delivery(
        DeliveryOptions(outbox=outbox, api_url=api.url, tokens={PIXEL: "tok"}), clock=lambda: time.time() + later[0]
    )
    heir.wake()
    assert wait_until(lambda: len(set(api.ids)) == 1000), "the dead process's leases have expired by now"
    assert heir.close(10)


@pytest.mark.slow
def test_a_process_that_ends_at_once_delivers_what_it_can(outbox: str, api: Api) -> None:
    ended = run("delivery.submit(fresh(500, 'e'))", outbox, api.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(api.ids) == sorted(f"e-{i}" for i in range(500))


@pytest.mark.slow
def test_a_process_that_ends_during_an_outage_keeps_everything(tmp_path: Path) -> None:
    started = time.monotonic()
    ended = run("for i in range(500): delivery.submit(fresh(1, f'e{i}'))", f"sqlite:///{tmp_path}/o.db", NOWHERE)
    assert ended.returncode == 0
    assert time.monotonic() - started < 15
    outbox = SqliteOutbox(tmp_path / "o.db", environment="loopback")
    assert outbox.counts()["waiting"] == 500
    outbox.close()


@pytest.mark.slow
def test_an_event_tracked_at_exit_is_delivered_too(outbox: str, api: Api) -> None:
    """An application's own exit hooks run before ours when they were registered later."""
    ended = run(TIME_TO_SEND + "atexit.register(lambda: delivery.submit(fresh(1, 'bye')))", outbox, api.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert api.ids == ["bye-0"]


@pytest.mark.slow
def test_sigterm_with_a_handler_that_exits_loses_nothing(tmp_path: Path, api: Api) -> None:
    code = """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    delivery.submit(fresh(100, 't'))
    os.kill(os.getpid(), signal.SIGTERM)
    """
    ended = run(TIME_TO_SEND + textwrap.dedent(code), f"sqlite:///{tmp_path}/o.db", api.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(set(api.ids)) == 100


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("is_warm", [False, True])
def test_a_forked_child_delivers_its_own_and_the_parent_its_own(outbox: str, api: Api, is_warm: bool) -> None:
    code = f"""
    if {is_warm}:
        delivery.submit(fresh(1, "before")).result(40)
        assert delivery.flush(40)
    children = []
    for number in range(2):
        pid = os.fork()
        if pid == 0:
            claims = delivery.submit(fresh(100, f"child{{number}}")).result(40)
            assert all(claim.server for claim in claims)
            assert delivery.stats()["submitted"] == 100
            assert delivery.close(40)
            os._exit(0)
        children.append(pid)
    delivery.submit(fresh(100, "parent")).result(40)
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    assert codes == [0, 0], codes
    assert delivery.close(40)
    """
    ended = run(code, outbox, api.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    expected = {f"{who}-{i}" for who in ("parent", "child0", "child1") for i in range(100)}
    assert set(api.ids) == expected | ({"before-0"} if is_warm else set())
    assert len(api.ids) == len(set(api.ids)), "no process sends what is another's"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_in_the_middle_of_the_relays_imports_leaves_the_child_a_relay_that_sends(
    tmp_path: Path, api: Api
) -> None:
    """An app that tracks while it is preloaded: the lock of an import that was cut off is never let go in the child."""
    code = """
    delivery.submit(fresh(1, "preloaded")).result(40)
    while "httpx" not in sys.modules:
        time.sleep(0.001)
    pid = os.fork()
    delivery.submit(fresh(1, "parent" if pid else "child")).result(40)
    is_sent = delivery.flush(40)
    if pid == 0:
        os._exit(not is_sent)
    assert is_sent
    assert os.waitpid(pid, 0)[1] == 0
    """
    ended = run(code, f"sqlite:///{tmp_path}/o.db", api.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert set(api.ids) == {"preloaded-0", "parent-0", "child-0"}


@pytest.mark.slow
def test_a_fork_waits_a_second_at_most_for_a_first_send_that_hangs(open_: Open) -> None:
    leave, sending = threading.Event(), threading.Event()

    def hang(batch: Sequence[Record]) -> Sequence[Verdict]:
        sending.set()
        leave.wait(10)
        return [Delivered()] * len(batch)

    delivery = open_(sink=lambda _: ToldSink(hang))
    delivery.submit(fresh(1)).result(10)
    assert sending.wait(10)
    began = time.monotonic()
    delivery.before_fork()
    delivery.after_fork()
    assert time.monotonic() - began < 5
    leave.set()
    assert delivery.flush(10)
    delivery.before_fork()
    delivery.after_fork()
    delivery.submit(fresh(1, "more")).result(10)
    assert delivery.flush(10), "it goes on in the parent"


@pytest.mark.slow
def test_two_processes_share_a_file_and_count_once(tmp_path: Path, api: Api) -> None:
    code = """
    from tests.delivery.delivery_world import record, submission
    orders = [submission(record(f"order-{i}", event_time=time.time()), browser=True, once=True) for i in range(200)]
    claims = [delivery.submit([order]).result(10)[0] for order in orders]
    assert delivery.close(20)
    print(sum(claim.server for claim in claims), sum(claim.browser for claim in claims))
    """
    results: list[str] = []

    def worker() -> None:
        ended = run(code, f"sqlite:///{tmp_path}/o.db", api.url)
        results.append(ended.stdout + ended.stderr)

    workers = [threading.Thread(target=worker) for _ in range(2)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join(60)
    won = [tuple(map(int, result.split())) for result in results]
    assert [sum(column) for column in zip(*won, strict=True)] == [200, 200]
    assert sorted(api.ids) == sorted(f"order-{i}" for i in range(200))


def test_no_warning_is_logged_when_all_goes_well(open_: Open, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tiktok_middleware"):
        delivery = open_(api_url=api.url)
        delivery.submit(fresh(5)).result(10)
        assert delivery.close(10)
    assert [r for r in caplog.records if r.name.startswith("tiktok_middleware")] == []


def test_flush_gives_up_on_a_disk_that_takes_too_long(tmp_path: Path) -> None:
    disk = Held(tmp_path / "o.db")
    delivery = open_delivery(DeliveryOptions(sink=lambda _: ToldSink()), disk=disk)
    delivery.submit(fresh(1))
    assert not delivery.flush(0.02)
    disk.leave.set()
    assert delivery.flush(10)
    assert delivery.close(10)


@pytest.mark.parametrize("method", ["last_id", "holds"])
def test_a_disk_that_fails_while_we_wait_makes_no_promise(
    tmp_path: Path, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Failing(tmp_path / "o.db")
    delivery = open_delivery(DeliveryOptions(sink=lambda _: ToldSink()), disk=disk)
    delivery.submit(fresh(1)).result(10)
    disk.failures.append(method)
    assert not delivery.flush(10), "rows of ours may still be there"
    assert caplog.text.count("Events wait in memory") == 1
    delivery.close(1)


def test_stats_say_that_an_outbox_cannot_be_read(tmp_path: Path) -> None:
    delivery = open_delivery(DeliveryOptions(tokens={PIXEL: "tok"}), disk=Failing(tmp_path / "o.db", "counts"))
    stats = delivery.stats()
    assert (stats["unreadable"], stats["waiting"]) == (1, 0)


def test_a_fork_behind_pythons_back_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = ToldSink()
    delivery = open_delivery(DeliveryOptions(sink=lambda _: sink))
    delivery.submit(fresh(2)).result(10)
    assert delivery.close(10)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    delivery.submit(fresh(1, "child")).result(10)
    assert delivery.stats()["submitted"] == 1
    assert delivery.flush(10), "although the parent's relay has stopped"
    assert sink.sent[-1] == "child-0"
    assert delivery.close(10)
