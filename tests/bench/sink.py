"""A stand-in for every service that is measured: reads requests, counts events, answers at once. A process of its own.

It understands just enough HTTP/1.1 for the clients measured here: bodies with a length, or in chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time

__all__ = ["MARK", "serve"]

#: Every event that is measured holds this once.
MARK = b"mk-"

_TIKTOK = b'{"code":0,"message":"OK","request_id":"1","data":{},"status":1,"success":true}'
_MAX_LIFE_S = 900


class _Counts:
    """What has come since the last reset."""

    def __init__(self) -> None:
        self.events = 0
        self.requests = 0
        self.last = 0.0


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, counts: _Counts) -> None:
        self._counts = counts
        self._head = b""
        self._parts: list[bytes] = []
        self._missing = -1  # bytes of the body; -1 while a head is read
        self._is_chunked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            data = b"".join(self._parts) + data
            self._head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._parts = [self._head]
                return
            self._parts = []
            fields = dict(line.lower().split(b": ", 1) for line in self._head.split(b"\r\n")[1:])
            self._is_chunked = b"transfer-encoding" in fields
            self._missing = int(fields.get(b"content-length", b"0"))
        self._parts.append(data)
        self._missing -= len(data)
        is_whole = data.endswith(b"0\r\n\r\n") if self._is_chunked else self._missing <= 0
        if is_whole:
            body = b"".join(self._parts)
            self._parts, self._missing = [], -1
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        if self._head.startswith(b"GET /counts"):
            answer = json.dumps(vars(self._counts)).encode()
        elif self._head.startswith(b"GET /reset"):
            self._counts.__init__()  # type: ignore[misc]  # begins anew
            answer = b"{}"
        else:
            if b"content-encoding: gzip" in self._head.lower():
                body = gzip.decompress(body)
            self._counts.events += body.count(MARK)
            self._counts.requests += 1
            self._counts.last = time.time()
            answer = _TIKTOK
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
        )


def serve() -> None:
    """Print the port, then serve until standard input ends, or a quarter of an hour."""
    asyncio.run(_serve())


async def _serve() -> None:
    import sys

    loop = asyncio.get_running_loop()
    counts = _Counts()
    server = await loop.create_server(lambda: _Connection(counts), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(ended.wait(), _MAX_LIFE_S)
    server.close()
