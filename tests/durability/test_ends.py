"""How servers and interpreters end: within a deadline, with everything on disk or at TikTok."""

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
from tests.delivery.celery_world import hung_broker
from tests.delivery.delivery_world import running_api
from tests.durability.rounds import SERVERS, environment_of, running_shop
from tests.servers.sink import Sink
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

pytestmark = pytest.mark.servers

#: Servers of the long tests, beside the two of every run.
MORE = [door for door in SERVERS if door != "wsgi"]
LIMIT_S = 5.0
_EVENTS = 20
_END_S = 30.0


def _track(url: str) -> set[str]:
    ids = [f"evt-{number}" for number in range(_EVENTS)]
    with httpx.Client(base_url=url, headers={"sec-fetch-mode": "cors"}, timeout=20) as visitor:
        for event_id in ids:
            assert visitor.get(f"/json?id={event_id}").status_code == 200
    return set(ids)


def _waiting(file: Path) -> int:
    outbox = SqliteOutbox(file, environment="loopback")
    try:
        return outbox.counts()["waiting"]
    finally:
        outbox.close()


def _stop_s(door: str, folder: Path, *, is_bare: bool = False) -> float:
    """Return the seconds between SIGTERM and the end of a server whose events TikTok never answers."""
    folder.mkdir()
    with hung_broker() as port:
        environment = environment_of(folder, f"http://127.0.0.1:{port}")
        with running_shop(door, folder, environment, is_bare=is_bare) as shop:
            _track(shop.url)
            began = time.monotonic()
            shop.process.terminate()
            shop.process.wait(_END_S)
            return time.monotonic() - began


@pytest.mark.parametrize("door", ["wsgi", *(pytest.param(door, marks=pytest.mark.soak) for door in MORE)])
def test_a_server_stops_within_five_seconds_although_tiktok_hangs(door: str, tmp_path: Path) -> None:
    """What the same server needs without the middleware is subtracted, and the least of up to three tries counts.

    What else the machine does in one of them is not the middleware's.
    """
    least_s = float("inf")
    for number in range(3):
        bare_s = _stop_s(door, tmp_path / f"bare-{number}", is_bare=True)
        stop_s = _stop_s(door, tmp_path / f"wrapped-{number}")
        print(f"{door}: stopped after {stop_s:.1f} s, without the middleware {bare_s:.1f} s")
        assert _waiting(tmp_path / f"wrapped-{number}" / "outbox.sqlite3") == _EVENTS
        least_s = min(least_s, stop_s - bare_s)
        if least_s < LIMIT_S:
            break
    assert least_s < LIMIT_S


def test_an_asgi_server_sends_what_is_left_before_it_ends(tmp_path: Path) -> None:
    """uvicorn ends by the signal that it got, so that only its lifespan is heard of: nothing of ``atexit`` runs."""
    with Sink().running() as tiktok:
        with running_shop("asgi-alone", tmp_path, environment_of(tmp_path, tiktok.url)) as shop:
            ids = _track(shop.url)
            shop.process.terminate()
            shop.process.wait(_END_S)
        assert tiktok.lacks(ids, 0) == set()


# Since Python 3.12 an interpreter that ends starts no thread; earlier ones are told to do as it does.
_LAST_WORDS = """
import atexit, sys, threading, time
from tiktok_middleware.delivery.process.stopping import STOP

STOP._send_s, STOP._commit_s = 30.0, 40.0  # a busy machine does not send within the two seconds of an end

def last_words():
    def refuse(thread):
        raise RuntimeError("can't start new thread at interpreter shutdown")
    threading.Thread.start = refuse
    submit("bye")

if sys.argv[3] == "after":
    atexit.register(last_words)  # runs after ours, which was registered later

from tests.delivery.delivery_world import PIXEL, submissions
from tiktok_middleware.delivery.delivery import DeliveryOptions
from tiktok_middleware.delivery.delivery import open_delivery

delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{sys.argv[1]}", api_url=sys.argv[2], tokens={PIXEL: "tok"}))

def submit(name):
    assert delivery.submit(submissions(1, name, event_time=time.time())).result(40)[0].server

if sys.argv[4] == "used":
    submit("earlier")
if sys.argv[3] == "before":
    atexit.register(last_words)
"""


@pytest.mark.parametrize("use", ["used", "unused"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_an_event_at_the_very_end_is_kept_where_no_thread_starts_any_more(place: str, use: str, tmp_path: Path) -> None:
    """Before our own end it is sent, too; after it, it is on disk for the next process."""
    file = tmp_path / "outbox.sqlite3"
    earlier = {"earlier-0"} if use == "used" else set()
    with running_api() as api:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(_LAST_WORDS), str(file), api.url, place, use],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    kept = _waiting(file)
    assert len(set(api.ids)) + kept >= len(earlier | {"bye-0"})
    assert kept == (1 if place == "after" else 0)
