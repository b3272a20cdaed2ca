"""Events go through a broker and come out at TikTok, whoever is killed, hung or down on the way."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import celery
import pytest
from celery.exceptions import Reject
from click.testing import CliRunner

from tests.delivery.celery_world import TOKEN, Redis, environ, hung_broker, own_worker, team_worker
from tests.delivery.delivery_world import PIXEL, Api, record, running_api, submission, wait_until
from tests.serving import free_port
from tiktok_middleware.cli.main import main
from tiktok_middleware.client import Client
from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.core.events_api.answers import Delivered, Retry
from tiktok_middleware.delivery import celery as ours
from tiktok_middleware.delivery.delivery import Delivery, DeliveryOptions, open_delivery
from tiktok_middleware.delivery.process.stopping import StopFlag
from tiktok_middleware.delivery.sender.batch_worker import BatchWorker, Outcome
from tiktok_middleware.errors import ConfigError


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


def fresh(count: int, prefix: str = "evt") -> list[OutboxEntry]:
    return [submission(record(f"{prefix}-{i}", event_time=time.time())) for i in range(count)]


def opened(url: str, path: Path) -> Delivery:
    sink = ours.sink_factory(url)
    return open_delivery(DeliveryOptions(outbox=f"sqlite:///{path}", tokens={PIXEL: TOKEN}, sink=sink))


def count(sql: str, path: Path) -> int:
    with sqlite3.connect(path) as db:
        found = int(db.execute(sql).fetchone()[0])
    db.close()
    return found


# -- one process after the other, as a shop runs them


@pytest.mark.redis
def test_a_batch_goes_over_the_broker_to_tiktok_and_a_killed_child_loses_nothing(
    tmp_path: Path, broker: Redis, api: Api
) -> None:
    variables = environ(broker.url, api.url, tmp_path / "worker.sqlite3")
    delivery = opened(broker.url, tmp_path / "web.sqlite3")
    try:
        delivery.submit(fresh(250)).result(10)
        assert delivery.flush(10)
        lying = broker.text()
        assert lying.count('"task": "tiktok_middleware.deliver"') == broker.queued() > 0
        assert TOKEN not in lying
        with own_worker(variables, tmp_path) as worker:
            assert wait_until(lambda: len(set(api.ids)) == 250, 20), worker.text()
            assert {request.headers["access-token"] for request in api.requests} == {TOKEN}
            assert sorted(api.ids) == sorted(set(api.ids))

            api.drip_s = 0.05  # the child is in the middle of a request when it dies
            seen = len(api.requests)
            delivery.submit(fresh(100, "killed")).result(10)
            assert wait_until(lambda: len(api.requests) > seen)
            worker.kill_children()
            again = len(api.requests)
            api.drip_s = 0.0
            assert wait_until(lambda: broker.queued() == broker.held() == 0 and len(api.requests) > again, 20)
            worker.stop()
            assert worker.says("WorkerLostError")
        answered = [event_id for request in api.requests[again:] for event_id in request.ids]
        assert {f"killed-{i}" for i in range(100)} <= set(answered)
        assert count("SELECT count(*) FROM waiting", tmp_path / "web.sqlite3") == 0
    finally:
        delivery.close(5)


@pytest.mark.redis
def test_a_killed_worker_of_a_teams_own_app_loses_nothing(tmp_path: Path, broker: Redis, api: Api) -> None:
    """SIGKILL for the worker and its children while they hold messages; the next worker gets them all."""
    variables = environ(broker.url, api.url, tmp_path / "worker.sqlite3")
    delivery = opened(broker.url, tmp_path / "web.sqlite3")
    api.drip_s = 0.05
    try:
        with team_worker(variables, tmp_path) as worker:
            for part in range(5):
                delivery.submit(fresh(20, f"part{part}")).result(10)
                assert delivery.flush(10)
            assert wait_until(lambda: len(api.requests) > 0), worker.text()
            assert broker.held() > 0
            worker.kill()
        api.requests.clear()
        api.drip_s = 0.0
        with team_worker(variables, tmp_path) as worker:
            assert wait_until(lambda: len(set(api.ids)) == 100, 25), worker.text()
            assert wait_until(lambda: broker.queued() == broker.held() == 0), "each message is acknowledged"
    finally:
        delivery.close(5)


@pytest.mark.redis
@pytest.mark.soak
def test_worker_ends_in_time_although_tiktok_hangs_and_loses_nothing(tmp_path: Path, broker: Redis, api: Api) -> None:
    delivery = opened(broker.url, tmp_path / "web.sqlite3")
    try:
        with hung_broker() as port:
            variables = environ(broker.url, f"http://127.0.0.1:{port}/open_api/v1.3", tmp_path / "worker.sqlite3")
            with own_worker(variables, tmp_path) as worker:
                delivery.submit(fresh(20)).result(10)
                assert delivery.flush(10)
                assert wait_until(lambda: broker.held() > 0, 20), worker.text()
                began = time.monotonic()
                worker.stop()
                print(f"worker: ended after {time.monotonic() - began:.1f} s")
        with own_worker(environ(broker.url, api.url, tmp_path / "worker.sqlite3"), tmp_path) as worker:
            assert wait_until(lambda: len(set(api.ids)) == 20, 60), worker.text()
    finally:
        delivery.close(5)


@pytest.mark.redis
def test_an_outage_of_tiktok_is_waited_out_in_the_queue_and_a_refused_event_is_buried(
    tmp_path: Path, broker: Redis, api: Api
) -> None:
    """A worker that is told to stop meanwhile gives back what it held for later."""
    letters = tmp_path / "worker.sqlite3"
    variables = environ(broker.url, api.url, letters)
    delivery = opened(broker.url, tmp_path / "web.sqlite3")
    api.status, api.body = 503, b"busy"
    try:
        delivery.submit(fresh(30)).result(10)
        with own_worker(variables, tmp_path) as worker:
            assert wait_until(lambda: worker.says("'retried': 30"), 20), worker.text()
            worker.stop()
        assert broker.queued() >= 1
        assert count("SELECT count(*) FROM waiting", tmp_path / "web.sqlite3") == 0
        api.status, api.body = 200, Api.OK
        api.requests.clear()
        with own_worker(variables, tmp_path) as worker:
            assert wait_until(lambda: len(set(api.ids)) == 30, 20), worker.text()
            api.body = json.dumps({"code": 40002, "message": "Batch.0.properties is wrong", "request_id": "r"}).encode()
            delivery.submit(fresh(1, "wrong")).result(10)
            assert wait_until(lambda: worker.says("'buried': 1"), 20), worker.text()
            assert TOKEN not in worker.text()
        assert count("SELECT count(*) FROM dead WHERE event_id = 'wrong-0'", letters) == 1
    finally:
        delivery.close(5)


# -- the broker


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_hung_broker_touches_no_request_and_loses_nothing(tmp_path: Path, scheme: str) -> None:
    with hung_broker() as port:
        path = tmp_path / "web.sqlite3"
        delivery = opened(f"{scheme}://127.0.0.1:{port}//", path)
        waits: list[float] = []
        for i in range(50):
            began = time.perf_counter()
            delivery.submit(fresh(1, f"hung{i}")).result(10)
            waits.append(time.perf_counter() - began)
        assert wait_until(lambda: delivery.stats()["retried"] != 0, 10)
        assert sorted(waits)[45] < 0.05
        began = time.monotonic()
        assert not delivery.close(1.0)
        assert time.monotonic() - began < 3.0
        assert count("SELECT count(*) FROM waiting", path) == 50
        sink = ours.CelerySink(ours.make_app(f"{scheme}://127.0.0.1:{port}//"))
        began = time.monotonic()
        verdicts = sink.send([record("a"), record("b")])
        assert time.monotonic() - began < 1.5
        assert verdicts == [Retry(None, verdicts[0].reason)] * 2  # type: ignore[union-attr]
        assert "the broker does not take messages (" in verdicts[0].reason
        sink.close()


@pytest.mark.redis
def test_a_broker_that_is_down_is_drained_to_when_it_is_up(tmp_path: Path) -> None:
    port = free_port()
    delivery = opened(f"redis://127.0.0.1:{port}/0", tmp_path / "web.sqlite3")
    try:
        delivery.submit(fresh(40)).result(10)
        assert wait_until(lambda: delivery.stats()["retried"] != 0)
        assert delivery.stats()["waiting"] == 40
        broker = Redis(tmp_path, port)
        try:
            assert wait_until(lambda: delivery.stats()["waiting"] == 0, 20)
            assert broker.queued() > 0
            assert delivery.stats()["delivered"] == 40
        finally:
            broker.stop()
        delivery.submit(fresh(1, "later")).result(10)
        assert wait_until(lambda: delivery.stats()["waiting"] == 1)
    finally:
        delivery.close(2)


@pytest.mark.redis
def test_a_full_queue_leaves_events_in_the_outbox(broker: Redis) -> None:
    sink = ours.CelerySink(ours.make_app(broker.url), max_queued=2)
    assert sink.send([record("a")]) == sink.send([record("b")]) == [Delivered()]
    assert sink.send([record("c"), record("d")]) == [Retry(5.0, "2 batches wait for Celery workers")] * 2
    assert broker.queued() == 2
    sink.close()


@pytest.mark.parametrize(("url", "is_named"), [("", True), ("redis://127.0.0.1:{port}/0", False)])
def test_a_missing_broker_is_named_with_its_variable(url: str, is_named: bool) -> None:
    sink = ours.CelerySink(celery.Celery(broker=url.format(port=free_port()) or None))
    [verdict] = sink.send([record("a")])
    assert isinstance(verdict, Retry)
    assert ("set TIKTOK_CELERY_BROKER" in verdict.reason) is is_named
    sink.close()


@pytest.mark.redis
def test_a_publication_that_fails_drops_the_connection(broker: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    app = ours.make_app(broker.url)
    sink = ours.CelerySink(app)

    def fails(*_: object, **__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(app, "send_task", fails)
        assert sink.send([record("a")]) == [Retry(None, "the broker does not take messages (TimeoutError)")]
    assert sink._publisher._connection is None
    assert sink.send([record("a")]) == [Delivered()]
    sink.close()


@pytest.mark.redis
def test_batches_grow_where_workers_are_busy(broker: Redis) -> None:
    sink = ours.CelerySink(ours.make_app(broker.url))
    sink.send([record("first")])
    began = time.monotonic()
    sink.send([record("second")])
    quick_s = time.monotonic() - began
    broker.client.rpush("tiktok", *["x"] * 40)
    began = time.monotonic()
    sink.send([record("third")])
    assert quick_s < 0.3
    assert time.monotonic() - began >= 0.42
    sink.close()


@pytest.mark.redis
def test_a_message_shows_monitors_no_visitor(broker: Redis) -> None:
    sink = ours.CelerySink(ours.make_app(broker.url))
    sink.send([record("secret-visitor")])
    head = json.loads(broker.client.lrange("tiktok", 0, 0)[0])["headers"]
    assert head["argsrepr"] == f"({PIXEL}, 1 events)"
    assert "secret-visitor" not in json.dumps(head)
    sink.close()


# -- the task


class ToldCourier:
    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self.outcomes = list(outcomes)

    def deliver(self, records: object) -> Outcome:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class ToldPublisher:
    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.published: list[tuple[ours.BatchMessage, float]] = []

    def publish(self, message: ours.BatchMessage, countdown_s: float) -> None:
        if self.fails:
            raise OSError("down")
        self.published.append((message, countdown_s))


class ToldCrew(ours.Crew):
    """A batch worker and a publisher that do as they are told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: tuple[ToldCourier, ToldPublisher] | None = None

    def __call__(self, *outcomes: Outcome | Exception, fails: bool = False) -> ToldPublisher:
        publisher = ToldPublisher(fails=fails)
        self.told = ToldCourier(*outcomes), publisher
        return publisher

    def of(self, app: celery.Celery) -> tuple[BatchWorker, ours.Publisher]:
        return cast("Any", self.told) or super().of(app)


