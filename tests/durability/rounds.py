"""One round: workers under load while TikTok is down, their end, a restart with TikTok up, and what has arrived."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.browser.servers import ROOT, TOKEN, Server, free_port, plain_environment, running
from tests.durability.load import KINDS
from tests.servers.sink import Sink

__all__ = ["DOORS", "ENDS", "End", "Round", "play"]

_VISITORS = 8
_AT_LEAST = 200  # responses received before the end may come
_END_WITHIN_S = 1.0  # and then it comes at any moment of so many seconds
_LOAD_S = 60.0
_STOP_S = 20.0
_DRAIN_S = 90.0  # what a killed process had on lease is free after 20 s

ASGI, WSGI = "tests.durability.asgi_app:app", "tests.durability.wsgi_app:app"

#: The command line of each server, for an application and a port.
SERVERS: dict[str, Callable[[str, int], list[str]]] = {
    "asgi": lambda app, port: _module("uvicorn", app, "--workers", "2", "--port", f"{port}", "--no-access-log"),
    "asgi-alone": lambda app, port: _module("uvicorn", app, "--port", f"{port}"),
    "wsgi": lambda app, port: _gunicorn("gthread", app, port, "--workers", "2", "--threads", "4"),
    "gunicorn-sync": lambda app, port: _gunicorn("sync", app, port, "--workers", "2"),
    "gunicorn-gevent": lambda app, port: _gunicorn("gevent", app, port, "--workers", "2"),
    "gunicorn-asgi": lambda app, port: _gunicorn("asgi", app, port),
    "gunicorn-uvicorn": lambda app, port: _gunicorn("uvicorn.workers.UvicornWorker", app, port, "--workers", "2"),
    "hypercorn": lambda app, port: _module("hypercorn", app, "--bind", f"127.0.0.1:{port}", "--workers", "2"),
    "granian-asgi": lambda app, port: _module("granian", "--interface", "asgi", "--port", f"{port}", app),
    "granian-wsgi": lambda app, port: _module("granian", "--interface", "wsgi", "--port", f"{port}", app),
    "daphne": lambda app, port: _module("daphne", "--bind", "127.0.0.1", "--port", f"{port}", app),
    "waitress": lambda app, port: _module("waitress", f"--listen=127.0.0.1:{port}", app),
}

#: Those of both doors, with two worker processes.
DOORS = ("asgi", "wsgi")


def _module(name: str, *options: str) -> list[str]:
    return [sys.executable, "-m", name, *options]


def _gunicorn(worker: str, app: str, port: int, *options: str) -> list[str]:
    common = ("--no-control-socket", "--bind", f"127.0.0.1:{port}", "--graceful-timeout", "5")
    return _module("gunicorn", app, *common, "--worker-class", worker, *options)


def app_of(door: str, *, is_bare: bool = False) -> str:
    """Return the shop that a server serves; without the middleware if ``is_bare``."""
    is_asgi = "wsgi" not in door and door not in {"gunicorn-sync", "gunicorn-gevent", "waitress"}
    app = ASGI if is_asgi else WSGI
    return app.replace(":app", ":bare") if is_bare else app


@dataclass(frozen=True)
class End:
    """How workers end.

    Attributes:
        signal: what ends them.
        whole_group: whether every process gets it, rather than the one that was started.
        options: further options of each door's server.
    """

    signal: signal.Signals
    whole_group: bool = False
    options: dict[str, list[str]] = field(default_factory=dict)


ENDS = {
    "kill": End(signal.SIGKILL, whole_group=True),
    "terminate": End(signal.SIGTERM),
    "interrupt": End(signal.SIGINT),
    # Workers that exit by themselves and are replaced, all the time.
    "retire": End(
        signal.SIGTERM,
        options={"asgi": ["--limit-max-requests", "60"], "wsgi": ["--max-requests", "60"]},
    ),
}


@dataclass(frozen=True)
class Round:
    """What one round has shown.

    Attributes:
        received: ids of events whose responses were received whole.
        lost: those that never came to TikTok.
        excused: those that were not on disk within the time that a response waits, and said to be so.
        copies: how many copies of received events came to TikTok.
        arrived: how many events they are.
        end_s: from the signal to the end of the processes, in seconds.
        drain_s: from the restart to the last event, in seconds.
    """

    received: set[str]
    lost: set[str]
    excused: set[str]
    copies: int
    arrived: int
    end_s: float
    drain_s: float

    @property
    def redirects(self) -> int:
        """Responses received that were complete with their heads."""
        return sum("redirect" in KINDS[int(name.split("-")[2])][0] for name in self.received)

    def __str__(self) -> str:
        return (
            f"received {len(self.received)} ({self.redirects} empty redirects), arrived {self.arrived},"
            f" lost {len(self.lost)}, excused {len(self.excused)}, duplicates {self.copies - self.arrived},"
            f" ended in {self.end_s:.1f} s, drained in {self.drain_s:.1f} s"
        )


def play(door: str, end: End, folder: Path, *, sync: str = "normal") -> Round:
    """One round in an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with Sink(is_up=False).running() as tiktok:
        environment = environment_of(folder, tiktok.url, sync)
        with (
            running_shop(door, folder, environment, end.options.get(door, [])) as shop,
            _load(shop.port, folder) as received,
        ):
            _await_responses(received)
            time.sleep(random.uniform(0, _END_WITHIN_S))
            end_s = _end(shop.process, end)
        ids = set(received.read_text().split())
        tiktok.rise()
        began = time.monotonic()
        with running_shop(door, folder, environment) as shop:
            httpx.get(f"{shop.url}/json?id=after-0-5-0", headers={"sec-fetch-mode": "cors"}, timeout=10)
            missing = tiktok.lacks(ids, _DRAIN_S)
            drain_s = time.monotonic() - began
        arrived = [event_id for event_id in tiktok.ids if event_id in ids]
    excused_file = folder / "excused"
    excused = set(excused_file.read_text().split()) if excused_file.exists() else set()
    return Round(ids, missing - excused, excused, len(arrived), len(set(arrived)), end_s, drain_s)


