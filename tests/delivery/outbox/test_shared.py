"""A shared outbox that is down, slow, read-only, full, cut off or forbidden: nothing is lost, sent twice, or held up."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from tests.delivery.delivery_world import PIXEL, Api, StartedThreads, record, submission, submissions, wait_until
from tests.delivery.outbox.conftest import Open
from tests.postgres_world import Postgres
from tiktok_middleware.core.events.event import NOT_YET, Claim, DeferredPayload, Draft, OutboxEntry
from tiktok_middleware.delivery.delivery import Delivery, DeliveryOptions
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.delivery.outbox.shared import SharedStorage
from tiktok_middleware.delivery.outbox.sqlite.spool_file import SpoolFile
from tiktok_middleware.delivery.outbox.undecided_claims import UndecidedClaims
from tiktok_middleware.errors import ConfigError, OutboxError

pytestmark = pytest.mark.postgres


def order(name: str) -> OutboxEntry:
    return submission(record(name, event_time=time.time()), browser=True, once=True)


def all_home(delivery: Delivery) -> bool:
    return wait_until(lambda: not delivery.stats().get("undecided") and delivery.stats()["waiting"] == 0, 30)


def dropped(delivery: Delivery) -> object:
    return delivery.stats()["dropped"]


def down(own: Postgres) -> Callable[[], None]:
    own.stop(signal.SIGQUIT)
    return own.start


def frozen(own: Postgres) -> Callable[[], None]:
    own.signal_all(signal.SIGSTOP)
    return lambda: own.signal_all(signal.SIGCONT)


def read_only(own: Postgres) -> Callable[[], None]:
    own.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    own.execute("SELECT pg_reload_conf()")
    own.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tiktok-middleware'")

    def undo() -> None:
        (own.folder / "data" / "postgresql.auto.conf").write_text("")
        own.execute("SELECT pg_reload_conf()")

    return undo


def out_of_connections(own: Postgres) -> Callable[[], None]:
    own.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS false", "template1")
    own.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tiktok-middleware'",
        "template1",
    )

    def undo() -> None:
        own.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS true", "template1")

    return undo


def locked(own: Postgres) -> Callable[[], None]:
    """Another session holds the table, as a migration of the team's own may."""
    import psycopg

    other = psycopg.connect(own.url())
    [(schema,)] = other.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'test_%' ORDER BY oid DESC LIMIT 1"
    )
    other.execute(f"LOCK TABLE {schema}.event IN ACCESS EXCLUSIVE MODE".encode())
    return other.close


FAULTS = [down, frozen, read_only, out_of_connections, locked]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_used", [True, False], ids=["used before", "never used"])
def test_events_wait_on_the_host_during_a_fault_and_arrive_once(
    own: Postgres, open_: Open, api: Api, fault: Callable[[Postgres], Callable[[], None]], is_used: bool
) -> None:
    delivery = open_()
    if is_used:
        assert delivery.submit([order("before")]).result(20) == [Claim(browser=True, server=True)]
        assert delivery.flush(20)
    undo = fault(own)
    try:
        began = time.monotonic()
        undecided = delivery.submit([order("meanwhile"), *submissions(2, "plain", event_time=time.time())]).result(20)
        again = delivery.submit([order("meanwhile")]).result(20)
        assert time.monotonic() - began < 10
        assert undecided[0] == Claim(browser=True, server=True, is_decided=False)
        assert [claim.server for claim in undecided] == [True] * 3
        assert not again[0].browser
        assert "meanwhile" not in api.ids
    finally:
        undo()
    assert all_home(delivery)
    assert delivery.flush(20)
    assert sorted(api.ids) == sorted(["meanwhile", "plain-0", "plain-1", *(["before"] if is_used else [])])
    assert delivery.submit([order("meanwhile")]).result(20) == [Claim(browser=False, server=False)]


