"""Live part of the test kit: the sandbox, a server for the app under test, a browser, and the recorded events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tiktok_middleware._live_processes import browser_context, free_port, running, running_sandbox

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["Live", "running_sandbox"]

_PIXEL = "CLIVE000000000000001"


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
        port = free_port()
        command = [sys.executable, "-m", "tiktok_middleware._live_server", target, str(port)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
        return self._stack.enter_context(running(command, port, {**environment, **self.environ, **variables}, target))

    def page(self) -> Page:
        """Open a tab of a headless Chromium, with a profile of its own for this test (Playwright's synchronous API).

        Uses the Playwright of the fixture ``playwright`` if the test suite has one, as with pytest-playwright.

        Raises:
            RuntimeError: Playwright or a browser is missing, or an event loop runs in this thread; the message says
                what to do.
        """
        if self._context is None:
            self._context = self._stack.enter_context(browser_context(self._running_playwright))
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


def _get(url: str, timeout_s: float = 10.0) -> list[dict[str, Any]]:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310  # the sandbox
        found: list[dict[str, Any]] = json.loads(answer.read())
        return found


def _post(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10):  # noqa: S310  # as above
        pass
