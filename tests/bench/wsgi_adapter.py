"""The WSGI side: an app of three lines, so that small costs show, what is wrapped around it, and a server that counts."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.bench import others, pages
from tests.bench.ours import track_in

__all__ = ["WRAPPERS", "WsgiDoor", "bare"]

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[str, str]]
OnBytes = Callable[[bytes], None]


def bare() -> App:
    """The app that everything is measured on."""
    sized = {
        path: ([("Content-Type", kind), ("Content-Length", str(len(body)))], body)
        for path, (kind, body) in pages.BODIES.items()
    }
    streams: dict[str, Callable[[], Iterator[bytes]]] = {
        path: partial(iter, pieces) for path, pieces in pages.STREAMS.items()
    }
    streams["/early"] = lambda: _slow(pages.halves(head_in_second=False))
    streams["/later"] = lambda: _slow(pages.halves(head_in_second=True))
    streams["/big"] = lambda: pages.big_stream(50)

    varied = pages.varying()

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/varying":
            page = next(varied)
            start_response("200 OK", [("Content-Type", pages.HTML), ("Content-Length", str(len(page)))])
            return [page]
        if path == "/tracked":
            track_in(environ)
        if path in sized:
            headers, body = sized[path]
            start_response("200 OK", list(headers))
            return [body]
        start_response("200 OK", [("Content-Type", pages.HTML)])
        return streams[path]()

    return app


def _slow(halves: tuple[bytes, bytes]) -> Iterator[bytes]:
    yield halves[0]
    time.sleep(pages.PAUSE_S)
    yield halves[1]


def noop(app: App) -> App:
    """A wrapper that takes part in the start of the response and does nothing there."""

    def wrapped(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        def passing(status: str, headers: Headers, exc_info: Any = None) -> Any:
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return app(environ, passing)

    return wrapped


def splice(app: App) -> App:
    """The least that a correct injector with one cookie can do for the pages measured here."""

    def wrapped(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        held: list[tuple[str, Headers]] = []

        def holding(status: str, headers: Headers, exc_info: Any = None) -> Any:
            for name, value in headers:
                if name.lower() == "content-type" and value.startswith("text/html"):
                    break
            else:
                return start_response(status, headers)
            if "_ttp=" not in environ.get("HTTP_COOKIE", ""):
                headers = [*headers, ("Set-Cookie", others.COOKIE.decode())]
            held.append((status, headers))
            return None

        iterable = app(environ, holding)
        return _spliced(iterable, held[0], start_response) if held else iterable

    return wrapped


def _spliced(
    iterable: Iterable[bytes], head: tuple[str, Headers], start_response: Callable[..., Any]
) -> Iterator[bytes]:
    status, headers = head
    is_started = is_done = False
    for piece in iterable:
        at = -1 if is_done else piece.find(b"</head>")
        if not is_started:
            is_started = True
            grown = len(others.SNIPPET) if at >= 0 else None
            start_response(status, [pair for pair in (_sized(pair, grown) for pair in headers) if pair is not None])
        if at < 0:
            yield piece
        else:
            is_done = True
            whole = memoryview(piece)
            yield b"".join((whole[:at], others.SNIPPET, whole[at:]))


def _sized(pair: tuple[str, str], grown: int | None) -> tuple[str, str] | None:
    if pair[0].lower() != "content-length":
        return pair
    return None if grown is None else (pair[0], str(int(pair[1]) + grown))


def new_relic(app: App) -> App:
    """New Relic's own insertion into pages, without the rest of its agent."""
    insert = others.new_relic_wsgi()
    transaction = others.Transaction()
    return lambda environ, start_response: insert(app, environ, start_response, transaction)


def sentry(app: App) -> App:
    """Sentry's error reporting, sending nothing."""
    others.start_sentry()
    wrapped: App = others.sentry_middleware("wsgi")(app)
    return wrapped


WRAPPERS: dict[str, Callable[[App], App]] = {"noop": noop, "splice": splice, "newrelic": new_relic, "sentry": sentry}


class WsgiDoor:
    """Sends scenes through an app, as a server would.

    Args:
        app: the app, wrapped or bare.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._thread = ThreadPoolExecutor(1)
        self._environs = {name: _environ(scene) for name, scene in pages.SCENES.items()}

    def many(self, scene: str, count: int) -> None:
        """That many requests, one after the other."""
        for _ in range(count):
            self._one(scene, _start_response, None)

    def once(self, scene: str, on_bytes: OnBytes) -> tuple[int, dict[str, str]]:
        """Status and headers of one response, its body handed over as it comes."""
        heads: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            heads.append((status, headers))
            return on_bytes

        self._one(scene, start_response, on_bytes)
        status, headers = heads[0]
        return int(status[:3]), {name.lower(): value for name, value in headers}

    def timed(self, scene: str) -> float:
        """How long one request took, in seconds."""
        begin = time.perf_counter()
        self._one(scene, _start_response, None)
        return time.perf_counter() - begin

    def timed_elsewhere(self, scene: str) -> float:
        """The same, where another thread has to be woken meanwhile and does nothing."""
        begin = time.perf_counter()
        self._one(scene, _start_response, None)
        self._thread.submit(int).result()
        return time.perf_counter() - begin

    def wait(self, seconds: float) -> None:
        """Idle."""
        time.sleep(seconds)

    def close(self) -> None:
        """Let the other thread go."""
        self._thread.shutdown()

    def _one(self, scene: str, start_response: Callable[..., Any], on_bytes: OnBytes | None) -> None:
        environ = dict(self._environs[scene])
        environ["wsgi.input"] = io.BytesIO()
        environ["wsgi.errors"] = sys.stderr
        iterable = self._app(environ, start_response)
        for piece in iterable:
            len(piece)
            if on_bytes is not None:
                on_bytes(piece)
        close = getattr(iterable, "close", None)
        if close is not None:
            close()


def _start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
    return len


def _environ(scene: pages.Scene) -> Environ:
    """As gunicorn makes it behind a proxy that ends TLS."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": scene.path,
        "QUERY_STRING": scene.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.7",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in scene.headers.items()},
    }
