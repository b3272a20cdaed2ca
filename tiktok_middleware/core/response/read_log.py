"""Log the values that a decision reads from the request, the clock and the random source."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import Names, RequestView, Values
from tiktok_middleware.core.runtime import Runtime

__all__ = ["LoggedFacts", "ReadLog", "logged_setup"]

_T = TypeVar("_T")


class ReadLog(set[str]):
    """Names of values: ``method``, ``path``, ``header accept``, ``cookie text _tt_carry``, ``clock`` and so on."""

    __slots__ = ()


class LoggedFacts(RequestView):
    """A request view that logs the name of each value that is read.

    All that :class:`RequestView` derives (host, scheme, client, URL) is derived here from logged values.

    Args:
        request: the request.
        proxies: trusted proxies of the configuration.
        log: takes the names of the values.
    """

    __slots__ = ("_log", "_request")

    def __init__(self, request: RequestView, proxies: Proxies, log: ReadLog) -> None:
        self._request = request
        self._log = log
        self._proxies = proxies
        self._cookies = self._kept = None

    def _read(self, name: str, value: _T) -> _T:
        self._log.add(name)
        return value

    @property
    def raw(self) -> Mapping[str, object]:  # type: ignore[override]  # nothing writes to it here
        return self._read("raw", self._request.raw)

    @property
    def mount(self) -> str:  # type: ignore[override]
        return self._read("mount", self._request.mount)

    @property
    def path(self) -> str:  # type: ignore[override]
        return self._read("path", self._request.path)

    @property
    def query(self) -> str:  # type: ignore[override]
        return self._read("query", self._request.query)

    @property
    def cookie_header(self) -> str:  # type: ignore[override]
        return self._read("cookie_header", self._request.cookie_header)

    @property
    def if_none_match(self) -> str:  # type: ignore[override]
        return self._read("if_none_match", self._request.if_none_match)

    @property
    def method(self) -> str:
        return self._read("method", self._request.method)

    @property
    def peer(self) -> str:
        return self._read("peer", self._request.peer)

    def header(self, name: str) -> str:
        return self._read(f"header {name}", self._request.header(name))

    def values(self, names: Names) -> Values:
        self._log.update(f"header {name}" for name in names.texts)
        return self._request.values(names)

    def cookies_hold(self, text: str) -> bool:
        return self._read(f"cookie text {text}", self._request.cookies_hold(text))

    def _own_scheme(self) -> str:
        return self._read("scheme", self._request._own_scheme())  # noqa: SLF001  # of the same class

    def _own_host(self) -> str:
        return self._read("server", self._request._own_host())  # noqa: SLF001  # as above


def logged_setup(runtime: Runtime, log: ReadLog) -> Runtime:
    """Return the same configuration with a clock and a random source that log their use.

    Args:
        runtime: the configuration.
        log: takes ``clock`` and ``random_bytes``.
    """
    made = copy.copy(runtime)
    made.clock = partial(_noted, log, "clock", runtime.clock)
    made.random_bytes = partial(_noted, log, "random_bytes", runtime.random_bytes)
    return made


def _noted(log: ReadLog, name: str, call: Callable[..., _T], *args: Any) -> _T:
    log.add(name)
    return call(*args)