@pytest.fixture
def crew() -> ToldCrew:
    return ToldCrew()


@pytest.fixture
def deliver(crew: ToldCrew) -> Callable[..., dict[str, int]]:
    app = celery.Celery("test", broker="memory://", set_as_current=False)
    task = ours.register(app)
    assert ours.register(app).name == task.name == ours.TASK
    assert (task.acks_late, task.reject_on_worker_lost, task.ignore_result) == (True, True, True)
    assert task.acks_on_failure_or_timeout is False
    return partial(ours.make_task(crew, StopFlag(), calm_s=0.0), task)


BODY = {"pixel": PIXEL, "source": "web", "rows": [["Purchase", "e1", 1_760_000_000, True, '{"event":"Purchase"}']]}


def test_what_must_wait_is_a_new_message_before_the_old_one_is_acknowledged(
    crew: ToldCrew, deliver: Callable[..., dict[str, int]]
) -> None:
    left = [record("e1", paired=True)]
    publisher = crew(Outcome(0, 0, left, 12.5))
    assert deliver({**BODY, "tries": 3}) == {"delivered": 0, "buried": 0, "retried": 1}
    [(message, countdown_s)] = publisher.published
    assert (message.tries, countdown_s) == (4, 12.5)
    assert message.records() == left


def test_a_message_that_cannot_be_put_back_stays_with_the_broker(
    crew: ToldCrew, deliver: Callable[..., dict[str, int]]
) -> None:
    crew(Outcome(0, 0, [record("e1")], 1.0), fails=True)
    with pytest.raises(Reject) as raised:
        deliver(BODY)
    assert raised.value.requeue is True


