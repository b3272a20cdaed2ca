"""An operator stops sending, or everything, in all processes within two seconds, and each command says so."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.delivery.delivery_world import PIXEL, Api, running_api, wait_until
from tiktok_middleware._start_line import start_line
from tiktok_middleware.cli.main import main
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.delivery.outbox.base import RUNNING, Switches
from tiktok_middleware.delivery.outbox.sqlite.switches import SwitchFile, read_switches, set_switches, switch_path
from tiktok_middleware.wsgi import TikTokMiddleware

PAGE = b"<!doctype html><html><head><title>x</title></head><body>x</body></html>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "o.sqlite3"


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


def options(path: Path, api: Api) -> dict[str, str]:
    return {
        "pixel_id": PIXEL,
        "access_token": "t",
        "api_url": api.url,
        "outbox": f"sqlite:///{path}",
        "browser_in_test": "true",
    }


@pytest.fixture
def client(path: Path, api: Api) -> Iterator[Client]:
    client = Client(Config(**options(path, api)))  # type: ignore[arg-type]
    yield client
    client.close(0.1)


def outbox(path: Path, *arguments: str) -> Result:
    environ = {"TIKTOK_OUTBOX": f"sqlite:///{path}", "TIKTOK_PIXEL_ID": PIXEL, "COLUMNS": "200"}
    result = CliRunner().invoke(main, ["outbox", *arguments], env=environ)
    assert result.exit_code == 0, result.output
    return result


def buy(client: Client, order: str) -> None:
    with client.tracker(consent=True) as tiktok:
        tiktok.track("Purchase", value=5, currency="EUR", order_id=order)


def visit(client: Client) -> bytes:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ[KEY].track("Contact")
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(PAGE)))])
        return [PAGE]

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


@pytest.mark.slow
def test_a_pause_keeps_events_and_a_resume_sends_them(client: Client, path: Path, api: Api) -> None:
    buy(client, "before")
    assert wait_until(lambda: len(api.ids) == 1)
    outbox(path, "pause")
    time.sleep(0.6)
    buy(client, "meanwhile")
    began = time.monotonic()
    assert not client.flush(5)
    assert time.monotonic() - began < 2, "nobody waits for what is paused"
    assert len(api.ids) == 1
    assert PAGE not in visit(client), "pages still carry the pixel"
    outbox(path, "resume")
    assert wait_until(lambda: len(api.ids) == 3, 4)


@pytest.mark.slow
def test_a_pause_reaches_rows_that_were_handed_over_and_other_processes(path: Path, api: Api) -> None:
    code = """
import json, sys, time
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
client = Client(Config(**json.loads(sys.argv[1])))
for order in sys.stdin:
    with client.tracker(consent=True) as tiktok:
        tiktok.track("Purchase", value=5, currency="EUR", order_id=order.strip())
    print("tracked", flush=True)
client.close(1)
"""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(options(path, api))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip

    def track(order: str) -> None:
        for number, worker in enumerate(workers):
            assert worker.stdin
            assert worker.stdout
            worker.stdin.write(f"{order}-{number}\n")
            worker.stdin.flush()
            assert worker.stdout.readline() == "tracked\n"

    track("before")
    assert wait_until(lambda: len(api.ids) == 2, 20)
    outbox(path, "pause")
    time.sleep(1.0)
    track("meanwhile")
    time.sleep(1.0)
    assert len(api.ids) == 2
    outbox(path, "resume")
    assert wait_until(lambda: len(api.ids) == 4, 10)
    for worker in workers:
        worker.communicate(timeout=20)
        assert worker.returncode == 0


@pytest.mark.slow
def test_off_leaves_pages_untouched_and_tracks_nothing(client: Client, path: Path, api: Api) -> None:
    assert PAGE not in visit(client)
    assert client.flush(10)
    outbox(path, "off")
    time.sleep(1.6)
    sent = len(api.ids)
    assert visit(client) == PAGE
    buy(client, "meanwhile")
    assert len(api.ids) == sent
    outbox(path, "on")
    time.sleep(1.6)
    assert PAGE not in visit(client)
    buy(client, "after")
    assert wait_until(lambda: len(api.ids) >= 2)
    assert wait_until(lambda: client.stats()["waiting"] == 0), "TikTok's answer is noted after it was given"


def test_status_check_and_start_line_say_what_is_stopped(path: Path, client: Client) -> None:
    buy(client, "order")
    client.flush(5)
    config = Config(pixel_id=PIXEL, access_token="t", outbox=f"sqlite:///{path}", consent="implied")

    def said() -> tuple[str, str, str]:
        environ = {"TIKTOK_OUTBOX": f"sqlite:///{path}", "TIKTOK_PIXEL_ID": PIXEL, "COLUMNS": "200"}
        check = CliRunner().invoke(main, ["check"], env=environ).output
        return outbox(path, "status").output, check, str(start_line(config, config.outbox).unusual)

    assert not any("PAUSED" in text or "OFF" in text for text in said())
    outbox(path, "pause")
    assert all("PAUSED" in text for text in said()), said()
    assert json.loads(outbox(path, "status", "--json").stdout)["paused_since"].endswith("+00:00")
    outbox(path, "off")
    assert all("OFF" in text for text in said()), said()
    outbox(path, "on")
    assert all("PAUSED" in text and "OFF" not in text for text in said()), "what was paused stays paused"
    outbox(path, "resume")
    assert not switch_path(path).exists()


def test_a_switch_can_be_turned_before_there_is_an_outbox(path: Path) -> None:
    outbox(path, "off")
    assert read_switches(path).is_off
    assert not path.exists()
    outbox(path, "on")
    assert read_switches(path) == RUNNING


def test_a_switch_file_that_is_spoilt_stops_nothing(path: Path) -> None:
    switch_path(path).write_bytes(b"{")
    assert SwitchFile(path, time.monotonic).read() == RUNNING
    assert read_switches(path) == RUNNING


def test_a_look_costs_nothing_between_two_half_seconds(path: Path) -> None:
    now = [0.0]
    file = SwitchFile(path, lambda: now[0])
    assert file.read() == RUNNING
    set_switches(path, Switches(paused_at=5.0))
    assert file.read() == RUNNING
    now[0] = 0.5
    assert file.read() == Switches(paused_at=5.0)
    set_switches(path, RUNNING)
    now[0] = 1.0
    assert file.read() == RUNNING
