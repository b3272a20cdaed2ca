"""A database that accepts everything and answers nothing holds up no request, no probe and no end of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from tests.delivery.delivery_world import PIXEL, Api, submissions, wait_until
from tests.delivery.outbox.conftest import Open
from tests.delivery.outbox.test_shared import all_home, order
from tests.postgres_world import Postgres
from tests.swallowing_proxy import SwallowingProxy, swallowing_proxy
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.delivery.process.bounded_calls import BoundedCalls
from tiktok_middleware.delivery.process.event_loop import in_thread
from tiktok_middleware.errors import OutboxError

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

_T = TypeVar("_T")
_ENDS_S = 25.0  # far above each limit; before there were limits, the calls never ended


def ends(call: Callable[[], _T]) -> _T:
    """Return the result of a call that must end."""
    done: Future[_T] = in_thread(call)
    assert wait_until(done.done, _ENDS_S), "the call hangs"
    return done.result()


class Hang:
    """How the database stops to answer."""

    def __init__(self, own: Postgres, proxy: SwallowingProxy, kind: str) -> None:
        self._own = own
        self._proxy = proxy
        self._kind = kind

    def __enter__(self) -> None:
        if self._kind == "frozen":
            self._own.signal_all(signal.SIGSTOP)
        else:
            self._proxy.swallow()

    def __exit__(self, *_: object) -> None:
        if self._kind == "frozen":
            self._own.signal_all(signal.SIGCONT)
        else:
            self._proxy.forward()


@pytest.fixture(params=["frozen", "swallowed"])
def hang(request: pytest.FixtureRequest, own: Postgres, url: str) -> Iterator[tuple[Hang, str]]:
    """A way to hang, and the address of an outbox that it concerns."""
    with swallowing_proxy(own.port) as proxy:
        yield Hang(own, proxy, request.param), url.replace(f":{own.port}/", f":{proxy.port}/")


def test_stats_flush_and_close_end_while_the_database_hangs(hang: tuple[Hang, str], open_: Open, api: Api) -> None:
    fault, url = hang
    delivery = open_(outbox=url)
    delivery.submit([order("before")]).result(20)
    assert delivery.flush(20)
    with fault:
        delivery.wake()  # the relay's own call hangs too
        time.sleep(0.1)
        assert ends(delivery.stats)["unreadable"] == 1
        assert ends(lambda: delivery.submit([order("meanwhile")]).result(20))[0].is_decided is False
        assert ends(lambda: delivery.flush(0.5)) is False
        assert ends(lambda: delivery.close(0.5)) is False
    late = open_(outbox=url)
    late.wake()
    assert all_home(late)
    assert late.flush(20)
    assert sorted(api.ids) == ["before", "meanwhile"]


def test_sending_goes_on_once_the_database_answers_again(hang: tuple[Hang, str], open_: Open, api: Api) -> None:
    """On the same connections where they survived, on new ones where they did not."""
    fault, url = hang
    delivery = open_(outbox=url)
    delivery.submit([order("before")]).result(20)
    assert delivery.flush(20)
    with fault:
        delivery.submit([order("meanwhile"), *submissions(2, "plain", event_time=time.time())]).result(20)
    assert all_home(delivery)
    assert delivery.flush(20)
    assert sorted(api.ids) == ["before", "meanwhile", "plain-0", "plain-1"]


def test_a_request_that_sends_by_itself_does_not_hang(hang: tuple[Hang, str], open_: Open, api: Api) -> None:
    fault, url = hang
    delivery = open_(outbox=url, flush="request")
    delivery.submit([order("before")]).result(20)
    assert api.ids == ["before"]
    with fault:
        for number in range(3):
            assert ends(lambda n=number: delivery.submit([order(f"late-{n}")]).result(20))[0].browser  # type: ignore[misc]


CALLS: list[Callable[[PostgresOutbox, list[LeasedRecord]], object]] = [
    lambda outbox, _: outbox.counts(),
    lambda outbox, _: outbox.oldest_s(),
    lambda outbox, _: outbox.last_id(),
    lambda outbox, _: outbox.resumes(),
    lambda outbox, _: outbox.read_switches(),
    lambda outbox, _: outbox.tidy(),
    lambda outbox, _: outbox.notify(),
    lambda outbox, _: outbox.listen(0.1),
    lambda outbox, _: outbox.due_in_s(),
    lambda outbox, _: outbox.holds(1),
    lambda outbox, _: outbox.take("ref"),
    lambda outbox, _: outbox.cancel("id"),
    lambda outbox, _: outbox.stored(b"p" * 16),
    lambda outbox, _: outbox.put(submissions(1, event_time=time.time())),
    lambda outbox, _: outbox.lease("a", 1, limit_bytes=10**6, for_s=60),
    lambda outbox, rows: outbox.ack("a", rows),
    lambda outbox, rows: outbox.bury("a", rows, "why"),
    lambda outbox, rows: outbox.release("a", [row.id for row in rows]),
]


def test_every_method_of_an_outbox_ends(hang: tuple[Hang, str]) -> None:
    """All at once, each on connections of its own that were used before."""
    fault, url = hang
    outboxes = [PostgresOutbox(url, pixels=[PIXEL], sends=[PIXEL]) for _ in CALLS]
    leased = []
    for outbox in outboxes:
        outbox.put(submissions(1, event_time=time.time()))
        leased.append(outbox.lease("a", 1, limit_bytes=10**6, for_s=60))
        outbox.counts()
    with fault:
        running = [
            in_thread(partial(call, outbox, rows)) for call, outbox, rows in zip(CALLS, outboxes, leased, strict=True)
        ]
        assert wait_until(lambda: all(one.done() for one in running), _ENDS_S), "a call hangs"
        assert {type(one.exception()) for one in running} == {OutboxError}
        for outbox in outboxes:
            outbox.close()


@contextmanager
def locked(own: Postgres, url: str, table: str) -> Iterator[None]:
    """Another session holds a table, as a migration of the team's own may."""
    schema = url.partition("schema=")[2].partition("&")[0]
    with psycopg.connect(own.url()) as other:
        other.execute(f"LOCK TABLE {schema}.{table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


@pytest.mark.parametrize(
    ("table", "call"),
    [
        ("event", "counts"),
        ("event", "oldest_s"),
        ("event", "due_in_s"),
        ("control", "read_switches"),
        ("control", "resumes"),
    ],
)
def test_a_read_does_not_wait_for_a_table_that_another_session_holds(
    own: Postgres, url: str, table: str, call: str
) -> None:
    outbox = PostgresOutbox(url, pixels=[PIXEL], sends=[PIXEL])
    outbox.put(submissions(1, event_time=time.time()))
    with locked(own, url, table):
        for _ in range(2):
            with pytest.raises(OutboxError, match="lock timeout"):
                ends(getattr(outbox, call))
        waiting = own.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        assert waiting == [(0,)], "no session of ours still waits in the database"
    getattr(outbox, call)()
    outbox.close()


def test_sigterm_ends_a_relay_while_the_database_hangs(own: Postgres, url: str, api: Api, tmp_path: Path) -> None:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")},
        "TIKTOK_OUTBOX": url,
        "TIKTOK_PIXEL_ID": PIXEL,
        "TIKTOK_ACCESS_TOKEN": "t",
        "TIKTOK_API_URL": api.url,
        "TIKTOK_CONSENT": "implied",
        "XDG_STATE_HOME": str(tmp_path),
    }
    command = [str(Path(sys.executable).with_name("tiktok-middleware")), "relay", "--drain", "1"]
    relay = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert relay.stdout is not None
        assert any("The relay is running" in line for line in relay.stdout)
        outbox = PostgresOutbox(url, environment="loopback", pixels=[PIXEL])
        outbox.put(submissions(1, event_time=time.time()))
        outbox.notify()
        assert wait_until(lambda: len(api.ids) == 1, 30)
        outbox.close()
        own.signal_all(signal.SIGSTOP)
        try:
            relay.send_signal(signal.SIGTERM)
            assert relay.wait(_ENDS_S) == 0
        finally:
            own.signal_all(signal.SIGCONT)
    finally:
        relay.kill()
        relay.communicate()