@pytest.mark.slow
def test_a_killed_process_leaves_its_events_to_the_next_one(
    own: Postgres, url: str, open_: Open, api: Api, tmp_path: Path
) -> None:
    own.stop(signal.SIGQUIT)
    program = f"""
import os, time
from tests.delivery.outbox.test_shared import order
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
delivery = open_delivery(DeliveryOptions(outbox={url!r}, spool={str(tmp_path / "spool")!r}, tokens={{{PIXEL!r}: "t"}}, api_url={api.url!r}))
delivery.submit([order(f"order-{{n}}") for n in range(5)]).result(20)
delivery.submit([order(f"order-{{n}}") for n in range(5, 9)]).result(20)
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == -9
    own.start()
    delivery = open_()
    delivery.wake()
    assert wait_until(lambda: len(api.ids) == 9, 30)
    assert delivery.flush(20)
    assert sorted(api.ids) == [f"order-{n}" for n in range(9)]


class CutOnce(PostgresOutbox):
    """The first put's connection breaks before the server commits, or after it."""

    def __init__(self, url: str, cut: str) -> None:
        super().__init__(url, environment="loopback", pixels=[PIXEL], sends=[PIXEL])
        self._cuts = iter([cut])

    def put(self, entries: Any, **options: Any) -> list[Claim]:
        cut = next(self._cuts, "")
        claims = super().put(entries, **options) if cut != "before" else []
        if cut:
            raise OutboxError("server closed the connection unexpectedly")
        return claims


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_commit_whose_answer_is_lost_counts_once(url: str, api: Api, tmp_path: Path, cut: str) -> None:
    options = DeliveryOptions(outbox=url, spool=str(tmp_path / "spool"), tokens={PIXEL: "t"}, api_url=api.url)
    delivery = Delivery(options, shared=CutOnce(url, cut))
    assert delivery.submit([order("one"), *submissions(1, "plain", event_time=time.time())]).result(20)[0].browser
    assert all_home(delivery)
    assert delivery.flush(20)
    delivery.close(1)
    assert sorted(api.ids) == ["one", "plain-0"]


