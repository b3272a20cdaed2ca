"""A real Redis and real Celery workers for the tests, on free ports, ended by their own process ids."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from tests.delivery.delivery_world import PIXEL, wait_until
from tests.serving import free_port

TOKEN = "worker-token-0123456789abcdef"
START_S = 30.0

TEAM_APP = """
from celery import Celery
from tiktok_middleware.delivery.celery import register
app = Celery("team", broker={broker!r})
app.conf.broker_transport_options = {{
    "visibility_timeout": {visibility_s}, "unacked_restore_interval": 1, "unacked_restore_throttle": 1
}}
app.conf.broker_connection_retry_on_startup = True
app.conf.task_time_limit = 1
register(app)
"""


class Redis:
    """A server of the test's own, which keeps nothing on disk."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        program = shutil.which("redis-server")
        assert program, "the tests need a real Redis: install the package 'redis-server' (apt-get install redis-server)"
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([program, *options, "--dir", str(folder)], stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=self.port, socket_timeout=5)
        if not wait_until(self._answers, START_S):
            self.stop()
            raise AssertionError("redis-server does not answer")

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError):
            return bool(self.client.ping())
        return False

    def text(self) -> str:
        """All that is in it, as it lies there."""
        found: list[bytes] = []
        for key in self.client.scan_iter():
            kind = self.client.type(key)
            if kind == b"list":
                found += [bytes(one) for one in self.client.lrange(key, 0, -1)]  # type: ignore[arg-type]
            elif kind == b"hash":
                found += [bytes(one) for one in self.client.hvals(key)]  # type: ignore[arg-type]
        return b"\n".join(found).decode()

    def queued(self) -> int:
        """Messages in the queue."""
        return int(self.client.llen("tiktok"))

    def held(self) -> int:
        """Messages in the hands of workers."""
        return int(self.client.hlen("unacked"))

    def stop(self) -> None:
        self.client.close()
        self._process.terminate()
        self._process.wait(10)


class Worker:
    """A Celery worker with its prefork children, in a process group of its own."""

    def __init__(self, command: list[str], environ: dict[str, str], log: Path, cwd: Path | None = None) -> None:
        self.log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command, env=environ, stdout=file, stderr=file, start_new_session=True, cwd=cwd
            )
        if not wait_until(lambda: self.says(" ready."), START_S):
            self.kill()
            raise AssertionError(self.text())

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def says(self, words: str) -> bool:
        return words in self.text()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float) -> None:
        """Wait until the worker has ended by itself."""
        self._process.wait(timeout_s)

    def children(self) -> list[int]:
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_children(self) -> None:
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """SIGKILL for the worker and all its children, whatever they are doing."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """A warm shutdown."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            finally:
                self.kill()


def environ(broker: str, api_url: str, outbox: Path) -> dict[str, str]:
    """The variables of a worker; tests have none of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    return {
        **kept,
        "TIKTOK_PIXEL_ID": PIXEL,
        "TIKTOK_ACCESS_TOKEN": TOKEN,
        "TIKTOK_API_URL": api_url,
        "TIKTOK_OUTBOX": f"sqlite:///{outbox}",
        "TIKTOK_CELERY_BROKER": broker,
        "TIKTOK_SINK": "celery",
    }


@contextmanager
def own_worker(variables: dict[str, str], folder: Path) -> Iterator[Worker]:
    """`tiktok-middleware worker`."""
    program = "from tiktok_middleware.cli.main import main; main()"
    command = [sys.executable, "-c", program, "worker", "--concurrency", "1"]
    yield from _running(command, variables, folder)


@contextmanager
def team_worker(variables: dict[str, str], folder: Path, *, visibility_s: int = 2) -> Iterator[Worker]:
    """A worker of a team's own Celery app, whose Redis gives messages back soon and whose tasks may take a second."""
    app = TEAM_APP.format(broker=variables["TIKTOK_CELERY_BROKER"], visibility_s=visibility_s)
    (folder / "team_app.py").write_text(app)
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    yield from _running(team_command(1), {**variables, "PYTHONPATH": path}, folder)


def team_command(children: int) -> list[str]:
    """The command of a worker of the app in ``team_app.py``."""
    options = ["-Q", "celery,tiktok", "-c", str(children), "-l", "INFO"]
    return [sys.executable, "-m", "celery", "-A", "team_app", "worker", *options]


@contextmanager
def running_worker(command: list[str], variables: dict[str, str], folder: Path) -> Iterator[Worker]:
    """A worker of this command, until the end of the block."""
    yield from _running(command, variables, folder)


def _running(command: list[str], variables: dict[str, str], folder: Path) -> Iterator[Worker]:
    worker = Worker(command, variables, folder / f"worker-{time.monotonic_ns()}.log", folder)
    try:
        yield worker
    finally:
        worker.kill()


@contextmanager
def hung_broker() -> Iterator[int]:
    """A port where every connection is accepted and nothing is ever answered."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    accepted.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for one in accepted:
                one.close()