def test_a_mistake_of_ours_loses_nothing(crew: ToldCrew, deliver: Callable[..., dict[str, int]]) -> None:
    publisher = crew(ValueError("ours"))
    assert deliver(BODY) == {"delivered": 0, "buried": 0, "retried": 1}
    assert [row.event_id for row in publisher.published[0][0].records()] == ["e1"]


def test_a_worker_that_is_set_up_wrongly_leaves_messages_with_the_broker(
    monkeypatch: pytest.MonkeyPatch, deliver: Callable[..., dict[str, int]], caplog: pytest.LogCaptureFixture
) -> None:
    """Celery acknowledges what fails: the events of a host with a misspelt variable would be gone."""
    monkeypatch.setenv("TIKTOK_SYNC", "sometimes")
    with pytest.raises(Reject) as raised:
        deliver(BODY)
    assert raised.value.requeue is True
    assert "TIKTOK_SYNC" in caplog.text


@pytest.mark.redis
def test_a_teams_own_time_limits_do_not_end_a_task_that_waits_for_tiktok(
    tmp_path: Path, broker: Redis, api: Api
) -> None:
    delivery = opened(broker.url, tmp_path / "web.sqlite3")
    api.drip_s = 0.002  # two seconds an answer at least, and then it is malformed
    variables = environ(broker.url, api.url, tmp_path / "worker.sqlite3")
    try:
        with team_worker(variables, tmp_path, visibility_s=300) as worker:
            delivery.submit(fresh(20)).result(10)
            assert delivery.flush(10)
            assert wait_until(lambda: worker.says("'retried': 20"), 20), worker.text()
            api.drip_s = 0.0
            assert wait_until(lambda: worker.says("'delivered': 20"), 20), worker.text()
            assert not worker.says("TimeLimitExceeded")
    finally:
        delivery.close(5)


