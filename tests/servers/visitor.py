"""The client side: one connection pool, answers as bytes, and gates that are opened when bytes have come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.servers.contents import gate
from tests.soak.harness.headers import Pair, header_faults
from tests.soak.harness.judge import SNIPPET

__all__ = ["NAVIGATION", "SCRIPT", "Answer", "Visitor", "differences"]

NAVIGATION = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
SCRIPT = {"accept": "application/json", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
_TIMEOUT_S = 20.0


class Answer(NamedTuple):
    """What came.

    Attributes:
        headers: names in lower case, in order, without the date.
        pieces: the body as it came.
        connection: the client's port, which names the connection.
    """

    version: str
    status: int
    headers: list[Pair]
    pieces: list[bytes]
    connection: int

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def scripts(self) -> int:
        return len(SNIPPET.findall(self.body))

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Visitor:
    """A client of one connection at a time, with a clean cookie jar for each request.

    Args:
        url: of the server.
        http2: whether it speaks HTTP/2 only.
        keeps: whether it asks for its connections to be kept, as clients do.
        folder: where gates are opened.
    """

    def __init__(self, url: str, *, http2: bool, keeps: bool, folder: Path) -> None:
        self._url = url
        self._has_http2 = http2
        self._headers = {} if keeps else {"connection": "close"}
        self.http = self._pool()
        self._folder = folder

    def ask(
        self, path: str, headers: dict[str, str] = NAVIGATION, *, method: str = "GET", content: bytes | None = None
    ) -> Answer:
        """One whole answer; h11 and h2 check its framing, and refuse a body of another length than was promised."""
        self.http.cookies.clear()
        with self.http.stream(method, path, headers=headers, content=content) as response:
            connection = _port(response)
            return _answer(response, list(response.iter_raw()), connection)

    def read_gated(self, path: str, token: str, parts: Sequence[bytes]) -> tuple[Answer, list[float]]:
        """A stream whose next part is only made when the one before it has come; with the parts' times of arrival."""
        body = b""
        pieces: list[bytes] = []
        times: list[float] = []
        self.http.cookies.clear()
        with self.http.stream("GET", f"{path}?token={token}", headers=NAVIGATION) as response:
            connection = _port(response)
            for piece in response.iter_raw():
                pieces.append(piece)
                body = SNIPPET.sub(b"", body + piece)
                while len(times) < len(parts) and body.startswith(b"".join(parts[: len(times) + 1])):
                    gate(self._folder, token, len(times)).touch()
                    times.append(time.monotonic())
            return _answer(response, pieces, connection), times

    def leave_early(self, path: str) -> bytes:
        """The first bytes of a stream, whose connection is then closed."""
        with self._pool() as http, http.stream("GET", path, headers=NAVIGATION) as response:
            first = next(response.iter_raw())
            http.close()
        return first

    def _pool(self) -> httpx.Client:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        http1 = not self._has_http2
        return httpx.Client(
            base_url=self._url,
            headers=self._headers,
            http1=http1,
            http2=not http1,
            timeout=_TIMEOUT_S,
            limits=limits,
            trust_env=False,
            verify=False,  # no TLS
        )


def _port(response: httpx.Response) -> int:
    """The client's end of the connection, which is only known while it lasts."""
    return int(response.extensions["network_stream"].get_extra_info("client_addr")[1])


def _answer(response: httpx.Response, pieces: list[bytes], connection: int) -> Answer:
    headers = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in response.headers.raw
        if name.lower() != b"date"
    ]
    return Answer(response.http_version, response.status_code, headers, pieces, connection)


def differences(bare: Answer, ours: Answer) -> list[str]:
    """What differs beyond our script and the documented headers."""
    found = header_faults(bare.headers, ours.headers, len(ours.body) - len(bare.body))
    if (ours.version, ours.status) != (bare.version, bare.status):
        found.append(f"{bare.version} {bare.status} became {ours.version} {ours.status}")
    if SNIPPET.sub(b"", ours.body) != bare.body:
        found.append(f"body {bare.body[:200]!r} became {ours.body[:200]!r}")
    return found
