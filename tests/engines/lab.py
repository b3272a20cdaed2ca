"""An engine, the sandbox, and sites: run scenarios, and tell what became of their events."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.browser.servers import Server, free_port, plain_environment, running, shop_environment, uvicorn_command
from tests.browser.visitor import Sandbox
from tests.engines.engines import Launcher, engine
from tests.engines.front import front
from tests.engines.scenarios import SCENARIOS, Scenario, Visit
from tests.engines.webdriver import Browser

__all__ = ["PIXEL", "Lab", "lab", "sandbox_process", "site_process"]

PIXEL = "C0000000000000000001"
#: How browsers reach the sandbox: WebKit loads no script from an address without TLS into a page with TLS.
TIKTOK = "analytics.tiktok.example"
#: Counters that every event adds to.
_DONE = {"tracked", "confirmed"}
#: A matched event that comes twice comes soon. What is not matched may still come until nothing has changed for long.
_MATCHED_S, _QUIET_S, _LIMIT_S = 1.0, 5.0, 15.0
_IS_READY = "return document.readyState === 'complete' && !!window.tiktok && !!tiktok.listens"
_READY_S = 5.0


class Lab:
    """An engine with the sandbox and the sites.

    Args:
        start: starts a browser with a proxy.
        proxy: host and port of the proxy.
        sites: a site for each value of ``TIKTOK_CONSENT`` that scenarios need.
        sandbox: what has arrived at TikTok.

    Attributes:
        version: name and version of the browser that ran last.
    """

    def __init__(self, start: Launcher, proxy: str, sites: dict[str, Server], sandbox: Sandbox) -> None:
        self._start, self._proxy, self._sites, self._sandbox = start, proxy, sites, sandbox
        self._browsers: dict[str, Browser] = {}
        self.version = ""

    def result(self, scenario: Scenario) -> str:
        """Run a scenario; return ``matched``, ``server: REASON``, ``none: REASON`` or what else was seen."""
        number = SCENARIOS.index(scenario)
        site, browser = self._sites[scenario.consent], self._browser(scenario.mode)
        self._sandbox.reset()
        before = self._state(site)["counts"]

        def settle() -> None:
            with contextlib.suppress(AssertionError):  # the scenario's result tells what is missing
                browser.wait_for(_IS_READY, timeout_s=_READY_S)

        visit = Visit(browser, number, settle, lambda ms: self._sandbox.switch(pixel_delay_ms=ms))
        scenario.act(visit)
        found = self._await_end(visit.event)
        after = self._state(site)
        counts: dict[str, int] = after["counts"]
        reasons = {reason for reason in counts if counts[reason] > before.get(reason, 0)} - _DONE
        return outcome(found, sorted({*reasons, *filter(None, after["last"])}), scenario)

    def _browser(self, mode: str) -> Browser:
        if mode not in self._browsers:
            for browser in self._browsers.values():
                browser.close()
            self._browsers = {mode: self._start(self._proxy, mode)}
        self.version = self._browsers[mode].version
        return self._browsers[mode]

    def _state(self, site: Server) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{site.url}/counts", timeout=30).json()
        return found

    def _await_end(self, event: str) -> list[dict[str, Any]]:
        """Return the events once they are matched, or nothing has changed for a while."""
        end, last, since = time.monotonic() + _LIMIT_S, "", time.monotonic()
        while True:
            found = [one for one in self._sandbox.events() if one["event"] in {event, f"{event}B"}]
            now, state = time.monotonic(), json.dumps(found)
            if state != last:
                last, since = state, now
            wait_s = _MATCHED_S if found and all(one["matched"] for one in found) else _QUIET_S
            if now > end or now - since > wait_s:
                return found
            time.sleep(0.1)


def outcome(found: list[dict[str, Any]], reasons: list[str], scenario: Scenario) -> str:
    """Return the result of a scenario in words.

    Args:
        found: what the sandbox holds of its events.
        reasons: reason codes that the site has counted meanwhile.
        scenario: the scenario; of several reasons, the one that it expects is named.
    """
    if any(max(one["browser_copies"], one["server_copies"]) > 1 for one in found):
        return "duplicate"
    if found and all(one["matched"] for one in found):
        return "matched"
    wanted = {one.partition(": ")[2] for one in (scenario.expected, *scenario.engines.values())}
    why = ", ".join([reason for reason in reasons if reason in wanted] or reasons) or "silent"
    if not found:
        return f"none: {why}"
    channels = [channel for channel in ("browser", "server") if any(one[channel] for one in found)]
    return f"{' and '.join(channels)}: {why}"


@contextlib.contextmanager
def lab(name: str, folder: Path) -> Iterator[Lab]:
    """Start an engine, the sandbox and the sites."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(sandbox_process(folder))
        variables = {"TIKTOK_BROWSER_EVENTS": ",".join(f"Engine{number}" for number in range(len(SCENARIOS)))}
        sites = {
            consent: stack.enter_context(
                site_process(
                    "tests.engines.site:app", folder / consent, sandbox, {**variables, "TIKTOK_CONSENT": consent}
                )
            )
            for consent in dict.fromkeys(scenario.consent for scenario in SCENARIOS)
        }

        # Each scenario has domains of its own, so that it finds no cookie or storage of another.
        ports = {TIKTOK.partition(".")[2]: sandbox.port}
        for number, scenario in enumerate(SCENARIOS):
            ports |= dict.fromkeys((f"shop{number}.example", f"bank{number}.example"), sites[scenario.consent].port)
        proxy = stack.enter_context(front(folder, ports))
        watching = Sandbox(sandbox.url, PIXEL)
        stack.callback(watching.close)
        yield Lab(stack.enter_context(engine(name, folder)), proxy, sites, watching)


def sandbox_process(folder: Path) -> contextlib.AbstractContextManager[Server]:
    """Start a sandbox."""
    place, port = folder / "sandbox", free_port()
    place.mkdir()
    command = [*uvicorn_command("tiktok_middleware.sandbox:app", port), "--log-level", "warning"]
    return running("sandbox", command, port, place, plain_environment(place))


def site_process(
    target: str, place: Path, sandbox: Server, variables: dict[str, str]
) -> contextlib.AbstractContextManager[Server]:
    """Start an app that sends to the sandbox."""
    place.mkdir()
    port = free_port()
    environment = shop_environment(place, sandbox.url, PIXEL)
    environment |= {"TIKTOK_PIXEL_URL": f"https://{TIKTOK}/i18n/pixel/events.js", **variables}
    return running(target, uvicorn_command(target, port), port, place, environment, pixel=PIXEL)
