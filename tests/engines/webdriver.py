"""Commands for a browser, by WebDriver (https://www.w3.org/TR/webdriver2/), in any engine."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

import httpx

__all__ = ["Browser", "HttpRemote", "MarionetteRemote", "Remote", "WebDriverError", "until"]

_WAIT_S = 60.0
_COMMAND_S = 60.0
#: Command: path below the session's for WebDriver over HTTP, and name in Firefox's own protocol.
_COMMANDS = {
    "open": ("/url", "WebDriver:Navigate"),
    "back": ("/back", "WebDriver:Back"),
    "reload": ("/refresh", "WebDriver:Refresh"),
    "run": ("/execute/sync", "WebDriver:ExecuteScript"),
}


class WebDriverError(AssertionError):
    """The browser could not do what a command asks for."""


class Remote(Protocol):
    """A connection to one browser.

    Attributes:
        version: name and version of the browser.
    """

    version: str

    def ask(self, command: str, **parameters: Any) -> Any:
        """Run a command of ``_COMMANDS``; return its result."""

    def close(self) -> None:
        """End the browser."""


class HttpRemote:
    """A browser behind a driver that speaks WebDriver over HTTP, such as chromedriver.

    Args:
        driver: address of the driver.
        capabilities: what the browser is to be started with.
    """

    def __init__(self, driver: str, capabilities: dict[str, Any]) -> None:
        self._http = httpx.Client(base_url=driver, timeout=_COMMAND_S)
        self._path = ""
        answer = self._send("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._path = f"/session/{answer['sessionId']}"
        self.version = _version(answer["capabilities"])

    def ask(self, command: str, **parameters: Any) -> Any:
        return self._send("POST", _COMMANDS[command][0], parameters)

    def _send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        response = self._http.request(method, self._path + path, json=body if method == "POST" else None)
        value = response.json()["value"]
        if response.is_error:
            raise WebDriverError(f"{path}: {value.get('error')}: {value.get('message')}")
        return value

    def close(self) -> None:
        if not self._http.is_closed:
            with contextlib.suppress(httpx.HTTPError, WebDriverError):
                self._send("DELETE", "", {})
            self._http.close()


class MarionetteRemote:
    """Firefox, which takes the commands of WebDriver over a socket of its own (a length, and a JSON array).

    Args:
        port: where Firefox listens.
        capabilities: what the session is to be started with.
    """

    def __init__(self, port: int, capabilities: dict[str, Any]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_COMMAND_S)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._read()  # what Firefox says of itself
        answer = self._send("WebDriver:NewSession", capabilities)
        self.version = _version(answer["capabilities"])

    def ask(self, command: str, **parameters: Any) -> Any:
        answer = self._send(_COMMANDS[command][1], parameters)
        return answer["value"] if isinstance(answer, dict) and "value" in answer else answer

    def _send(self, name: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        message = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        if error is not None:
            raise WebDriverError(f"{name}: {error['error']}: {error['message']}")
        return result

    def _read(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            byte = self._stream.read(1)
            if not byte:
                raise WebDriverError("Firefox has closed the connection")
            length += byte
        return json.loads(self._stream.read(int(length[:-1])))

    def close(self) -> None:
        with contextlib.suppress(OSError, WebDriverError):
            self._send("Marionette:Quit", {"flags": ["eForceQuit"]})
        self._stream.close()
        self._socket.close()


def _version(capabilities: dict[str, Any]) -> str:
    return f"{capabilities['browserName']} {capabilities['browserVersion']}"


class Browser:
    """What a visitor does in one window.

    Args:
        remote: the connection.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.version = remote.version

    def open(self, url: str) -> None:
        """Load a page and wait until it is done."""
        self._remote.ask("open", url=url)

    def back(self) -> None:
        """Press the back button."""
        self._remote.ask("back")

    def reload(self) -> None:
        """Load the page again."""
        self._remote.ask("reload")

    def run(self, script: str, *values: Any) -> Any:
        """Run the body of a function in the page; return its value."""
        return self._remote.ask("run", script=script, args=list(values))

    def wait_for(self, script: str, *values: Any, timeout_s: float = _WAIT_S) -> Any:
        """Run the body of a function again until its value is true; a page that is being left counts as false.

        Raises:
            AssertionError: it was not true in time.
        """
        return until(lambda: self.run(script, *values), script, timeout_s)

    def leave(self, script: str, *values: Any) -> None:
        """Run the body of a function that leaves the page, once the answer to this command is on its way."""
        self.run(
            f"setTimeout((...args) => {{ (function () {{ {script} }}).apply(null, args); }}, 0, ...arguments)", *values
        )

    def click(self, selector: str) -> None:
        """Click the first element that matches a CSS selector, which may leave the page."""
        self.leave("document.querySelector(arguments[0]).click()", selector)

    def close(self) -> None:
        """End the browser."""
        self._remote.close()


def until(call: Callable[[], Any], what: str, timeout_s: float = _WAIT_S) -> Any:
    """Call again until the value is true.

    Raises:
        AssertionError: it was not true in time.
    """
    deadline, last = time.monotonic() + timeout_s, None
    while time.monotonic() < deadline:
        try:
            if value := call():
                return value
        except WebDriverError as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"not true within {timeout_s:.0f} s: {what} ({last})")
