"""The matrix's app for WSGI servers, without the middleware."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any
from urllib.parse import parse_qs
from wsgiref.util import FileWrapper

from tests.servers.contents import (
    CHUNKS,
    ENDLESS_ROUNDS,
    ETAG,
    EVENTS,
    WORDS,
    body_of,
    closed,
    file_of,
    head_of,
    is_open,
    own_folder,
)
from tiktok_middleware.core.tracking.current import KEY

__all__ = ["app"]

_PHRASES = {200: "OK", 303: "See Other", 404: "Not Found", 500: "Internal Server Error"}


def app(environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:
    path, token = environ["PATH_INFO"], parse_qs(environ["QUERY_STRING"]).get("token", [""])[0]
    if token and path in EVENTS and KEY in environ:
        environ[KEY].track(EVENTS[path], value=1, currency="EUR", order_id=token)
    if path == "/upload":
        digest = _digest(environ)
        _start(start_response, path, len(digest))
        return [digest]
    if path in {"/file", "/file.html"}:
        return _file(environ, start_response, path)
    if path in {"/stream", "/sse", "/endless"}:
        _start(start_response, path, 0)
        return _Pieces(path, token)
    if path == "/fresh" and environ.get("HTTP_IF_NONE_MATCH") == ETAG:
        start_response("304 Not Modified", [("ETag", ETAG)])
        return []
    body = body_of(path)
    _start(start_response, path, len(body))
    if environ["REQUEST_METHOD"] == "HEAD" or not body:
        return []
    return [body]


def _start(start_response: Any, path: str, length: int) -> None:
    status, headers = head_of(path, length)
    start_response(f"{status} {_PHRASES[status]}", headers)


def _digest(environ: MutableMapping[str, Any]) -> bytes:
    seen, missing = hashlib.sha256(), int(environ["CONTENT_LENGTH"])
    while missing > 0 and (data := environ["wsgi.input"].read(min(missing, 65536))):
        seen.update(data)
        missing -= len(data)
    return seen.hexdigest().encode()


def _file(environ: MutableMapping[str, Any], start_response: Any, path: str) -> Iterable[bytes]:
    file = file_of(path)
    _start(start_response, path, file.stat().st_size)
    wrapper = environ.get("wsgi.file_wrapper", FileWrapper)
    return wrapper(file.open("rb"), 65536)  # type: ignore[no-any-return]


class _Pieces:
    """Each piece after the first only when the client has seen the one before it."""

    def __init__(self, path: str, token: str) -> None:
        self._token = token
        self._iterator = self._endless() if path == "/endless" else self._gated(CHUNKS if path == "/stream" else WORDS)

    def __iter__(self) -> Iterator[bytes]:
        return self._iterator

    def close(self) -> None:
        closed(own_folder(), self._token).touch()

    def _endless(self) -> Iterator[bytes]:
        for _ in range(ENDLESS_ROUNDS):
            yield CHUNKS[0] + CHUNKS[1]
            time.sleep(0.01)

    def _gated(self, pieces: tuple[bytes, ...]) -> Iterator[bytes]:
        for step, piece in enumerate(pieces):
            yield piece
            since_s = time.monotonic()
            while (seen := is_open(self._token, step, since_s)) is None:
                time.sleep(0.005)
            if not seen:
                yield b"data: NOT SEEN\n\n"
