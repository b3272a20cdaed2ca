"""What the delivery tests share: records, a clock that stands still, a sink that is told what to say, a small server."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tiktok_middleware.core.events.event import OutboxEntry, Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.delivery.outbox.memory import MemoryOutbox
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox

PIXEL = "C0000000000000000001"
NOW = 1_760_000_000.0


def record(
    event_id: str,
    *,
    pixel: str = PIXEL,
    source: str = "web",
    event: str = "Purchase",
    event_time: float = NOW,
    size: int = 0,
    paired: bool = False,
) -> Record:
    body = json.dumps({"event": event, "event_id": event_id, "pad": "x" * size}).encode()
    return Record(pixel, source, event, event_id, int(event_time), body, paired)


def submission(*records: Record, browser: bool = False, once: bool = False) -> OutboxEntry:
    return OutboxEntry(records[0].event_id, records, browser=browser, once=once)


def submissions(count: int, prefix: str = "evt", **options: float | str | bool) -> list[OutboxEntry]:
    return [submission(record(f"{prefix}-{i}", **options)) for i in range(count)]  # type: ignore[arg-type]


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


WALL = Clock()
"""The clock of the outboxes that these tests make; a test begins at `NOW`."""

_Any = TypeVar("_Any")


def at(outbox: _Any, now: float) -> _Any:
    """The outbox, at another time."""
    WALL.now = now
    return outbox


def sqlite_outbox(path: Path, **options: Any) -> SqliteOutbox:
    """An outbox file on the tests' clock."""
    return SqliteOutbox(path, **{"clock": WALL, "monotonic": WALL, **options})


def memory_outbox(*args: Any, **options: Any) -> MemoryOutbox:
    """An outbox in memory on the tests' clock."""
    return MemoryOutbox(*args, **{"clock": WALL, "monotonic": WALL, **options})


def postgres_outbox(url: str, **options: Any) -> PostgresOutbox:
    """An outbox in PostgreSQL on the tests' clock."""
    from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox

    return PostgresOutbox(url, **{"clock": WALL, "monotonic": WALL, **options})


class ToldSink:
    """Says what ``answer`` says, and remembers the ids of every batch."""

    def __init__(self, answer: Callable[[Sequence[Record]], Sequence[Verdict]] | None = None) -> None:
        self.answer = answer or (lambda batch: [Delivered()] * len(batch))
        self.batches: list[list[str]] = []
        self.is_closed = False

    @property
    def sent(self) -> list[str]:
        return [event_id for batch in self.batches for event_id in batch]

    def send(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        self.batches.append([r.event_id for r in batch])
        return self.answer(batch)

    def close(self) -> None:
        self.is_closed = True


class Request:
    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body

    @property
    def ids(self) -> list[str]:
        return [item["event_id"] for item in json.loads(self.body)["data"]]


class Api:
    """TikTok as far as these tests need it: ``answer`` writes the raw answer, ``requests`` holds what came."""

    OK = b'{"code":0,"message":"OK","request_id":"r1","data":{}}'

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200
        self.body = self.OK
        self.headers: dict[str, str] = {}
        self.drip_s = 0.0
        self.url = ""

    @property
    def ids(self) -> list[str]:
        return [event_id for request in self.requests for event_id in request.ids]


@contextmanager
def running_api() -> Iterator[Api]:
    api = Api()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # otherwise an answer of two writes waits 40 ms for the delayed ACK

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            api.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            try:
                self.answer()
            except OSError:
                self.close_connection = True

        def answer(self) -> None:
            if api.drip_s:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                for i in range(1000):
                    self.wfile.write(b"X-Drip: %d\r\n" % i)
                    time.sleep(api.drip_s)
            self.send_response(api.status)
            for name, value in {"Content-Length": str(len(api.body)), **api.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(api.body)

        def log_message(self, *args: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}/open_api/v1.3"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


class StartedThreads:
    """Threads that have started since this was made: those of an earlier test may end at any time."""

    def __init__(self) -> None:
        self._before = set(threading.enumerate())

    @property
    def alive(self) -> set[threading.Thread]:
        return set(threading.enumerate()) - self._before

    @property
    def ours(self) -> list[str]:
        """Names of the package's threads among them."""
        return [thread.name for thread in self.alive if thread.name.startswith("tiktok-")]


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True