def test_a_message_of_somebody_else_is_thrown_away_loudly(
    crew: ToldCrew, deliver: Callable[..., dict[str, int]], caplog: pytest.LogCaptureFixture
) -> None:
    crew()
    with caplog.at_level(logging.ERROR), pytest.raises(Reject) as raised:
        deliver({"pixel": 1, "rows": "no"})
    assert raised.value.requeue is False
    assert "thrown away" in caplog.text


def test_each_process_has_one_courier_and_each_thread_a_publisher(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environ("redis://127.0.0.1:1/0", "http://127.0.0.1:1", tmp_path / "o.sqlite3").items():
        monkeypatch.setenv(name, value)
    app = ours.make_app("redis://127.0.0.1:1/0")
    crew = ours.Crew()
    first = crew.of(app)
    assert crew.of(app) == first
    elsewhere: list[tuple[object, object]] = []
    thread = threading.Thread(target=lambda: elsewhere.append(crew.of(app)))
    thread.start()
    thread.join(5)
    [(courier, publisher)] = elsewhere
    assert courier is first[0]
    assert publisher is not first[1]
    monkeypatch.setattr("os.getpid", lambda: 1)  # as after a fork
    assert crew.of(app)[0] is not first[0]
    assert crew.of(app)[1] is not first[1]


# -- how it is chosen


@pytest.mark.redis
def test_the_sink_is_chosen_by_one_variable(tmp_path: Path, broker: Redis) -> None:
    client = Client.from_env(environ(broker.url, "http://127.0.0.1:1", tmp_path / "o.sqlite3"))
    try:
        client.delivery.submit(fresh(3)).result(10)
        assert client.flush(10)
        assert broker.queued() >= 1
    finally:
        client.close(2)
    assert broker.url not in repr(client.config)


@pytest.mark.redis
def test_without_a_broker_of_its_own_the_apps_celery_is_used(broker: Redis) -> None:
    team = celery.Celery("team", broker=broker.url, set_as_current=False)
    team.set_current()
    try:
        sink = ours.sink_factory("")(DeliveryOptions())
        assert sink.send([record("a")]) == [Delivered()]
        assert broker.queued() == 1
        sink.close()
        sink.close()
    finally:
        celery.Celery("none", set_as_current=True)


def test_celery_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tiktok_middleware.delivery.celery", None)
    with pytest.raises(ConfigError, match=r"tiktok-middleware\[celery\]"):
        Client.from_env(environ("redis://x/0", "http://127.0.0.1:1", tmp_path / "o.sqlite3"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"TIKTOK_CELERY_BROKER": ""}, "TIKTOK_CELERY_BROKER is not set"),
        ({"TIKTOK_PIXEL_ID": ""}, "nothing can be sent from here: no_pixel"),
        ({"TIKTOK_ACCESS_TOKEN": ""}, "nothing can be sent from here: no_token"),
        ({"TIKTOK_GPC": "maybe"}, "TIKTOK_GPC is 'maybe'"),
    ],
)
def test_a_worker_that_could_not_send_does_not_start(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    variables = {**environ("redis://127.0.0.1:1/0", "http://127.0.0.1:1", tmp_path / "o.sqlite3"), **changes}
    result = CliRunner().invoke(main, ["worker"], env=variables)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {says}")


def test_other_brokers_get_no_options_they_do_not_know() -> None:
    options = ours._transport_options("sqs://")
    assert set(options) == {"max_retries", "connect_retries_timeout"}
    assert ours.make_app("amqp://127.0.0.1//").conf.broker_transport_options == {}
