"""Management commands and Celery workers as processes: their events share the fate of the orders, also after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from celery import Celery

from tests.delivery.celery_world import Redis, running_worker
from tests.delivery.delivery_world import Api, running_api, wait_until
from tests.postgres_world import Postgres
from tests.transactions.jobs.orders import DEATHS, OUTCOMES
from tests.transactions.orders_host import make_client
from tiktok_middleware.core.events.ids import once_event_id

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

_ROOT = Path(__file__).parents[2]
_TABLES = "CREATE TABLE orders (id text); CREATE TABLE tries (id text); CREATE TABLE done (id text)"
_STOCK = "CREATE TABLE stock (number integer); INSERT INTO stock VALUES (1000)"


class Project(NamedTuple):
    """The project's database, TikTok's API, and the environment of its processes."""

    postgres: Postgres
    api: Api
    environ: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "django", *arguments]
        return subprocess.Popen(
            command, cwd=_ROOT, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def manage(self, *arguments: str, code: int = 0) -> str:
        with self.start(*arguments) as process:
            printed, _ = process.communicate(timeout=100)
        assert process.returncode == code, printed
        return printed

    def orders(self) -> set[str]:
        return {order for (order,) in self.postgres.execute("SELECT id FROM orders", "jobs")}

    def done(self) -> set[str]:
        return {order for (order,) in self.postgres.execute("SELECT id FROM done", "jobs")}

    def check(self, copies: int) -> None:
        """Send what waits, as another host does a minute later, and compare it with the committed orders."""
        # Drafts are due, and the leases of killed processes have ended.
        self.postgres.execute("UPDATE tiktok_middleware.draft SET due = 0", "jobs")
        self.postgres.execute("UPDATE tiktok_middleware.event SET due = 0", "jobs")
        relay = make_client(f"{self.postgres.url('jobs')}?wait=20", self.api.url)
        relay.start()
        try:
            assert relay.flush(60)
        finally:
            relay.close(5)
        sent = Counter(self.api.ids)
        assert set(sent) == {once_event_id("Purchase", order) for order in self.orders()}
        assert max(sent.values()) <= copies
        assert self.postgres.execute("SELECT count(*) FROM tiktok_middleware.draft", "jobs") == [(0,)]


@pytest.fixture
def project(postgres: Postgres, tmp_path: Path) -> Iterator[Project]:
    postgres.execute("CREATE DATABASE jobs")
    postgres.execute(f"{_TABLES}; {_STOCK}", "jobs")
    with running_api() as api:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
        environ |= {
            "DJANGO_SETTINGS_MODULE": "tests.transactions.jobs.settings",
            "DATABASE_PORT": str(postgres.port),
            "API_URL": api.url,
            "XDG_STATE_HOME": str(tmp_path),
            "PYTHONPATH": str(_ROOT),
        }
        made = Project(postgres, api, environ)
        made.manage("migrate", "-v", "0")
        yield made
    postgres.execute("DROP DATABASE jobs WITH (FORCE)")


def committed(prefix: str, count: int = len(OUTCOMES)) -> set[str]:
    ends = list(OUTCOMES.values())
    return {f"{prefix}-{number}" for number in range(count) if ends[number % len(ends)]}


def test_command_sends_the_events_of_its_committed_orders(project: Project) -> None:
    project.manage("take_orders", "--prefix", "a")
    assert project.orders() == committed("a")
    project.check(copies=2)


def test_killed_commands_lose_no_committed_order_and_send_no_other(project: Project) -> None:
    for number, death in enumerate(DEATHS):
        project.manage("take_orders", "--prefix", f"d{number}", "--death", death, code=-signal.SIGKILL)
    assert project.orders() == {f"d{number}-0" for number, is_committed in enumerate(DEATHS.values()) if is_committed}
    with project.start("take_orders", "--prefix", "r", "--last", "100000") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "20":
                process.kill()
                break
    assert len(project.orders()) >= len(committed("r", 20))
    project.check(copies=2)


@pytest.mark.redis
@pytest.mark.servers
def test_killed_celery_workers_lose_no_committed_order_and_send_no_other(project: Project, tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    try:
        variables = {**project.environ, "BROKER": redis.url}
        options = ["-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        command = [sys.executable, "-m", "celery", "-A", "tests.transactions.jobs.celery_app", "worker", *options]
        tasks = [(f"c-{number}", outcome, "") for number, outcome in enumerate(OUTCOMES)]
        tasks += [(f"d-{number}", "commits", death) for number, death in enumerate(DEATHS)]
        later = [(f"l-{number}", outcome, "") for number, outcome in enumerate(OUTCOMES)]
        with Celery("sender", broker=redis.url) as sender:
            send(sender, tasks)
            with running_worker(command, variables, tmp_path) as worker:
                assert wait_until(lambda: {task[0] for task in tasks} <= project.done(), 60), worker.text()[-3000:]
                send(sender, later)
                assert wait_until(lambda: bool(project.done() & {task[0] for task in later}), 60), worker.text()[-3000:]
                worker.kill()
            with running_worker(command, variables, tmp_path) as worker:
                everything = {task[0] for task in [*tasks, *later]}
                assert wait_until(lambda: everything <= project.done(), 60), worker.text()[-3000:]
                worker.stop()
        wanted = committed("c") | committed("l") | {f"d-{number}" for number in range(len(DEATHS))}
        assert project.orders() == wanted
        project.check(copies=3)
    finally:
        redis.stop()


def send(sender: Celery, tasks: list[tuple[str, str, str]]) -> None:
    for arguments in tasks:
        sender.send_task("order", arguments)
