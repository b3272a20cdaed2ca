"""Start Chromium, Firefox and WebKitGTK, each with an empty profile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.browser.servers import free_port, stop
from tests.engines.webdriver import Browser, HttpRemote, MarionetteRemote, until

__all__ = ["ENGINES", "MODES", "Launcher", "engine"]

_START_S = 60.0
_FIREFOX, _CHROMIUM = "/usr/bin/firefox-esr", "/usr/bin/chromium"
_CHROMIUM_DRIVER, _WEBKIT_DRIVER = "/usr/bin/chromedriver", "/usr/bin/WebKitWebDriver"
#: How a browser may be set: as it is installed, a private window, or one that takes no cookies.
MODES = ("usual", "private", "no cookies")

#: Starts a browser with a proxy (host and port), in a mode.
Launcher = Callable[[str, str], Browser]


@contextlib.contextmanager
def engine(name: str, folder: Path) -> Iterator[Launcher]:
    """Yield a function that starts browsers of an engine; they end with the block."""
    with ExitStack() as stack:
        yield _ENGINES[name](stack, folder)


def _chromium(stack: ExitStack, folder: Path) -> Launcher:
    address = _driver(stack, folder, [_CHROMIUM_DRIVER], dict(os.environ))
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    modes: dict[str, dict[str, Any]] = {
        "private": {"args": [*arguments, "--incognito"]},
        "no cookies": {"prefs": {"profile.default_content_setting_values.cookies": 2}},
    }

    def start(proxy: str, mode: str) -> Browser:
        options = {"binary": _CHROMIUM, "args": arguments, **modes.get(mode, {})}
        remote = HttpRemote(address, {"browserName": "chrome", "goog:chromeOptions": options, **_common(proxy)})
        return _closed_with(stack, remote)

    return start


def _webkit(stack: ExitStack, folder: Path) -> Launcher:
    environment = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "NO_AT_BRIDGE": "1"}
    environment["DISPLAY"] = stack.enter_context(_screen(folder))
    program = next(iter(sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))), Path("MiniBrowser"))
    modes = {"private": ["--private"], "no cookies": ["--cookies-policy=never"]}

    def start(proxy: str, mode: str) -> Browser:
        # As a capability, the driver would speak TLS to the proxy itself.
        through = [f"--proxy=http://{proxy}", "--ignore-host=127.0.0.1"]
        options = {"binary": str(program), "args": ["--automation", *through, *modes.get(mode, [])]}
        address = _driver(stack, folder, [_WEBKIT_DRIVER], environment)  # a driver has one browser at a time
        remote = HttpRemote(address, {"webkitgtk:browserOptions": options, "acceptInsecureCerts": True})
        return _closed_with(stack, remote)

    return start


def _firefox(stack: ExitStack, folder: Path) -> Launcher:
    numbers = iter(range(1, 1000))
    modes: dict[str, dict[str, Any]] = {
        "private": {"browser.privatebrowsing.autostart": True},
        "no cookies": {"network.cookie.cookieBehavior": 2},
    }

    def start(proxy: str, mode: str) -> Browser:
        profile = folder / f"profile{next(numbers)}"
        profile.mkdir()
        wanted = {**_FIREFOX_PREFERENCES, **modes.get(mode, {})}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
        (profile / "user.js").write_text("".join(lines), "utf-8")
        command = [_FIREFOX, "-headless", "-marionette", "-no-remote", "-profile", str(profile)]
        _process(stack, folder, command, {**os.environ, "HOME": str(folder)})
        written = profile / "MarionetteActivePort"
        until(lambda: written.exists() and written.read_text("utf-8"), "Firefox listens", _START_S)
        return _closed_with(stack, MarionetteRemote(int(written.read_text("utf-8")), _common(proxy)))

    return start


_FIREFOX_PREFERENCES: dict[str, Any] = {
    "marionette.port": 0,  # any free one
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.manage-offline-status": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.server": "data:,",
}

_ENGINES: dict[str, Callable[[ExitStack, Path], Launcher]] = {
    "chromium": _chromium,
    "firefox": _firefox,
    "webkit": _webkit,
}
#: Names of the engines.
ENGINES = tuple(_ENGINES)


def _common(proxy: str) -> dict[str, Any]:
    """Return the capabilities that all engines take."""
    through = {"proxyType": "manual", "httpProxy": proxy, "sslProxy": proxy, "noProxy": ["127.0.0.1"]}
    return {"acceptInsecureCerts": True, "proxy": through}


def _closed_with(stack: ExitStack, remote: HttpRemote | MarionetteRemote) -> Browser:
    browser = Browser(remote)
    stack.callback(browser.close)
    return browser


def _driver(stack: ExitStack, folder: Path, command: list[str], environment: dict[str, str]) -> str:
    """Start a driver; return its address."""
    port = free_port()
    _process(stack, folder, [*command, f"--port={port}"], environment)
    address = f"http://127.0.0.1:{port}"
    until(lambda: _answers(address), f"{command[0]} answers", _START_S)
    return address


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/status", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _process(stack: ExitStack, folder: Path, command: list[str], environment: dict[str, str]) -> None:
    """Start a program; end it, with the processes that it has started, when the stack is left."""
    log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("ab"))
    try:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    except FileNotFoundError:
        raise RuntimeError(f"{command[0]} is missing and the tests of engines need it: make engines") from None
    stack.callback(_end_group, process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    stop(process)


@contextlib.contextmanager
def _screen(folder: Path) -> Iterator[str]:
    """Yield the name of a virtual display: WebKitGTK has no headless mode."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    with (folder / "xvfb.log").open("wb") as log, os.fdopen(read) as number:
        process = subprocess.Popen(command, pass_fds=[write], stdout=log, stderr=log)
        os.close(write)
        try:
            yield f":{number.readline().strip()}"
        finally:
            stop(process)