def environment_of(folder: Path, tiktok: str, sync: str = "normal") -> dict[str, str]:
    """The variables of a shop whose events go to ``tiktok``, by way of an outbox file in the folder."""
    return {
        **plain_environment(folder),
        "DURABILITY_EXCUSED": str(folder / "excused"),
        "TIKTOK_PIXEL_ID": "C0000000000000000000",
        "TIKTOK_ACCESS_TOKEN": TOKEN,
        "TIKTOK_API_URL": f"{tiktok}/open_api/v1.3",
        "TIKTOK_OUTBOX": f"sqlite:///{folder}/outbox.sqlite3",
        "TIKTOK_SYNC": sync,
    }


@contextlib.contextmanager
def running_shop(
    door: str, folder: Path, environment: dict[str, str], options: Sequence[str] = (), *, is_bare: bool = False
) -> Iterator[Server]:
    """Run a server until the block ends; without the middleware if ``is_bare``."""
    port = free_port()
    command = SERVERS[door](app_of(door, is_bare=is_bare), port)
    with running(door, [*command, *options], port, folder, environment) as server:
        yield server


@contextlib.contextmanager
def _load(port: int, folder: Path) -> Iterator[Path]:
    """Visitors until the block ends, and the file where they write what they have received."""
    record, errors = folder / "received", folder / "load-errors"
    command = [sys.executable, "-m", "tests.durability.load", str(port), "evt", str(_VISITORS)]
    with record.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err)
    try:
        yield record
        assert process.poll() is None, errors.read_text()
    finally:
        process.kill()
        process.wait()


def _await_responses(received: Path) -> None:
    deadline = time.monotonic() + _LOAD_S
    while received.read_bytes().count(b"\n") < _AT_LEAST:
        assert time.monotonic() < deadline, "too few responses"
        time.sleep(0.01)


def _end(process: subprocess.Popen[bytes], end: End) -> float:
    """How long the server took to end, in seconds."""
    began = time.monotonic()
    if end.whole_group:
        os.killpg(process.pid, end.signal)
    else:
        process.send_signal(end.signal)
    process.wait(_STOP_S)
    with contextlib.suppress(ProcessLookupError):  # a worker that its master has left behind
        os.killpg(process.pid, signal.SIGKILL)
    return time.monotonic() - began
