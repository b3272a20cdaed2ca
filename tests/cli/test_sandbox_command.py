"""``sandbox`` prints the variables that an app needs, and confirms events as they arrive."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.cli.test_main import run
from tests.serving import free_port
from tiktok_middleware.cli.sandbox import Confirmations, arrival_line, sandbox_variables
from tiktok_middleware.sandbox.matching import Difference
from tiktok_middleware.sandbox.store import Conversion

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]


def post(url: str, body: object, headers: dict[str, str]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    urllib.request.urlopen(request, timeout=10).close()


def test_sandbox_prints_export_lines_writes_them_to_a_file_and_confirms_an_event(tmp_path: Path) -> None:
    port, env_file, log = free_port(), tmp_path / ".env", tmp_path / "log"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    environ |= {
        "TIKTOK_CONSENT": "cookie:a=b; touch /tmp/x",
        "PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    command = "from tiktok_middleware.cli.main import main; main()"
    words = ["sandbox", "--port", str(port), "--env-file", str(env_file)]
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", command, *words], env=environ, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        variables = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
        assert variables["TIKTOK_CONSENT"] == "'cookie:a=b; touch /tmp/x'"  # a shell loads the file
        exported = [line.removeprefix("export ") for line in log.read_text().splitlines() if line.startswith("export ")]
        assert exported == [f"{name}={value}" for name, value in variables.items()]
        assert variables["TIKTOK_API_URL"] == f"http://127.0.0.1:{port}/open_api/v1.3"
        event = {
            "event": "Contact",
            "event_time": int(time.time()),
            "event_id": "e-1",
            "user": {"ip": "8.8.8.8", "user_agent": "Mozilla/5.0"},
            "page": {"url": "https://shop.example/"},
            "properties": {},
        }
        body = {"event_source": "web", "event_source_id": variables["TIKTOK_PIXEL_ID"], "data": [event]}
        post(f"{variables['TIKTOK_API_URL']}/event/track/", body, {"Access-Token": variables["TIKTOK_ACCESS_TOKEN"]})
        deadline = time.monotonic() + 10
        while "server only: Contact" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "server only: Contact  e-1  (no copy on the browser's channel so far)" in log.read_text()
        assert f"set -a; . {env_file}; set +a" in log.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert "0 of 1 events matched." in log.read_text()


@pytest.mark.parametrize(
    ("state", "properties", "line"),
    [
        ("matched", {}, "matched: Purchase  e-1"),
        ("matched", {"value": 59.9, "currency": "EUR"}, "matched: Purchase  59.9 EUR  e-1"),
        ("matched", {"value": 40.0, "currency": "EUR"}, "matched: Purchase  40 EUR  e-1"),
        ("matched", {"value": 0, "order_id": "A-1"}, "matched: Purchase  0, order A-1  e-1"),
        ("matched", {"order_id": "A\x1b[2J\nmatched: all"}, "matched: Purchase  order A\\x1b[2J\\nmatched: all  e-1"),
        ("browser_only", {}, "browser only: Purchase  e-1  (no copy on the server's channel so far)"),
        ("server_only", {}, "server only: Purchase  e-1  (no copy on the browser's channel so far)"),
        ("different", {}, "different: Purchase (value)  e-1"),
    ],
)
def test_line_of_an_arrival_names_value_and_order(state: str, properties: dict[str, object], line: str) -> None:
    differences = [Difference("value", 1, 2)] if state == "different" else []
    made = Conversion("k", "C5", "Purchase", "e-1", 0.0, state=state, properties=properties, differences=differences)
    assert arrival_line(made) == line


def conversion(state: str, key: str = "k") -> Conversion:
    return Conversion(key, "C5", "Lead", "e-1", 0.0, state=state)


@pytest.mark.parametrize(
    ("states", "lines"),
    [
        (["server_only", "matched"], ["matched: Lead  e-1"]),
        (["browser_only", "matched"], ["matched: Lead  e-1"]),
        (["browser_only", "different"], ["different: Lead  e-1"]),
        (["server_only"], ["server only: Lead  e-1  (no copy on the browser's channel so far)"]),
        ([], []),
    ],
)
@pytest.mark.parametrize("is_ended", [False, True])
def test_one_copy_waits_for_the_other_before_it_is_printed(
    states: list[str], lines: list[str], is_ended: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    async def arrive() -> None:
        made = conversion("")
        for state in states:
            made.state = state
            confirmations.arrived(made)
        if not is_ended:
            await asyncio.sleep(0.05)

    confirmations = Confirmations(60.0 if is_ended else 0.0)
    asyncio.run(arrive())
    confirmations.end()
    matched = states[-1:].count("matched")
    assert capsys.readouterr().out.splitlines() == [*lines, "", f"  {matched} of {min(len(states), 1)} events matched."]


def test_inspector_shows_the_variables_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIKTOK_PIXEL_ID", "TIKTOK_CONSENT", "TIKTOK_PAGE_VIEW", "TIKTOK_OUTBOX"):
        monkeypatch.delenv(name, raising=False)
    script = (ROOT / "tiktok_middleware/sandbox/static/inspector/page.js").read_text()
    shown = dict(re.findall(r'^  ["`](TIKTOK_[A-Z_]+)=(.*)["`],$', script, re.MULTILINE))
    made = sandbox_variables("HOST", 1, "/folder")
    made.pop("TIKTOK_OUTBOX")  # a page cannot name a new file
    assert {name: value.replace("${location.origin}", "http://HOST:1") for name, value in shown.items()} == made


def test_outbox_of_a_trial_is_a_new_file_unless_one_is_set() -> None:
    assert sandbox_variables("h", 1, "/tmp/a")["TIKTOK_OUTBOX"] == "sqlite:////tmp/a/outbox.sqlite3"
    assert "TIKTOK_OUTBOX" not in sandbox_variables("h", 1, "")


@pytest.mark.parametrize("text", ["nope", "=5", ""])
def test_property_without_name_and_value_is_refused(text: str) -> None:
    result = run("send", "Purchase", "--property", text, "--dry-run", TIKTOK_PIXEL_ID="C5ABCDEFGHIJKLMNOPQR")
    assert result.exit_code == 2 or "NAME=VALUE" in result.output
    assert "NAME=VALUE" in result.output
