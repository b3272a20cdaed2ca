"""Events before and after a fork, in the parent and in the children: each comes to TikTok, whatever server forks."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from tests.browser.servers import ROOT
from tests.delivery.celery_world import START_S, Redis, Worker
from tests.durability.rounds import environment_of, running_shop
from tests.servers.sink import Sink

pytestmark = pytest.mark.servers

_EVENTS = 400
_FETCH = {"sec-fetch-mode": "cors"}


def _track(url: str, prefix: str, count: int) -> set[str]:
    """The ids of so many events, each with an answer of its own; a new connection now and then meets other workers."""
    ids = [f"{prefix}-{number}" for number in range(count)]
    for start in range(0, count, 20):
        with httpx.Client(base_url=url, headers=_FETCH, timeout=20, verify=False) as visitor:
            for event_id in ids[start : start + 20]:
                assert visitor.get(f"/json?id={event_id}").status_code == 200
    return set(ids)


@pytest.mark.parametrize("options", [[], ["--preload"]], ids=["plain", "preload"])
@pytest.mark.parametrize("kind", ["gthread", pytest.param("gevent", marks=pytest.mark.soak)])
def test_gunicorn_loses_nothing_over_its_forks(kind: str, options: list[str], tmp_path: Path) -> None:
    """The app tracks one event where it is imported: with ``--preload`` in the master, before the workers are forked."""
    with Sink().running() as tiktok:
        environment = {**environment_of(tmp_path, tiktok.url), "DURABILITY_WARM": "before"}
        with running_shop("wsgi", tmp_path, environment, ["--worker-class", kind, *options]) as shop:
            ids = _track(shop.url, "after", _EVENTS)
            assert tiktok.lacks(ids, 30) == set()
            early = [event_id for event_id in tiktok.ids if event_id.startswith("before")]
            assert len(early) == (1 if options else 2)
        assert len(tiktok.ids) == len(set(tiktok.ids)), "no process sends what is another's"
        assert b"Traceback" not in shop.log, shop.log.decode()


@pytest.mark.soak
def test_uvicorn_loses_nothing_when_it_reloads(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "view.py").write_text("")
    with Sink(is_up=False).running() as tiktok:
        options = ["--reload", "--reload-dir", str(source)]
        with running_shop("asgi-alone", tmp_path, environment_of(tmp_path, tiktok.url), options) as shop:
            ids = _track(shop.url, "old", 20)
            (source / "view.py").write_text("changed = True")
            deadline = time.monotonic() + START_S
            while shop.log.count(b"Application startup complete") < 2:
                assert time.monotonic() < deadline, shop.log.decode()
                time.sleep(0.05)
            tiktok.rise()
            ids |= _track(shop.url, "new", 20)
            assert tiktok.lacks(ids, 40) == set()


_TEAM = """
from celery import Celery
from tests.delivery.delivery_world import submissions
from tiktok_middleware.client import Client
import os, time
client = Client.from_env()
app = Celery("team", broker={broker!r})
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_max_tasks_per_child = 3

def track(name):
    client.delivery.submit(submissions(1, name, pixel=os.environ["TIKTOK_PIXEL_ID"], event_time=time.time())).result(10)

track(f"parent-{{os.getpid()}}")

@app.task(name="buy")
def buy(number):
    track(f"task-{{number}}")
"""


def test_celery_children_lose_nothing_when_they_are_replaced(tmp_path: Path) -> None:
    """The module tracks where the parent imports it; each child ends after three tasks, without Python's exit hooks."""
    broker = Redis(tmp_path)
    (tmp_path / "team.py").write_text(_TEAM.format(broker=broker.url))
    with Sink().running() as tiktok:
        environment = {
            **environment_of(tmp_path, tiktok.url),
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        }
        command = [sys.executable, "-m", "celery", "-A", "team", "worker", "-c", "2", "-l", "INFO", "-P", "prefork"]
        worker = Worker(command, environment, tmp_path / "log", tmp_path)
        try:
            send = "import team\nfor number in range(12): team.buy.delay(number)\n"
            subprocess.run([sys.executable, "-c", send], env=environment, cwd=tmp_path, check=True, timeout=60)
            assert tiktok.lacks({f"task-{number}-0" for number in range(12)}, 60) == set(), worker.text()
        finally:
            worker.stop()
            broker.stop()


_CHILDREN = """
import multiprocessing, os, sys, time
from tests.delivery.delivery_world import PIXEL, submissions
from tiktok_middleware.delivery.delivery import DeliveryOptions
from tiktok_middleware.delivery.delivery import open_delivery

delivery = open_delivery(DeliveryOptions(outbox=sys.argv[1], api_url="http://127.0.0.1:9", tokens={PIXEL: "tok"}))

def track(name):
    delivery.submit(submissions(50, name, event_time=time.time()))

if __name__ == "__main__":
    track("parent")
    context = multiprocessing.get_context(sys.argv[2])
    children = [context.Process(target=track, args=(f"child{number}",)) for number in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0, child.exitcode
"""


@pytest.mark.parametrize("method", ["fork", "spawn", pytest.param("forkserver", marks=pytest.mark.soak)])
def test_the_last_words_of_a_multiprocessing_child_are_kept(method: str, tmp_path: Path) -> None:
    """Such a child ends without any of ``atexit``'s functions, right after it has tracked."""
    from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

    script = tmp_path / "children.py"
    script.write_text(textwrap.dedent(_CHILDREN))
    command = [sys.executable, str(script), f"sqlite:///{tmp_path}/o.db", method]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)
    outbox = SqliteOutbox(tmp_path / "o.db", environment="loopback")
    assert outbox.counts()["waiting"] == 150
    outbox.close()
