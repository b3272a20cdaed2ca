"""Whole journeys over one outbox: environments, the README's first example, another release, a wrong clock."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import PIXEL, Api, running_api, wait_until
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import Event, Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.wsgi import TikTokMiddleware

SENT: list[tuple[str, str]] = []
"""What sinks of the team's own were given: their process's name and the event's id."""


class TeamSink:
    """Stands for TikTok's own API, which no test reaches."""

    def __init__(self, name: str) -> None:
        self._name = name

    def send(self, batch: list[Record]) -> list[Verdict]:
        SENT.extend((self._name, json.loads(record.body)["properties"]["order_id"]) for record in batch)
        return [Delivered()] * len(batch)

    def close(self) -> None:
        pass


def production_sink(_: object) -> TeamSink:
    return TeamSink("production")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    SENT.clear()
    return tmp_path / "one.sqlite3"


@contextmanager
def process(path: Path, **options: Any) -> Iterator[Client]:
    """A process of the application: the same user, the same pixel and the same outbox."""
    client = Client(Config(pixel_id=PIXEL, access_token="t", outbox=f"sqlite:///{path}", **options))
    client.start()
    try:
        yield client
    finally:
        client.close(0.5)


def production(path: Path, **options: Any) -> Any:
    return process(path, sink=f"import:{__name__}:production_sink", **options)


def buy(client: Client, order: str) -> Event:
    with client.tracker(consent=True) as tiktok:
        event: Event = tiktok.track("Purchase", value=5, currency="EUR", order_id=order)
    return event


def orders(api: Api) -> list[str]:
    return [item["properties"]["order_id"] for request in api.requests for item in json.loads(request.body)["data"]]


def test_a_developers_purchase_does_not_go_out_with_productions(path: Path) -> None:
    with process(path, api_url="http://127.0.0.1:9/open_api/v1.3", environment="development") as developer:
        buy(developer, "dev")
    with production(path) as live:
        buy(live, "real")
        assert wait_until(lambda: SENT == [("production", "real")])
        time.sleep(0.3)
    assert SENT == [("production", "real")]
    with running_api() as sandbox, process(path, api_url=sandbox.url, environment="development"):
        assert wait_until(lambda: orders(sandbox) == ["dev"]), "the sandbox has another port today"


@pytest.mark.slow
@pytest.mark.parametrize("is_alive", [False, True])
def test_a_staging_process_leaves_productions_sales_alone(path: Path, is_alive: bool) -> None:
    """Both may run at once, or one after the other."""
    with running_api() as down, running_api() as test_events:
        down.status, down.body = 503, b""
        live = Config(pixel_id=PIXEL, access_token="t", outbox=f"sqlite:///{path}", api_url=down.url)
        client = Client(live)
        buy(client, "sale")
        assert wait_until(lambda: client.stats()["retried"] >= 1)
        if not is_alive:
            client.close(0.2)
        with process(path, api_url=test_events.url, test_event_code="T1", environment="staging") as staging:
            buy(staging, "trial")
            assert wait_until(lambda: orders(test_events) == ["trial"])
            time.sleep(1.0)
            assert orders(test_events) == ["trial"]
        down.status, down.body = 200, Api.OK
        later = client if is_alive else Client(live)
        later.start()
        assert wait_until(lambda: orders(down)[-1:] == ["sale"] and later.stats()["waiting"] == 0, 20)
        later.close(1)


def test_a_staging_order_does_not_block_the_real_one(path: Path) -> None:
    with running_api() as api:
        for options in (
            {"api_url": api.url, "environment": "staging"},
            {"api_url": api.url, "environment": "staging", "test_event_code": "T1"},
            {"environment": "staging"},
        ):
            with process(path, **options) as staging:
                buy(staging, "A-77")
        with production(path) as live:
            buy(live, "A-77")
            assert wait_until(lambda: SENT == [("production", "A-77")])