def test_without_a_disk_events_wait_in_memory_and_the_lost_ones_are_named(
    own: Postgres, open_: Open, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = open_(spool="/proc/no/such/place")
    own.stop(signal.SIGQUIT)
    try:
        assert not delivery.submit([order("order-1")]).result(20)[0].is_decided
        assert delivery.stats()["undecided"] == 1
        delivery.close(0.1)
    finally:
        own.start()
    assert "lost with the process" in caplog.text
    assert "Purchase order-1: the database never said whether it was counted before" in caplog.text
    assert dropped(delivery) == {"once_undecided": 1}


def write_draft(own: Postgres, delivery: Delivery, name: str) -> str:
    """Commit the draft of an order, and return its reference."""
    assert delivery.flush(20)
    assert delivery.drafts is not None
    ref = name.ljust(32, "0")
    made = delivery.drafts.statement(ref, order(name), "percent")
    assert made is not None
    sql, values = made
    assert isinstance(values, tuple)
    with psycopg.connect(own.url()) as app:
        app.execute(sql.encode(), values)
    return ref


@pytest.mark.parametrize("spool", ["", "/proc/no/such/place"], ids=["file", "memory"])
def test_a_completion_without_server_copies_is_brought_home_at_a_stop(
    own: Postgres, url: str, open_: Open, api: Api, spool: str
) -> None:
    """Such as of a visitor who has revoked the consent: else the event would count as it was tracked."""
    delivery = open_(**({"spool": spool} if spool else {}))
    ref = write_draft(own, delivery, "order-1")
    own.stop(signal.SIGQUIT)
    try:
        delivery.submit([OutboxEntry("order-1", draft=Draft(ref))]).result(20)
    finally:
        own.start()
    delivery.close(20)
    schema = url.partition("schema=")[2].partition("&")[0]
    assert own.execute(f"SELECT count(*) FROM {schema}.draft") == [(0,)]
    assert api.ids == []


def test_a_completion_that_is_lost_is_named(own: Postgres, open_: Open, caplog: pytest.LogCaptureFixture) -> None:
    delivery = open_(spool="/proc/no/such/place")
    own.stop(signal.SIGQUIT)
    try:
        delivery.submit([OutboxEntry("order-1", draft=Draft("r" * 32))]).result(20)
        delivery.close(0.1)
    finally:
        own.start()
    assert "order-1: the database does not answer, so what the response decided is lost" in caplog.text


def test_a_page_gets_the_copy_of_an_order_that_was_completed_during_an_outage(own: Postgres, open_: Open) -> None:
    delivery = open_()
    ref = write_draft(own, delivery, "order-1")
    own.stop(signal.SIGQUIT)
    try:
        made = msgspec.structs.replace(order("order-1"), draft=Draft(ref, b"[1]"))
        assert delivery.submit([made]).result(20)[0].is_committed is False
        assert delivery.take(ref).result(20) == NOT_YET
    finally:
        own.start()
    assert wait_until(lambda: delivery.take(ref).result(20) == b"[1]", 30)


def test_what_has_expired_on_a_host_is_removed_by_the_next_process(open_: Open, tmp_path: Path) -> None:
    delivery = open_()
    [path] = {spool.path for spool in [delivery._storage._file]}  # type: ignore[union-attr]
    file = SpoolFile(path, "production", time.time, "normal")
    file.keep(submissions(1), b"p" * 16)
    file.close()

    def execute(sql: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            return db.execute(sql).fetchall()

    execute("INSERT INTO unreadable SELECT id, environment, put_id, entries, rows, 0 FROM spool")
    execute("DELETE FROM spool")
    delivery.submit(submissions(1, "new")).result(20)
    assert wait_until(lambda: execute("SELECT count(*) FROM unreadable") == [(0,)], 30)


def test_hold_keeps_the_browser_copies_of_once_events(own: Postgres, open_: Open) -> None:
    delivery = open_(once_undecided="hold")
    own.stop(signal.SIGQUIT)
    try:
        plain = OutboxEntry("plain", browser=True)
        claims = delivery.submit([order("order-1"), plain]).result(20)
    finally:
        own.start()
    assert [claim.browser for claim in claims] == [False, True]


def test_a_large_browser_copy_is_fetched_from_the_host_meanwhile(own: Postgres, url: str, open_: Open) -> None:
    delivery = open_()
    own.stop(signal.SIGQUIT)
    try:
        delivery.submit([OutboxEntry("a", browser=True, deferred=DeferredPayload("ref", b"[1]"))]).result(20)
        assert delivery.take("ref").result(20) == b"[1]"
    finally:
        own.start()
    assert wait_until(lambda: not delivery.stats().get("undecided"), 30)
    assert delivery.take("ref").result(20) == b"[1]"


def test_an_event_that_cannot_be_stored_does_not_stop_the_others(
    open_: Open, api: Api, own: Postgres, url: str
) -> None:
    delivery = open_()
    bad = OutboxEntry("bad\0id", (record("bad\0id", event_time=time.time()),), browser=True, once=True)
    own.stop(signal.SIGQUIT)
    try:
        delivery.submit([order("first"), bad, order("last")]).result(20)
    finally:
        own.start()
    assert all_home(delivery)
    assert delivery.flush(20)
    assert sorted(api.ids) == ["first", "last"]
    claims = delivery.submit([order("second"), bad]).result(20)
    assert [claim.server for claim in claims] == [True, False]
    assert dropped(delivery) == {"unstorable": 2}


class LookedAt(PostgresOutbox):
    """An outbox that counts the looks at its database, and has none."""

    looks = 0

    def read_switches(self) -> None:
        self.looks += 1


def test_calls_during_an_outage_share_one_look_at_the_database() -> None:
    disk = LookedAt("postgresql://nobody@127.0.0.1:9/none?wait=20")
    storage = SharedStorage(
        disk, None, UndecidedClaims(10, hands_out=True), time.time, limit_rows=10, keeps_thread=True
    )
    goes_on = threading.Event()
    hanging = storage._calls.start(lambda: goes_on.wait(60))
    try:
        reached = [storage.reach_drafts() for _ in range(5)]
        assert len({id(one and one[0]) for one in reached}) == 1
        assert reached[0] is not None
        assert storage._calls._waiting == 2
        storage.lose_disk(OutboxError("no answer"))
        assert storage.reach_drafts() is None
        goes_on.set()
        assert hanging.result(20)
        assert reached[0][0].result(20) is None
        assert disk.looks == 0
    finally:
        goes_on.set()
        storage.close()


def test_a_role_that_may_not_create_tables_is_told_what_to_do(
    own: Postgres, url: str, open_: Open, caplog: pytest.LogCaptureFixture
) -> None:
    own.execute("DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN")
    schema = "test_poor"
    url = own.url(schema=schema)
    poor = url.replace("postgres@", "poor@")
    outbox = PostgresOutbox(poor)
    with pytest.raises(OutboxError, match="outbox migrate"):
        outbox.counts()
    delivery = open_(outbox=poor)
    assert delivery.submit([order("early")]).result(20)[0].is_decided is False
    owner = PostgresOutbox(url)
    owner.counts()
    owner.close()
    own.execute(
        f"GRANT USAGE ON SCHEMA {schema} TO poor; GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO poor;"
        f" GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO poor"
    )
    assert all_home(delivery)
    assert "outbox migrate" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@h/d?sslmode=sometimes&x=1",
        "postgresql://u:hunter2@h:port/d",
        "postgresql://u:hunter2@h/d?schema=Robert');--",
        "postgresql://u:hunter2@h/d?schema=",
        "postgresql://u:hunter2@h/d?wait=long",
        "postgresql://u:hunter2@h/d?sslmode=require&wait=0",
        "postgresql://u:hunter2#x@h/d?wait=0",
        "postgresql://u:hunter2?x@h/d?wait=0",
        "postgresql://u:hunter2[@h/d?wait=0",
        "postgresql://u:hunter2@x@h/d?wait=0",
        "postgresql://u:hunter2\u2100@h/d?wait=0",
    ],
)
def test_a_malformed_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PostgresOutbox(url)
    assert "hunter2" not in str(caught.value)
    assert "postgresql://USER:PASSWORD@HOST/DATABASE" in str(caught.value)