def test_housekeeping_holds_up_no_put(own: Postgres, url: str, open_: Open) -> None:
    """A process without a relay of its own does it, and its puts do not wait for it."""
    delivery = open_(flush="relay")
    delivery.submit(submissions(1, "first", event_time=time.time())).result(20)
    schema = url.partition("schema=")[2].partition("&")[0]
    own.execute(
        f"CREATE FUNCTION {schema}.slow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(1.9); RETURN NULL; END';"
        f"CREATE TRIGGER slow BEFORE DELETE ON {schema}.ledger FOR EACH STATEMENT EXECUTE FUNCTION {schema}.slow();"
        f"CREATE TRIGGER slow BEFORE DELETE ON {schema}.dead FOR EACH STATEMENT EXECUTE FUNCTION {schema}.slow()"
    )
    late = open_(flush="relay")  # waits for 2 s at most; housekeeping takes 3.8 s
    for number in range(5):
        claim = late.submit([order(f"order-{number}")]).result(20)[0]
        assert claim.is_decided, "the put waited for housekeeping, and its events stayed on the host"
        time.sleep(0.05)


def test_an_event_loop_does_not_wait_for_the_thread_of_the_databases_calls() -> None:
    over = threading.Event()
    began = time.monotonic()
    several = [BoundedCalls() for _ in range(20)]
    for calls in several:
        calls.start(over.wait)
        calls.close(waits=False)
    assert time.monotonic() - began < 5, "each of them waited half a second"
    over.set()


def test_the_first_event_does_not_wait_for_a_look_at_the_switches(own: Postgres, open_: Open) -> None:
    deliveries = [open_() for _ in range(12)]
    own.signal_all(signal.SIGSTOP)
    try:
        assert not any(delivery.is_off for delivery in deliveries)
        began = time.monotonic()
        for delivery in deliveries:
            delivery.wake()  # the first use; on an event loop it must not wait
        assert time.monotonic() - began < 5
    finally:
        own.signal_all(signal.SIGCONT)


def test_readiness_follows_the_database(own: Postgres, open_: Open) -> None:
    delivery = open_()
    assert not delivery.is_ready(), "nothing is known before the first look"
    assert wait_until(delivery.is_ready, 20)
    own.signal_all(signal.SIGSTOP)
    try:
        assert ends(lambda: delivery.submit([order("meanwhile")]).result(20))
        assert not ends(delivery.is_ready)
    finally:
        own.signal_all(signal.SIGCONT)
    assert wait_until(delivery.is_ready, 60)


def test_a_process_that_listened_reads_the_switches_by_itself_again(own: Postgres, url: str, open_: Open) -> None:
    delivery = open_()
    over = threading.Event()
    thread = threading.Thread(target=delivery.listen, args=(over.is_set,))
    thread.start()
    assert wait_until(delivery.is_ready, 20)
    over.set()
    thread.join(20)
    schema = url.partition("schema=")[2].partition("&")[0]
    own.execute(f"UPDATE {schema}.control SET value = 5 WHERE name = 'off_at'")
    assert wait_until(lambda: delivery.is_off, 20)