def test_the_readmes_first_example_works_again_once_it_is_forgotten(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "tiktok_middleware")
    began = time.time()
    with running_api() as api:
        environ = {
            **os.environ,
            "TIKTOK_PIXEL_ID": PIXEL,
            "TIKTOK_ACCESS_TOKEN": "t",
            "TIKTOK_API_URL": api.url,
            "TIKTOK_OUTBOX": f"sqlite:///{path}",
        }
        for reason in ("", "already_counted"):
            with process(path, api_url=api.url) as app:
                server = buy(app, "A-1001").channels.server
                app.flush(5)
            assert orders(api) == ["A-1001"]
            assert (server.sends, server.reason) == (not reason, reason)
        assert began - 1 <= server.first_at <= time.time()
        said = [record for record in caplog.records if record.getMessage().startswith("already_counted: ")]
        assert [record.levelname for record in said] == ["WARNING", "DEBUG"]
        assert "tiktok-middleware outbox forget --once KEY" in said[0].getMessage()
        assert (
            datetime.fromtimestamp(server.first_at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") in said[1].getMessage()
        )
        command = [sys.executable, "-m", "tiktok_middleware.cli.main", "outbox", "forget", "--once", "A-1001"]
        code = "from tiktok_middleware.cli.main import main; main()"
        subprocess.run([sys.executable, "-c", code, *command[3:]], env=environ, check=True)
        with process(path, api_url=api.url) as app:
            assert buy(app, "A-1001").channels.server
            app.flush(5)
        assert orders(api) == ["A-1001", "A-1001"]


def test_a_clock_that_is_wrong_for_seconds_forgets_no_order(path: Path) -> None:
    ahead = [0.0]

    def clock() -> float:
        return time.time() + ahead[0]

    with running_api() as api:
        config = Config(pixel_id=PIXEL, access_token="t", outbox=f"sqlite:///{path}", api_url=api.url)
        client = Client(config, clock=clock)
        buy(client, "A-1")
        assert client.flush(10)
        ahead[0] = 500 * 86400.0
        for _ in range(3):
            buy(client, f"later-{_}")
            client.flush(0.5)
        client.close(0.5)
        started_wrong = Client(config, clock=clock)
        started_wrong.start()
        started_wrong.flush(0.5)
        started_wrong.close(0.5)
        ahead[0] = 0.0
        client = Client(config, clock=clock)
        buy(client, "A-1")
        client.flush(5)
        client.close(1)
        assert orders(api).count("A-1") == 1


# -- when the disk is slower than a response may wait


def wsgi_page(client: Client, order: str) -> bytes:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ[KEY].track("Purchase", value=5, currency="EUR", **({"order_id": order} if order else {}))
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [b"<!doctype html><html><head><title>x</title></head><body>x</body></html>"]

    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/", "SCRIPT_NAME": "", "QUERY_STRING": "", "HTTP_HOST": "shop.example",
        "wsgi.url_scheme": "https", "SERVER_NAME": "shop.example", "SERVER_PORT": "443", "REMOTE_ADDR": "203.0.113.9",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0 Safari/537.36",
    }  # fmt: skip
    response = TikTokMiddleware(app, client=client)(environ, lambda *_: lambda _: None)
    body = b"".join(response)
    if hasattr(response, "close"):
        response.close()
    return body


def asgi_page(client: Client, order: str) -> bytes:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[KEY].track("Purchase", value=5, currency="EUR", **({"order_id": order} if order else {}))
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = b"<!doctype html><html><head><title>x</title></head><body>x</body></html>"
        await send({"type": "http.response.body", "body": body})

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
        "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "", "server": ("shop.example", 443),
        "client": ("203.0.113.9", 1), "headers": [
            (b"host", b"shop.example"), (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0 Safari/537.36")
        ],
    }  # fmt: skip
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(AsgiMiddleware(app, client=client)(scope, receive, send))
    return b"".join(sent)


@pytest.mark.parametrize("page_of", [wsgi_page, asgi_page])
@pytest.mark.parametrize(
    ("undecided", "order", "leaves"),
    [("send", "", True), ("send", "A-1", True), ("hold", "", True), ("hold", "A-1", False)],
    ids=["new event", "once event", "new event, hold", "once event, hold"],
)
def test_the_browser_copy_when_the_commit_is_not_confirmed_in_time(
    path: Path, undecided: str, order: str, leaves: bool, page_of: Callable[[Client, str], bytes]
) -> None:
    with running_api() as api, process(path, api_url=api.url, browser_in_test=True, once_undecided=undecided) as client:
        page_of(client, "warm")
        assert client.flush(10)
        before = client.stats()["counts"]  # on a busy machine, the first page may not be on disk in time either
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        body = page_of(client, order)
        assert time.monotonic() - began < 5, "the response does not wait for the disk"
        assert (b'"Purchase"' in body) is leaves
        blocker.execute("COMMIT")
        blocker.close()
        assert client.flush(10)
        after = client.stats()["counts"]
        assert after["undurable"] - before.get("undurable", 0) == 1
        assert after.get("once_undecided", 0) - before.get("once_undecided", 0) == (0 if leaves else 1)
        assert sum(len(request.ids) for request in api.requests) == 2, "the server copy is stored and sent all the same"
