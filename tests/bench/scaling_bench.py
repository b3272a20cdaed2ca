"""How the cost of a request grows with what it handles: one table for each quantity.

``outbox_bench`` has the growth of the outbox file.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.bench import pages
from tests.bench.crew import Crew
from tests.bench.ours import make_client, track_in
from tests.bench.report import Table
from tests.bench.rounds import percentile
from tiktok_middleware.wsgi import TikTokMiddleware

__all__ = ["ScalingBench"]

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
#: Size, request headers, response headers and body of one row.
Row = tuple[str, dict[str, str], Headers, bytes]

_ROUNDS, _BLOCK_S = 15, 0.004
_LARGE_BYTES = 1_000_000
_ANSWER, _EVENTS = "bench.answer", "bench.events"
_PACED_S, _EVENTS_PER_S = 4.0, 200


class ScalingBench:
    """All tables about growth.

    Args:
        crew: starts workers.
        folder: for outboxes, thrown away afterwards.
        api_url: of the sink.
    """

    def __init__(self, crew: Crew, folder: Path, api_url: str) -> None:
        self._crew = crew
        self._folder = folder
        self._api_url = api_url
        self._bare = _app
        self._ours = TikTokMiddleware(_app, make_client(f"sqlite:///{folder}/scaling.sqlite3", api_url))

    def tables(self) -> Iterator[Table]:
        """One after the other, as they are ready."""
        yield self._requests("body, bytes", _bodies())
        yield self._requests("head of the page, bytes", _heads())
        yield self._requests("cookies of the visitor (bytes)", _cookies())
        yield self._requests("headers of the response", _headers())
        yield self._events()
        yield self._processes()

    def _requests(self, quantity: str, rows: Iterable[Row]) -> Table:
        title = f"A page by {quantity}, WSGI: microseconds of the request's thread over the bare app"
        table = Table(title, (quantity, "the same page", "another token in each head"))
        for size, sent, headers, body in rows:
            environ = {**_environ(sent), _ANSWER: (headers, body)}
            path = f"/{quantity} {size}".replace(" ", "-")
            known = self._over_bare({**environ, "PATH_INFO": path})
            varying = self._over_bare({**environ, "PATH_INFO": f"{path}-varying"}, varies=True)
            table.add((size, f"{known:.1f}", f"{varying:.1f}"), size=size, known_us=known, varying_us=varying)
        return table

    def _over_bare(self, environ: Environ, *, varies: bool = False) -> float:
        """Return the difference between the least blocks of requests, in microseconds a request."""
        headers, body = environ[_ANSWER]
        bodies = [body.replace(b"<head>", b"<head><!-- %d -->" % n, 1) if varies else body for n in range(100, 140)]
        if len(body) > _LARGE_BYTES:
            bodies = bodies[:4]

        def block(app: Any, count: int) -> float:
            asked = [{**environ, _ANSWER: (headers, bodies[number % len(bodies)])} for number in range(count)]
            begin = time.thread_time()
            for one in asked:
                _serve(app, one)
            return (time.thread_time() - begin) / count * 1e6

        for app in (self._bare, self._ours):
            block(app, 60)
        count = max(3, min(400, int(_BLOCK_S * 1e6 / block(self._ours, 10))))
        bare, ours = zip(*[(block(self._bare, count), block(self._ours, count)) for _ in range(_ROUNDS)], strict=True)
        return float(min(ours) - min(bare))

    def _events(self) -> Table:
        table = Table(
            "A page by tracked events, WSGI, with a commit to disk before it leaves",
            ("events", "request's thread over bare, us", "until the page is out, us"),
        )
        for count in (0, 1, 2, 5, 10, 20):
            environ = {**_environ({}), _ANSWER: ([("Content-Type", pages.HTML)], pages.BODIES["/page"][1])}
            environ[_EVENTS] = count
            for _ in range(30):
                _serve(self._ours, dict(environ))
            threads, walls = [], []
            for _ in range(_ROUNDS * 10):
                begin, thread_begin = time.perf_counter(), time.thread_time()
                _serve(self._ours, dict(environ))
                threads.append((time.thread_time() - thread_begin) * 1e6)
                walls.append((time.perf_counter() - begin) * 1e6)
            figures = statistics.median(threads), statistics.median(walls)
            table.add((f"{count}", *(f"{one:.0f}" for one in figures)), events=count, us=figures)
        return table

    def _processes(self) -> Table:
        table = Table(
            f"Processes with one outbox, {_EVENTS_PER_S} tracked requests/s in all, WSGI: time of a request, ms",
            ("processes", "p50", "p99", "largest"),
        )
        for count in (1, 2, 4, 8, 16):
            outbox = f"sqlite:///{self._folder}/shared-{count}.sqlite3"
            workers = [self._crew.start("requests", "wsgi", "ours", outbox, self._api_url, "") for _ in range(count)]
            for worker in workers:
                worker.ask(do="check", scene="page")
            for worker in workers:
                worker.tell(do="pace", per_s=_EVENTS_PER_S / count, for_s=_PACED_S)
            times = [time for worker in workers for time in worker.hear()["ours"]]
            for worker in workers:
                worker.end()
            figures = statistics.median(times), percentile(times, 99), max(times)
            table.add((f"{count}", *(f"{one:.1f}" for one in figures)), processes=count, ms=figures)
        return table


def _app(environ: Environ, start_response: Any) -> list[bytes]:
    headers, body = environ[_ANSWER]
    for _ in range(environ.get(_EVENTS, 0)):
        track_in(environ)
    start_response("200 OK", list(headers))
    return [body]


def _serve(app: Any, environ: Environ) -> None:
    iterable = app(environ, lambda status, headers, exc_info=None: len)
    for piece in iterable:
        len(piece)
    close = getattr(iterable, "close", None)
    if close is not None:
        close()


def _environ(sent: dict[str, str]) -> Environ:
    headers = {**pages.SCENES["page"].headers, **sent}
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/page",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "REMOTE_ADDR": "203.0.113.7",
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }


def _sized(body: bytes, *more: tuple[str, str]) -> Headers:
    return [("Content-Type", pages.HTML), ("Content-Length", str(len(body))), *more]


def _bodies() -> Iterator[Row]:
    page = pages.BODIES["/page"][1]
    for size in (4_096, 20_480, 204_800, 2_097_152, 20_971_520):
        body = page[:size] if size < len(page) else page + b"<p>x</p>" * ((size - len(page)) // 8)
        yield f"{size:,}", {}, _plain(body), body


def _plain(body: bytes) -> Headers:
    """The headers without a length, so that bodies of one row may differ."""
    return _sized(body)[:1]


def _heads() -> Iterator[Row]:
    page = pages.BODIES["/page"][1]
    for size in (0, 15_000, 76_000, 250_000, 900_000):
        style = b"<style>" + b"a > b { content: 'x' } " * (size // 23) + b"</style>" if size else b""
        body = page.replace(b"</head>", style + b"</head>", 1)
        yield f"{body.index(b'</head>'):,}", {}, _plain(body), body


def _cookies() -> Iterator[Row]:
    page = pages.BODIES["/page"][1]
    for count in (0, 5, 20, 50, 100):
        cookies = "; ".join(f"cookie{number}=0123456789abcdef01234" for number in range(count))
        yield f"{count} ({len(cookies)})", {"cookie": cookies}, _plain(page), page


def _headers() -> Iterator[Row]:
    page = pages.BODIES["/page"][1]
    for count in (2, 10, 30, 100):
        more = [(f"X-Header-{number}", "value") for number in range(count - 1)]
        yield f"{count}", {}, [*_plain(page), *more], page
