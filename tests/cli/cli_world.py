"""The package's sandbox on a port of its own, for commands that talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.serving import serving
from tiktok_middleware.sandbox import create_app

__all__ = ["Sandbox", "running_sandbox"]


class Sandbox:
    """A sandbox and its switches."""

    def __init__(self, app: Any, port: int) -> None:
        self.app = app
        self.port = port

    def set(self, **switches: Any) -> None:
        self.app.state.sandbox.settings = self.app.state.initial.changed(switches)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/open_api/v1.3"


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """A sandbox that has started, until the end of the block."""
    app = create_app()
    with serving(app) as port:
        yield Sandbox(app, port)
