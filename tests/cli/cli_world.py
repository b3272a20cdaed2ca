"""The package's sandbox on a port of its own, for commands that talk to it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tiktok_middleware.sandbox import create_app

__all__ = ["Sandbox", "running_sandbox"]


class Sandbox:
    """A sandbox and its switches."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.app = create_app()
        config = uvicorn.Config(self.app, host="127.0.0.1", port=self.port, log_level="error", lifespan="off")
        self.server = uvicorn.Server(config)

    def set(self, **switches: Any) -> None:
        self.app.state.sandbox.settings = self.app.state.initial.changed(switches)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/open_api/v1.3"


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """A sandbox that has started, until the end of the block."""
    made = Sandbox()
    thread = threading.Thread(target=made.server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not made.server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield made
    made.server.should_exit = True
    thread.join(10)
