"""`tiktok-middleware demo`: one command, two addresses, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.servers import ROOT, free_port, plain_environment, stop

pytestmark = pytest.mark.servers

COMMAND = str(Path(sys.executable).with_name("tiktok-middleware"))
_WAIT_S = 30.0


class Demo:
    """The running command, in a session of its own as in a terminal."""

    def __init__(self, folder: Path, *options: str, port: int | None) -> None:
        self.output = folder / "output"
        environment = {**plain_environment(folder), "TMPDIR": str(folder)}
        environment.pop("SHOP_DB")
        environment.pop("PORT", None)
        if port is not None:
            environment["PORT"] = str(port)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [COMMAND, "demo", *options],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def await_text(self, words: str) -> None:
        deadline = time.monotonic() + _WAIT_S
        while words not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)

    def children(self) -> list[int]:
        """Process ids of the servers."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in tasks.read_text().split()]


MakeDemo = Callable[..., Demo]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[MakeDemo]:
    """Makes demos, and ends those that a failing test has left, with their servers."""
    made: list[Demo] = []

    def demo(*options: str, port: int | None) -> Demo:
        made.append(Demo(tmp_path, *options, port=port))
        return made[-1]

    yield demo
    for one in made:
        left = one.children() if one.process.poll() is None else []
        stop(one.process)
        for child in filter(_is_alive, left):
            os.kill(child, signal.SIGKILL)


def _two_free_ports() -> int:
    """A port whose follower is free too."""
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port + 1))
            return port


def _is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _assert_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_serves_both_and_stops_cleanly(demo: MakeDemo, tmp_path: Path, number: signal.Signals) -> None:
    port = _two_free_ports()
    running = demo(port=port)
    running.await_text("Ctrl-C")
    shop, inspector = re.findall(r"http://\S+", running.text)
    assert httpx.URL(shop).port == port
    assert "ttclid=" in shop
    page = httpx.get(shop)
    assert "Tidewheel" in page.text
    assert "ttq" in page.text
    assert httpx.URL(inspector).port == port + 1
    assert "<title>" in httpx.get(inspector).text
    httpx.get(f"http://127.0.0.1:{port}/products/morning-mug")
    arrived = httpx.get(f"{inspector}sandbox/events", params={"wait_for": "ViewContent", "timeout": 20}, timeout=30)
    assert [event["event"] for event in arrived.json()] == ["ViewContent"]
    children = running.children()
    assert len(children) == 2

    os.killpg(running.process.pid, number)  # as a terminal does: to all that are in the foreground
    assert running.process.wait(20) == 0, running.text
    assert running.text.rstrip().endswith("Stopped.")
    assert "Traceback" not in running.text
    assert not any(map(_is_alive, children))
    _assert_free(port)
    _assert_free(port + 1)
    assert [path.name for path in tmp_path.iterdir()] == ["output"], "its folder is gone"


def test_a_demo_whose_shop_dies_stops_the_sandbox_too(demo: MakeDemo) -> None:
    port = _two_free_ports()
    running = demo(port=port)
    running.await_text("Ctrl-C")
    children = running.children()
    os.kill(children[-1], signal.SIGKILL)
    running.process.wait(20)
    assert not any(map(_is_alive, children))
    _assert_free(port + 1)


@pytest.mark.parametrize("taken", ["shop", "sandbox"])
def test_a_taken_port_is_named_with_the_way_out(demo: MakeDemo, taken: str) -> None:
    port = _two_free_ports()
    busy = port if taken == "shop" else port + 1
    with socket.socket() as other:
        other.bind(("127.0.0.1", busy))
        other.listen()
        running = demo(port=port)
        assert running.process.wait(_WAIT_S) == 1
    assert str(busy) in running.text
    assert "PORT" in running.text
    assert "Traceback" not in running.text


def test_a_port_that_is_no_number_is_refused(demo: MakeDemo) -> None:
    running = demo("--port", "many", port=None)
    assert running.process.wait(_WAIT_S) == 2
    assert "many" in running.text
    assert "Traceback" not in running.text
