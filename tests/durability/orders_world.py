"""The thousand orders: hosts, visitors, a payment provider, and a count of what TikTok would count."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.delivery.delivery_world import PIXEL, Api
from tests.durability.orders_count import Copy, browser_copies
from tests.postgres_world import Postgres, free_port
from tiktok_middleware.core.events.event import OutboxEntry

_ROOT = Path(__file__).parents[2]
LATER_S = 49 * 3600


class Host:
    """A process group with a state folder."""

    def __init__(self, folder: Path, url: str, api: Api, *, is_later: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.excused = folder / "excused"
        folder.mkdir(exist_ok=True)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
        environ |= {
            "TIKTOK_OUTBOX": url,
            "TIKTOK_PIXEL_ID": PIXEL,
            "TIKTOK_ACCESS_TOKEN": "t",
            "TIKTOK_API_URL": api.url,
            "TIKTOK_SECRET_KEY": "the-same-on-all-hosts-as-in-any-deployment",
            "TIKTOK_CONSENT": "implied",
            "TIKTOK_BROWSER_IN_TEST": "true",
            "XDG_STATE_HOME": str(folder),
            "DURABILITY_EXCUSED": str(self.excused),
            "PYTHONPATH": str(_ROOT),
        }
        command = [sys.executable, "-m", "tests.durability.orders_host", str(self.port)]
        if is_later:
            command = ["faketime", "-f", f"+{LATER_S}s", *command]
            environ["TIKTOK_ONCE_UNDECIDED"] = "hold"  # a busy machine must not look like an outage
            environ |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        log = (folder / "log").open("ab")
        self.process = subprocess.Popen(
            command, cwd=_ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
        log.close()

    def wait(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n", (self.folder / "log").read_text()

    def kill(self) -> list[str]:
        """Kill the whole group and delete its folder; return the ids of the events that were on it alone."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        lost = self.undecided()
        if self.excused.exists():
            lost += self.excused.read_text().split()
        shutil.rmtree(self.folder)
        return lost

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def undecided(self) -> list[str]:
        """Return the ids of the events that wait on this host for the database."""
        found: list[str] = []
        for file in self.folder.glob("tiktok-middleware/*.undecided.sqlite3"):
            with contextlib.closing(sqlite3.connect(file)) as db:
                for (packed,) in db.execute("SELECT entries FROM spool"):
                    entries = msgspec.msgpack.decode(packed, type=list[OutboxEntry])
                    found += [entry.event_id for entry in entries if entry.records]
        return found


class World:
    """All orders, from all sides.

    Attributes:
        fired: browser copies that were sent.
        now: time of the visits, in seconds.
        done: number of webhooks that have come.
    """

    def __init__(self, hosts: list[Host], seed: int) -> None:
        self.hosts = hosts
        self.now = 0.0
        self.fired: list[Copy] = []
        self.done = 0
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def play(self, orders: list[str], threads: int = 8) -> None:
        """Let each order's visitor and payment provider come, at the same time, on any hosts."""
        with ThreadPoolExecutor(threads) as pool:
            visits: list[tuple[Callable[[int, str], None], int, str]]
            visits = [(self._visit, n, order) for n, order in enumerate(orders)]
            visits += [(self._webhook, n, order) for n, order in enumerate(orders)]
            ordered = sorted(visits, key=lambda visit: visit[1] + self._draw() * threads)
            for future in [pool.submit(call, n, order) for call, n, order in ordered]:
                future.result(120)

    def _draw(self) -> float:
        with self._lock:
            return self._random.random()

    def _webhook(self, _number: int, order: str) -> None:
        for _ in range(1 + (self._draw() < 0.3)):
            self._ask("POST", f"/webhook?order={order}", {})
        with self._lock:
            self.done += 1

    def _visit(self, number: int, order: str) -> None:
        is_blocked, is_bank = number % 3 == 0, number % 3 == 1
        for _ in range(1 + (self._draw() < 0.3)):
            cookies: dict[str, str] = {}
            if is_bank:
                bank = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "origin": "https://bank.example"}
                head, _ = self._ask("POST", f"/bank?order={order}", bank)
                cookies = _cookies(head)
            own = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}
            if cookies:
                own["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
            _, page = self._ask("GET", "/receipt" if is_bank else f"/thanks?order={order}", own)
            if not is_blocked:
                with self._lock:
                    self.fired += browser_copies(page, self.now)

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[list[tuple[str, str]], str]:
        """Ask any host, and another one where that one is gone, as a load balancer and a person who reloads do."""
        deadline = time.monotonic() + 60
        while True:
            with self._lock:
                host = self._random.choice(self.hosts)
            connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=30)
            try:
                connection.request(method, path, headers={"user-agent": _BROWSER, "host": "shop.example", **headers})
                answer = connection.getresponse()
                body = answer.read().decode()
                assert answer.status in {200, 303}, answer.status
                return answer.getheaders(), body
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < deadline, "no host answers"
                time.sleep(0.01)
            finally:
                connection.close()


_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def _cookies(head: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in head:
        if name.lower() == "set-cookie":
            key, _, rest = value.partition("=")
            found[key] = rest.partition(";")[0]
    return found


def drained(postgres: Postgres, url: str, hosts: list[Host]) -> bool:
    """Whether nothing waits anywhere."""
    schema = url.rpartition("schema=")[2]
    [(waiting,)] = postgres.execute(f"SELECT count(*) FROM {schema}.event")
    return not waiting and not any(host.undecided() for host in hosts if host.folder.exists())


@contextlib.contextmanager
def running(folder: Path, count: int, url: str, api: Api, *, is_later: bool = False) -> Iterator[list[Host]]:
    hosts = [Host(folder / f"host-{n}{'-later' * is_later}", url, api, is_later=is_later) for n in range(count)]
    try:
        for host in hosts:
            host.wait()
        yield hosts
    finally:
        for host in hosts:
            host.stop()
