"""Processes of the live test kit: the sandbox, the app under test, and the browser."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["browser_context", "free_port", "launched", "running", "running_sandbox"]

_START_S = 30.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_INSTALL = "pip install playwright && playwright install chromium"
_LOOP_RUNS = (
    "tiktok_live.page() cannot start Playwright, because an event loop runs in this thread. In an asynchronous test"
    " use Playwright's asynchronous API. If the tests run a synchronous Playwright of their own, yield it from a"
    " fixture named playwright: tiktok_live uses it"
)


@contextlib.contextmanager
def running_sandbox() -> Iterator[str]:
    """Run the sandbox in a process of its own while the block runs, and yield its address.

    Raises:
        RuntimeError: a package is missing, or the sandbox does not start.
    """
    if find_spec("uvicorn") is None:
        raise RuntimeError('tiktok_live starts the sandbox, which needs uvicorn: pip install "tiktok-middleware[demo]"')
    port = free_port()
    command = [sys.executable, "-m", "tiktok_middleware._live_server", "tiktok_middleware.sandbox:app", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    with running(command, port, environment, "the sandbox") as url:
        yield url


@contextlib.contextmanager
def running(command: list[str], port: int, environment: Mapping[str, str], name: str) -> Iterator[str]:
    """Run a server in a process of its own while the block runs, and yield its address."""
    with tempfile.TemporaryDirectory(prefix="tiktok-live-") as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  # ours
        try:
            _await_port(process, port, name, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, name: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{name} did not start:\n{log.read_text('utf-8', 'replace')[-4000:]}")


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def browser_context(running_playwright: Callable[[], object]) -> Iterator[Any]:
    """Yield a new context of a browser: of a Playwright that the tests run, or else of one that ends with the block."""
    try:
        from playwright.sync_api import Error, Playwright, sync_playwright  # noqa: PLC0415  # only if a page is opened
    except ImportError:
        raise RuntimeError(f"tiktok_live.page() needs Playwright: {_INSTALL}") from None
    with contextlib.ExitStack() as stack:
        playwright = running_playwright()
        is_shared = isinstance(playwright, Playwright)
        if not is_shared:
            if _is_loop_running():
                raise RuntimeError(_LOOP_RUNS)
            playwright = stack.enter_context(sync_playwright())
        browser = launched(playwright)
        try:
            yield browser.new_context()
        finally:
            # If pytest has stopped a shared Playwright already, its browsers are closed, and close() raises.
            with contextlib.suppress(*[Error] if is_shared else []):
                browser.close()


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def launched(playwright: Any) -> Any:
    """Return a browser: Playwright's own, or else one that is installed."""
    own = Path(playwright.chromium.executable_path)
    found = str(own) if own.exists() else next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise RuntimeError(f"tiktok_live.page() needs a browser, and found none: {_INSTALL}")
    # Chromium does not start with its own sandbox as root, the user in most containers.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=found, args=arguments)
