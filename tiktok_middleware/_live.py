"""Live part of the test kit: the sandbox, a server for the app under test, a browser, and the recorded events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["Live", "running_sandbox"]

_PIXEL = "CLIVE000000000000001"
_START_S = 30.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Live:
    """Events as they arrive at the sandbox, from the app under test and from a real browser.

    Args:
        url: address of the sandbox.
        running_playwright: returns the Playwright that the test suite runs already, or None. A thread can run only one
            synchronous Playwright.

    Attributes:
        url: address of the sandbox, whose page shows each event.
        environ: variables that connect an app with the sandbox. The fixture sets them for the test.
    """

    def __init__(self, url: str, running_playwright: Callable[[], object] = lambda: None) -> None:
        self.url = url
        self._running_playwright = running_playwright
        self.environ: dict[str, str] = {
            "TIKTOK_PIXEL_ID": _PIXEL,
            "TIKTOK_ACCESS_TOKEN": "token-of-the-test",
            "TIKTOK_API_URL": f"{url}/open_api/v1.3",
            "TIKTOK_PIXEL_URL": f"{url}/i18n/pixel/events.js",
            "TIKTOK_OUTBOX": "memory://",
            "TIKTOK_STRICT": "true",
        }
        self._stack = contextlib.ExitStack()
        self._context: Any = None

    def serve(self, target: str, **variables: str) -> str:
        """Start the app under test in a process of its own, with :attr:`environ`, until the test ends.

        Args:
            target: import path of the ASGI or WSGI app, such as ``shop.main:app``.
            variables: further variables of its environment.

        Returns:
            Its address, such as ``http://127.0.0.1:49152``.

        Raises:
            RuntimeError: it does not start; the message holds what it printed.
        """
        port = _free_port()
        command = [sys.executable, "-m", "tiktok_middleware._live_server", target, str(port)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
        return self._stack.enter_context(_running(command, port, {**environment, **self.environ, **variables}, target))

    def page(self) -> Page:
        """Open a tab of a headless Chromium, with a profile of its own for this test (Playwright's synchronous API).

        Uses the Playwright of the fixture ``playwright`` if the test suite has one, as with pytest-playwright.

        Raises:
            RuntimeError: Playwright or a browser is missing, or an event loop runs in this thread; the message says
                what to do.
        """
        if self._context is None:
            self._context = self._stack.enter_context(_browser_context(self._running_playwright))
        page: Page = self._context.new_page()
        return page

    def events(self, event: str = "") -> list[dict[str, Any]]:
        """Return the conversions that have arrived so far, oldest first, of one name or of all.

        Each has ``event``, ``event_id``, ``state`` (``matched``, ``different``, ``browser_only`` or ``server_only``),
        ``differences``, and the two copies under ``browser`` and ``server``.
        """
        return [one for one in _get(f"{self.url}/sandbox/events") if event in {"", one["event"]}]

    def assert_matched(self, event: str, /, timeout_s: float = 10.0, **properties: object) -> dict[str, Any]:
        """Return the only conversion of this name, once both copies have arrived and agree.

        Args:
            event: its name, such as ``Purchase``.
            timeout_s: how long to wait for both copies.
            properties: parameters that both copies must have, among others.

        Raises:
            AssertionError: a copy is missing, there are several, or something differs; the message lists it.
        """
        query = {"wait_for": event, "state": "matched", "timeout": timeout_s, "event": event}
        found = _get(f"{self.url}/sandbox/events?{urlencode(query)}", timeout_s + 10)
        matched = [one for one in found if one["state"] == "matched"]
        if len(found) != 1 or not matched:
            raise AssertionError(_not_one(event, found, self.events(), timeout_s))
        return _with_properties(matched[0], properties)

    async def assert_matched_async(
        self, event: str, /, timeout_s: float = 10.0, **properties: object
    ) -> dict[str, Any]:
        """Do the same as :meth:`assert_matched` without blocking the event loop, for Playwright's asynchronous API."""
        return await asyncio.to_thread(self.assert_matched, event, timeout_s, **properties)

    def assert_nothing(self, event: str = "", wait_s: float = 0.5) -> None:
        """Check that no conversion of this name, or none at all, arrives.

        Args:
            event: its name; empty for any but page views.
            wait_s: how long to wait for late events, in seconds.

        Raises:
            AssertionError: something arrived.
        """
        time.sleep(wait_s)
        found = [one for one in self.events(event) if event or one["event"] != "Pageview"]
        if found:
            raise AssertionError(f"expected no {event or 'event'}, but arrived:\n{_table(found)}")

    def clear(self) -> None:
        """Delete the recorded events."""
        _post(f"{self.url}/sandbox/reset?settings=true")

    def close(self) -> None:
        """Stop the browser and the servers of this test."""
        self._context = None
        self._stack.close()


# -- failure messages


def _with_properties(conversion: dict[str, Any], expected: Mapping[str, object]) -> dict[str, Any]:
    said = conversion["server"]["properties"]
    wrong = [
        f"  {name}: expected {value!r}, got {repr(said[name]) if name in said else 'nothing'}"
        for name, value in expected.items()
        if said.get(name) != value
    ]
    if wrong:
        lines = "\n".join(wrong)
        raise AssertionError(f"{conversion['event']} arrived on both channels, but says something else:\n{lines}")
    return conversion


def _not_one(event: str, found: list[dict[str, Any]], everything: list[dict[str, Any]], timeout_s: float) -> str:
    if not found:
        what = f"{event} did not arrive within {timeout_s:g} s"
    elif len(found) > 1:
        what = f"{event} arrived {len(found)} times with different ids, not once"
    else:
        [one] = found
        what = f"{event} did not match within {timeout_s:g} s: {_state(one)}"
    return (
        f"{what}.\nArrived so far:\n{_table(everything) or '  nothing (is the app configured by tiktok_live.environ?)'}"
    )


def _state(one: Mapping[str, Any]) -> str:
    if not one.get("browser"):
        return "the browser's copy is missing"
    if not one.get("server"):
        return "the server's copy is missing"
    return "; ".join(map(_difference, one.get("differences") or ())) or str(one["state"])


def _difference(found: Mapping[str, Any]) -> str:
    if found.get("missing"):
        return f"{found['path']} is missing in the {found['missing']}'s copy"
    return (
        f"{found['path']} is {found.get('browser')!r} in the browser's copy and {found.get('server')!r} in the server's"
    )


def _table(found: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"  {one['event']} {one['event_id'] or '(no id)'}: {'matched' if one['state'] == 'matched' else _state(one)}"
        for one in found
    )


# -- processes


@contextlib.contextmanager
def running_sandbox() -> Iterator[str]:
    """Run the sandbox in a process of its own while the block runs, and yield its address.

    Raises:
        RuntimeError: a package is missing, or the sandbox does not start.
    """
    if find_spec("uvicorn") is None:
        raise RuntimeError('tiktok_live starts the sandbox, which needs uvicorn: pip install "tiktok-middleware[demo]"')
    port = _free_port()
    command = [sys.executable, "-m", "tiktok_middleware._live_server", "tiktok_middleware.sandbox:app", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    with _running(command, port, environment, "the sandbox") as url:
        yield url


@contextlib.contextmanager
def _running(command: list[str], port: int, environment: Mapping[str, str], name: str) -> Iterator[str]:
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str, timeout_s: float = 10.0) -> list[dict[str, Any]]:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310  # the sandbox
        found: list[dict[str, Any]] = json.loads(answer.read())
        return found


def _post(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10):  # noqa: S310  # as above
        pass


# -- the browser

_INSTALL = "pip install playwright && playwright install chromium"
_LOOP_RUNS = (
    "tiktok_live.page() cannot start Playwright, because an event loop runs in this thread. In an asynchronous test"
    " use Playwright's asynchronous API. If the tests run a synchronous Playwright of their own, yield it from a"
    " fixture named playwright: tiktok_live uses it"
)


@contextlib.contextmanager
def _browser_context(running_playwright: Callable[[], object]) -> Iterator[Any]:
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
        browser = _launched(playwright)
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


def _launched(playwright: Any) -> Any:
    own = Path(playwright.chromium.executable_path)
    found = str(own) if own.exists() else next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise RuntimeError(f"tiktok_live.page() needs a browser, and found none: {_INSTALL}")
    # Chromium does not start with its own sandbox as root, the user in most containers.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=found, args=arguments)
