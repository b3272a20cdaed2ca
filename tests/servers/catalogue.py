"""Every server of the matrix, by the command line that a customer would use; it starts none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["SERVERS", "Entry"]


@dataclass(frozen=True)
class Entry:
    """One server in one configuration.

    Attributes:
        name: what the test calls it.
        door: ``asgi`` or ``wsgi``.
        command: its command line for an application and a port.
        has_http2: whether it is spoken to in HTTP/2, without TLS and without an upgrade.
        is_fast: whether it belongs to every run.
        sends_paths: whether it sends files by their path, so that their bytes never pass the app.
        keeps_connections: False for who closes each without announcing it, so that a client's next request is lost.
    """

    name: str
    door: str
    command: Callable[[str, int], list[str]]
    has_http2: bool = False
    is_fast: bool = False
    sends_paths: bool = False
    keeps_connections: bool = True

    def __str__(self) -> str:
        return self.name


def _module(name: str, *options: str) -> list[str]:
    return [sys.executable, "-m", name, *options]


def _uvicorn(http: str, loop: str) -> Callable[[str, int], list[str]]:
    return lambda target, port: _module(
        "uvicorn", "--http", http, "--loop", loop, "--host", "127.0.0.1", "--port", str(port), target
    )


def _hypercorn(worker: str) -> Callable[[str, int], list[str]]:
    return lambda target, port: _module(
        "hypercorn", "--worker-class", worker, "--access-logfile", "-", "--bind", f"127.0.0.1:{port}", target
    )


def _granian(interface: str) -> Callable[[str, int], list[str]]:
    return lambda target, port: _module(
        "granian", "--interface", interface, "--access-log", "--host", "127.0.0.1", "--port", str(port), target
    )


def _gunicorn(worker: str, *options: str) -> Callable[[str, int], list[str]]:
    common = ["--worker-class", worker, "--access-logfile", "-", "--no-control-socket", "--graceful-timeout", "3"]
    return lambda target, port: _module("gunicorn", *common, *options, "--bind", f"127.0.0.1:{port}", target)


def _uwsgi(*options: str) -> Callable[[str, int], list[str]]:
    # Without --enable-threads no thread of an application runs, so that nothing would ever be delivered.
    return lambda target, port: [
        sys.executable.rpartition("/")[0] + "/uwsgi",
        *("--master", "--die-on-term", "--enable-threads", "--need-app", "--module", target, "--callable", "app"),
        *(option.format(port=port) for option in options),
    ]


def _daphne(target: str, port: int) -> list[str]:
    return _module("daphne", "--bind", "127.0.0.1", "--port", str(port), target)


def _waitress(target: str, port: int) -> list[str]:
    return _module("waitress", f"--listen=127.0.0.1:{port}", target)


def _cheroot(target: str, port: int) -> list[str]:
    return _module("cheroot", "--bind", f"127.0.0.1:{port}", target)


SERVERS = (
    Entry("uvicorn-h11", "asgi", _uvicorn("h11", "asyncio"), is_fast=True),
    Entry("uvicorn-httptools", "asgi", _uvicorn("httptools", "uvloop")),
    Entry("hypercorn-asyncio", "asgi", _hypercorn("asyncio")),
    Entry("hypercorn-asyncio-http2", "asgi", _hypercorn("asyncio"), has_http2=True, is_fast=True),
    Entry("hypercorn-trio", "asgi", _hypercorn("trio")),
    Entry("hypercorn-trio-http2", "asgi", _hypercorn("trio"), has_http2=True),
    Entry("granian-asgi", "asgi", _granian("asgi"), sends_paths=True),
    Entry("granian-asgi-http2", "asgi", _granian("asgi"), has_http2=True, sends_paths=True),
    Entry("daphne", "asgi", _daphne),
    Entry("gunicorn-asgi", "asgi", _gunicorn("asgi")),
    Entry("gunicorn-sync", "wsgi", _gunicorn("sync")),
    Entry("gunicorn-gthread", "wsgi", _gunicorn("gthread", "--threads", "4"), is_fast=True),
    Entry("gunicorn-gevent", "wsgi", _gunicorn("gevent")),
    Entry("granian-wsgi", "wsgi", _granian("wsgi")),
    Entry("waitress", "wsgi", _waitress),
    Entry("cheroot", "wsgi", _cheroot),
    Entry("uwsgi", "wsgi", _uwsgi("--http-socket", "127.0.0.1:{port}", "--threads", "2"), keeps_connections=False),
    Entry(
        "uwsgi-offload",
        "wsgi",
        _uwsgi("--http-socket", "127.0.0.1:{port}", "--offload-threads", "1", "--processes", "2"),
        keeps_connections=False,
    ),
    Entry("uwsgi-kept", "wsgi", _uwsgi("--http11-socket", "127.0.0.1:{port}")),
)
