"""Greenlets are not held up by a disk, and a server without threads is recognised."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from tiktok_middleware.delivery.process.threads import native_lock, native_sleep, off_hub, run_between_requests

ROOT = Path(__file__).parents[3]

# Under gevent `time.sleep` is gevent's: only the native one is as blocking as a disk.
PRELUDE = """
from gevent import monkey; monkey.patch_all()
import gevent, sys, time
from tests.delivery.delivery_world import ToldSink, submissions
from tiktok_middleware.delivery.delivery import DeliveryOptions
from tiktok_middleware.delivery.delivery import open_delivery
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.process.threads import native_lock, native_sleep, off_hub
from tiktok_middleware.errors import OutboxError
sink = ToldSink()
delivery = open_delivery(DeliveryOptions(outbox=f"sqlite:///{sys.argv[1]}/o.db", sink=lambda _: sink))
def submit(name): return delivery.submit(submissions(1, name, event_time=time.time()))
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code), str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_slow_disk_holds_up_no_greenlet(tmp_path: Path) -> None:
    code = """
    put = SqliteOutbox.put
    def slow_put(*args, **options):
        native_sleep(0.5)
        return put(*args, **options)
    assert submit("first").result(10)[0].server
    SqliteOutbox.put = slow_put
    future, turns, began = submit("second"), 0, time.monotonic()
    while not future.done():
        gevent.sleep(0.001)
        turns += 1
    assert time.monotonic() - began > 0.4
    assert turns > 50, turns
    assert future.result(0)[0].server
    SqliteOutbox.put = put
    assert delivery.flush(10)
    assert sink.sent == ["first-0", "second-0"]
    """
    ended = run(code, tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_error_of_the_disk_comes_to_its_caller_and_is_not_printed(tmp_path: Path) -> None:
    code = """
    class Broken:
        name = "broken"
        def read(self, *, at): raise OutboxError(f"no page {at}")
    broken = off_hub(Broken())
    assert broken.name == "broken"
    try:
        broken.read(at=3)
    except OutboxError as error:
        print(error)
    with native_lock():
        print("locked")
    """
    ended = run(code, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "no page 3\nlocked\n", "")


def test_without_greenlets_a_call_stays_on_its_thread() -> None:
    target = object()
    assert off_hub(target) is target
    with native_lock():
        began = time.monotonic()
        native_sleep(0.01)
        assert time.monotonic() - began >= 0.01


@pytest.mark.parametrize(
    ("module", "they_run"),
    [
        (None, True),
        ({"opt": {}, "version_info": (2, 0, 26, 0, b"")}, False),
        ({"opt": {}, "version_info": (2, 0, 27, 0, b"")}, True),
        ({"opt": {}, "version_info": (2, 0, 31, 0, b"")}, True),
        ({"opt": {"enable-threads": True}, "version_info": (2, 0, 21, 0, b"")}, True),
        ({"opt": {b"enable-threads": True}, "version_info": (2, 0, 18, 0, b"")}, True),
        ({"opt": {"threads": b"2"}, "version_info": (2, 0, 26, 0, b"")}, True),
        ({"opt": {"master": True, "processes": b"4"}}, False),
        ({}, True),
    ],
    ids=[
        "no uWSGI",
        "old",
        "since 2.0.27",
        "new",
        "asked for",
        "in bytes",
        "workers of threads",
        "no version",
        "a stub",
    ],
)
def test_uwsgi_lets_threads_run_unless_it_is_old_and_not_asked(
    monkeypatch: pytest.MonkeyPatch, module: Mapping[str, object] | None, they_run: bool
) -> None:
    if module is None:
        monkeypatch.delitem(sys.modules, "uwsgi", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(**module))
    assert run_between_requests() is they_run
