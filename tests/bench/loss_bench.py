"""How many accepted events never arrive: processes that are killed, end, end while nobody answers, or fork."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.bench.crew import Crew, Worker, WorkerError
from tests.bench.goals import GOALS
from tests.bench.report import Table, verdict
from tests.bench.senders import SENDERS

__all__ = ["LossBench", "ask_sink"]

_ROOT = Path(__file__).parents[2]
_NAMES = ("tracked", "snowplow", "segment", "posthog")
_EVENTS = 5_000
_REQUESTS = 400
_END_S = 45.0  # a process may take so long to end
_QUIET_S = 3.0  # nothing new for so long: nothing comes any more
_LEASE_S = 25.0  # a successor takes over what a killed process had in hand after 20 s


def ask_sink(port: int, path: str) -> Any:
    """The sink's answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


class LossBench:
    """The tables about loss.

    Args:
        crew: starts workers.
        folder: for outboxes, thrown away afterwards.
        port: of the sink.
    """

    def __init__(self, crew: Crew, folder: Path, port: int) -> None:
        self._crew = crew
        self._folder = folder
        self._port = port
        self._files = 0

    def tables(self) -> Iterator[Table]:
        """One after the other, as they are ready."""
        yield self._ends()
        if find_spec("gunicorn"):
            yield self._forks()

    def _outbox(self) -> str:
        self._files += 1
        return f"sqlite:///{self._folder}/loss{self._files}.sqlite3"

    def _ends(self) -> Table:
        """Processes that took events and end at once, and then are started again."""
        ends: dict[str, tuple[bool, Callable[[Worker], None]]] = {
            "killed (-9)": (True, Worker.kill),
            "exits": (True, lambda worker: worker.end(_END_S)),
            "exits, nobody answers": (False, lambda worker: worker.end(_END_S)),
        }
        table = Table(
            f"Lost of {_EVENTS:,} accepted, when the process ends at once and starts again",
            ("sender", *ends, "goal"),
            "Largest batches each allows; answers take 50 ms. What comes twice counts once. Ours has accepted an event when its response would leave.",
        )
        with socket.socket() as refusing:  # bound and not listening: whoever connects is refused
            refusing.bind(("127.0.0.1", 0))
            closed = refusing.getsockname()[1]
            for name in _NAMES:
                try:
                    lost = [self._lost(name, self._port if is_up else closed, end) for is_up, end in ends.values()]
                except WorkerError as error:
                    if "ModuleNotFoundError" not in str(error):
                        raise
                    table.add((SENDERS[name][0], *["not installed"] * len(ends), ""), sender=name)
                    continue
                self._add(table, name, lost, dict(zip(ends, lost, strict=True)))
        return table

    def _lost(self, name: str, port: int, end: Callable[[Worker], None]) -> int:
        ask_sink(self._port, "/reset?distinct")
        outbox = self._outbox()
        worker = self._crew.start("delivery", name, port, outbox)
        worker.ask(do="accept", count=_EVENTS)
        end(worker)
        successor = self._crew.start("delivery", name, self._port, outbox)
        successor.ask(do="resume")
        arrived = self._wait_for(_EVENTS, _LEASE_S if name == "tracked" else _QUIET_S)
        successor.end()
        return _EVENTS - arrived

    def _forks(self) -> Table:
        table = Table(
            f"Lost of {_REQUESTS} events of as many requests, gunicorn --preload with two workers",
            ("sender", "lost", "goal"),
            "The sender was made, and sent one event, before the fork. Counted after gunicorn's own end.",
        )
        for name in _NAMES:
            if name != "tracked" and _is_missing(name):
                table.add((SENDERS[name][0], "not installed", ""), sender=name)
                continue
            ask_sink(self._port, "/reset?distinct")
            with self._gunicorn(name) as port:
                for number in range(1, _REQUESTS + 1):
                    ask_sink(port, f"/{number}")
                self._wait_for(_REQUESTS + 1, _QUIET_S)
            lost = _REQUESTS + 1 - self._wait_for(_REQUESTS + 1, 1.0)
            self._add(table, name, [lost], {"lost": lost})
        return table

    @contextmanager
    def _gunicorn(self, name: str) -> Iterator[int]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
        server = subprocess.Popen(
            [*command, "--log-level", "error", "tests.bench.fork_app:app"],
            cwd=_ROOT,
            env={**os.environ, "BENCH_SENDER": name, "BENCH_PORT": str(self._port), "BENCH_OUTBOX": self._outbox()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for_port(port, server)
            yield port
        finally:
            server.terminate()
            try:
                server.wait(_END_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def _wait_for(self, events: int, quiet_s: float) -> int:
        """How many the sink has, once it is so many or nothing new has come for some time."""
        seen, since = -1, time.monotonic()
        while True:
            now = int(ask_sink(self._port, "/counts")["events"])
            if now != seen:
                seen, since = now, time.monotonic()
            if seen >= events or time.monotonic() - since > quiet_s:
                return seen
            time.sleep(0.05)

    @staticmethod
    def _add(table: Table, name: str, lost: list[int], record: dict[str, int]) -> None:
        goal = GOALS["lost"] if name == "tracked" else None
        table.add(
            (SENDERS[name][0], *(f"{one:,}" for one in lost), verdict(goal, max(lost))),
            sender=name,
            **record,
            is_met=goal.is_met(max(lost)) if goal else None,
        )


def _is_missing(name: str) -> bool:
    """Whether a peer's package is missing."""
    return find_spec({"snowplow": "snowplow_tracker"}.get(name, name)) is None


def _wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise WorkerError("gunicorn did not start")