@pytest.mark.parametrize("password", ["hunter2", "hunter2#x", "hunter2[x"])
def test_no_message_shows_the_password(caplog: pytest.LogCaptureFixture, password: str) -> None:
    caplog.set_level(logging.DEBUG)
    outbox = PostgresOutbox(f"postgresql://u:{password}@127.0.0.1:1/d?password=hunter2")
    with pytest.raises(OutboxError) as caught:
        outbox.counts()
    assert "hunter2" not in f"{caught.value} {outbox.name} {caplog.text}"


def test_asking_for_the_switches_before_the_first_event_leaves_no_thread(open_: Open) -> None:
    started, delivery = StartedThreads(), open_()
    assert not delivery.is_off
    delivery.submit([order("order-1")]).result(20)
    assert wait_until(lambda: started.ours.count("tiktok-database") == 1)
    delivery.close(5)
    assert wait_until(lambda: "tiktok-database" not in started.ours)


def test_two_connections_are_enough_for_a_process(own: Postgres, open_: Open, api: Api) -> None:
    delivery = open_()
    for number in range(5):
        delivery.submit([order(f"order-{number}")]).result(20)
    assert delivery.flush(20)
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tiktok-middleware'"
    assert wait_until(lambda: own.execute(count)[0][0] <= 2), "once those of earlier tests have ended"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_connections_of_its_own(open_: Open, api: Api) -> None:
    delivery = open_()
    delivery.submit([order("parent")]).result(20)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            delivery.submit([order("child")]).result(20)
            code = 0 if delivery.flush(20) else 2
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    delivery.submit([order("parent again")]).result(20)
    assert delivery.flush(20)
    assert sorted(api.ids) == ["child", "parent", "parent again"]


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import sys, time
import gevent
from tests.delivery.delivery_world import submissions
from tests.delivery.outbox.test_shared import order
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
url, spool, pixel, api = sys.argv[1:]
late = []
def tick():
    while True:
        began = time.monotonic()
        gevent.sleep(0.01)
        late.append(time.monotonic() - began)
gevent.spawn(tick)
delivery = open_delivery(DeliveryOptions(outbox=url, spool=spool, tokens={pixel: "t"}, api_url=api))
jobs = [gevent.spawn(lambda n=n: delivery.submit([order(f"order-{n}")]).result(20)) for n in range(20)]
gevent.joinall(jobs, raise_error=True)
assert delivery.flush(20), delivery.stats()
print(delivery.close(5), len(late) > 3)
"""


@pytest.mark.slow
def test_greenlets_wait_for_the_database_without_blocking_others(url: str, api: Api, tmp_path: Path) -> None:
    command = [sys.executable, "-c", GREENLETS, url, str(tmp_path / "spool"), PIXEL, api.url]
    done = subprocess.run(command, timeout=90, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["True", "True"]), done.stderr
    assert sorted(api.ids) == sorted(f"order-{n}" for n in range(20))


def test_an_acknowledgement_that_fails_is_made_up_for(own: Postgres, url: str) -> None:
    """TikTok has the event: it is not sent again when the lease ends."""
    outbox = PostgresOutbox(url, pixels=[PIXEL], sends=[PIXEL])
    outbox.put(submissions(2, event_time=time.time()))
    rows = outbox.lease("a", 10, limit_bytes=10**6, for_s=0.0)
    with psycopg.connect(own.url()) as other:
        other.execute(f"LOCK TABLE {url.partition('schema=')[2].partition('&')[0]}.ledger".encode())
        with pytest.raises(OutboxError):
            outbox.ack("a", rows)
    assert outbox.lease("b", 10, limit_bytes=10**6, for_s=60) == []
    assert outbox.counts()["waiting"] == 0
    outbox.close()


def test_many_processes_migrate_at_once(own: Postgres) -> None:
    with own.schema() as url, ThreadPoolExecutor(8) as pool:
        outboxes = [PostgresOutbox(url) for _ in range(8)]
        assert [future.result(30)["waiting"] for future in [pool.submit(one.counts) for one in outboxes]] == [0] * 8
        for outbox in outboxes:
            outbox.close()
