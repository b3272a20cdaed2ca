"""A Celery worker that is asked to end while TikTok hangs ends in time and loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.browser.servers import ROOT
from tests.delivery.celery_world import Redis, Worker, environ, hung_broker, running_worker, team_command
from tests.delivery.delivery_world import PIXEL, record, wait_until
from tiktok_middleware.delivery.celery import BatchMessage, Publisher, make_app
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

pytestmark = pytest.mark.servers

LIMIT_S = 5.0
_END_S = 60.0
_TASKS = 6

_TEAM = """
import os, time
from celery import Celery
from tests.delivery.delivery_world import submissions
from tiktok_middleware.client import Client
from tiktok_middleware.delivery.celery import register

client = Client.from_env()
app = Celery("team", broker=os.environ["TIKTOK_CELERY_BROKER"])
app.conf.broker_connection_retry_on_startup = True
register(app)

@app.task(name="buy")
def buy(number):
    made = submissions(1, f"task-{number}", pixel=os.environ["TIKTOK_PIXEL_ID"], event_time=time.time())
    client.delivery.submit(made).result(10)
    print("bought", number, flush=True)
"""


def _worker(pool: str, variables: dict[str, str], folder: Path) -> AbstractContextManager[Worker]:
    return running_worker([*team_command(2), "-P", pool], variables, folder)


def _stop_s(worker: Worker) -> float:
    """Return the seconds that the worker takes for a warm shutdown."""
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    worker.wait(_END_S)
    return time.monotonic() - began


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    (tmp_path / "team_app.py").write_text(_TEAM)
    yield server
    server.stop()


def _environ(redis: Redis, api_port: int, folder: Path) -> dict[str, str]:
    variables = environ(redis.url, f"http://127.0.0.1:{api_port}", folder / "outbox.sqlite3")
    return {**variables, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


@pytest.mark.soak
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_worker_that_sends_puts_messages_back_when_it_stops(pool: str, redis: Redis, tmp_path: Path) -> None:
    with hung_broker() as port:
        variables = _environ(redis, port, tmp_path)
        with _worker(pool, variables, tmp_path) as worker:
            bare_s = _stop_s(worker)
        with _worker(pool, variables, tmp_path) as worker:
            publisher = Publisher(make_app(redis.url))
            for number in range(3):
                publisher.publish(BatchMessage.of([record(f"e{number}", event_time=time.time(), pixel=PIXEL)]))
            publisher.close()
            assert wait_until(lambda: worker.text().count("deliver[") >= 1, 30), worker.text()
            stop_s = _stop_s(worker)
    print(f"{pool}: stopped after {stop_s:.1f} s, without messages {bare_s:.1f} s")
    assert stop_s - bare_s < LIMIT_S, worker.text()
    assert (redis.queued(), redis.held()) == (3, 0)


@pytest.mark.soak
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_worker_whose_tasks_track_keeps_events_on_disk_when_it_stops(pool: str, redis: Redis, tmp_path: Path) -> None:
    with hung_broker() as port:
        variables = {**_environ(redis, port, tmp_path), "TIKTOK_SINK": "direct"}
        with _worker(pool, variables, tmp_path) as worker:
            bare_s = _stop_s(worker)
        with _worker(pool, variables, tmp_path) as worker:
            send = f"import team_app\nfor number in range({_TASKS}): team_app.buy.delay(number)\n"
            subprocess.run([sys.executable, "-c", send], env=variables, cwd=tmp_path, check=True, timeout=60)
            assert wait_until(lambda: worker.text().count("bought") == _TASKS, 30), worker.text()
            stop_s = _stop_s(worker)
    print(f"{pool}: stopped after {stop_s:.1f} s, without tasks {bare_s:.1f} s")
    assert stop_s - bare_s < LIMIT_S, worker.text()
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite3", environment="loopback")
    assert outbox.counts()["waiting"] == _TASKS
    outbox.close()
