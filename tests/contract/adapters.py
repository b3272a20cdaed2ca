"""One abstract request and response, played through the real doors and bare, so that the answers can be compared."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NamedTuple
from wsgiref.validate import validator

from tiktok_middleware import Client, Config
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.core.events.event import Event, Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

NOW = 1_760_000_000.0
PAGE = b"<!doctype html><html><head><title>x</title></head><body>hello</body></html>"
HTML = ("Content-Type", "text/html; charset=utf-8")


class Sink:
    """Takes every server copy, and remembers none."""

    def send(self, batch: Sequence[Record]) -> list[Verdict]:
        return [Delivered()] * len(batch)

    def close(self) -> None:
        pass


def make_sink(_: object) -> Sink:
    return Sink()


class CountedBytes:
    """Random bytes that every run makes in the same order."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, count: int) -> bytes:
        self.calls += 1
        return self.calls.to_bytes(count, "big")


def make_client(**options: Any) -> Client:
    config = Config(
        pixel_id="C0000000000000000000",
        access_token="t",
        api_url="http://127.0.0.1:9/open_api/v1.3",
        outbox="memory://",
        sink="import:tests.contract.adapters:make_sink",
        **options,
    )
    return Client(config, clock=lambda: NOW, random_bytes=CountedBytes())


@dataclass(frozen=True)
class Request:
    method: str = "GET"
    path: str = "/shop"  # its bytes in the guise of latin-1, as PEP 3333 has it
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """What the app answers, and what it tracks before its head, and before the second piece of its body."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (HTML,)
    pieces: tuple[bytes, ...] = (PAGE,)
    events: tuple[tuple[str, dict[str, Any]], ...] = ()
    late_events: tuple[tuple[str, dict[str, Any]], ...] = ()
    has_length: bool = False
    is_streamed: bool = False  # whether the end of the body is known only after its last piece

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def head(self) -> list[tuple[str, str]]:
        length = [("Content-Length", str(len(self.body)))] if self.has_length else []
        return [*self.headers, *length]


class Seen(NamedTuple):
    """What a server got: headers sorted, names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


TRACKED: deque[Event] = deque(maxlen=10)
"""The events of the last views, as track() returned them."""


def track(raw: Mapping[str, Any], events: Iterable[tuple[str, dict[str, Any]]]) -> None:
    if KEY in raw:  # absent when the app runs bare
        for name, given in events:
            options = {key: given[key] for key in ("event_time", "once", "once_per", "keep", "browser") if key in given}
            properties = {key: value for key, value in given.items() if key not in options}
            TRACKED.append(raw[KEY].track(name, properties, **options))


# -- ASGI


def asgi_app(response: Response) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        track(scope, response.events)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.head()]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        pieces = (*response.pieces, b"") if response.is_streamed else response.pieces or (b"",)
        for index, piece in enumerate(pieces):
            if index == 1:
                track(scope, response.late_events)
            await send({"type": "http.response.body", "body": piece, "more_body": index < len(pieces) - 1})

    return app


def asgi_scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path.encode("latin-1").decode("utf-8", "replace"),
        "root_path": "",
        "query_string": request.query.encode("latin-1"),
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in {"host": "shop.example", **request.headers}.items()
        ],
        "client": ("203.0.113.9", 50000),
        "server": ("127.0.0.1", 8000),
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The coroutine's result; it may give others a turn and wait for nothing, as nothing does with a memory outbox."""
    waits_for = None
    while waits_for is None:
        try:
            waits_for = coroutine.send(None)
        except StopIteration as stop:
            return stop.value
    coroutine.close()
    raise AssertionError("the door waited")


def asgi_messages(app: Any, request: Request) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    run(app(asgi_scope(request), _receive, send))
    return sent


def seen_of_messages(sent: Sequence[Mapping[str, Any]]) -> Seen:
    start, *bodies = [message for message in sent if message["type"].startswith("http.response.")]
    assert start["type"] == "http.response.start"
    assert [message.get("more_body", False) for message in bodies] == [True] * (len(bodies) - 1) + [False]
    headers = sorted(
        (bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in start["headers"]
    )
    return Seen(start["status"], headers, b"".join(message.get("body", b"") for message in bodies))


def through_asgi(client: Client | None, request: Request, response: Response) -> Seen:
    """The answer through the ASGI door, or bare where there is no client."""
    app = asgi_app(response)
    return seen_of_messages(asgi_messages(AsgiMiddleware(app, client) if client else app, request))


# -- WSGI


def generator_app(response: Response) -> Any:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        track(environ, response.events)
        start_response(f"{response.status} Some", response.head())
        for index, piece in enumerate(response.pieces):
            if index == 1:
                track(environ, response.late_events)
            yield piece

    return app


def list_app(response: Response) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        track(environ, response.events)
        start_response(f"{response.status} Some", response.head())
        return list(response.pieces)

    return app


def write_app(response: Response) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        track(environ, response.events)
        write = start_response(f"{response.status} Some", response.head())
        for index, piece in enumerate(response.pieces):
            if index == 1:
                track(environ, response.late_events)
            write(piece)
        return []

    return app


def plain_app(response: Response) -> Any:
    """A generator or a list, whichever tells as much of the end as the ASGI app."""
    return generator_app(response) if response.is_streamed else list_app(response)


def environ_of(request: Request) -> dict[str, Any]:
    headers = {"host": "shop.example", **request.headers}
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()},
    }


class WsgiServer:
    """A server that sends the head with the first bytes, as PEP 3333 wants it."""

    def __init__(self) -> None:
        self.head: tuple[str, list[tuple[str, str]]] | None = None
        self.chunks: list[bytes] = []
        self.is_head_sent = False
        self.error: BaseException | None = None

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None:
            if self.is_head_sent:
                raise exc_info[1]
        elif self.head is not None:
            raise AssertionError("start_response was called twice")
        self.head = (status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        assert self.head is not None, "bytes before start_response"
        self.is_head_sent = self.is_head_sent or bool(data)
        self.chunks.append(data)

    def serve(self, app: Any, request: Request) -> Seen:
        iterable = app(environ_of(request), self.start_response)
        try:
            for chunk in iterable:
                self.write(chunk)
        finally:
            if hasattr(iterable, "close"):
                iterable.close()
        return self.seen

    @property
    def seen(self) -> Seen:
        assert self.head is not None
        status, headers = self.head
        assert all(type(name) is str is type(value) for name, value in headers)
        return Seen(int(status[:3]), sorted((name.lower(), value) for name, value in headers), b"".join(self.chunks))


def through_wsgi(
    client: Client | None, request: Request, response: Response, make_app: Any = plain_app, *, validated: bool = False
) -> Seen:
    """The answer through the WSGI door, or bare where there is no client; with ``wsgiref.validate`` on both its sides."""
    app = make_app(response)
    if validated:
        app = validator(app)
    if client:
        app = WsgiMiddleware(app, client)
    return WsgiServer().serve(validator(app) if validated else app, request)


# -- our own marks in a page


def without_ours(client: Client, body: bytes) -> tuple[bytes, int]:
    """The body without our scripts, and how many page snippets and late scripts were in it."""
    snippet = client.runtime.snippet
    base = b"(?:" + b"|".join(re.escape(code.encode()) for code in (snippet._base, snippet._stub)) + b")"
    attributes = rb'(?: nonce="[^"]*")?'
    ours = re.compile(
        rb"<script" + attributes + rb">(?:" + base + rb"[^<]*</script>|try\{tiktok\.emit\([^<]*</script>)"
    )
    return ours.subn(b"", body)
