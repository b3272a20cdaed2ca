"""A stand-in for every service that is measured: reads requests, counts events, answers. A process of its own.

`GET /reset` begins anew; with ``?distinct`` each event counts once, however often it comes, and answers take 50 ms.
It understands just enough HTTP/1.1 for the clients measured here: bodies with a length, or in chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import time

__all__ = ["MARK", "serve"]

#: Every event that is measured holds this once.
MARK = b"mk-"
_MARKED = re.compile(re.escape(MARK) + rb"\d+")

_TIKTOK = b'{"code":0,"message":"OK","request_id":"1","data":{},"status":1,"success":true}'
_MAX_LIFE_S = 900


class _Counts:
    """What has come since the last reset."""

    def __init__(self) -> None:
        self.requests = 0
        self.last = 0.0
        self._events = 0
        self._distinct: set[bytes] | None = None
        self.answer_s = 0.0

    def reset(self, *, is_distinct: bool) -> None:
        """Begin anew."""
        self.__init__()  # type: ignore[misc]
        if is_distinct:
            self._distinct, self.answer_s = set(), 0.05

    def take(self, body: bytes) -> None:
        """One request."""
        if self._distinct is None:
            self._events += body.count(MARK)
        else:
            self._distinct.update(_MARKED.findall(body))
        self.requests += 1
        self.last = time.time()

    def report(self) -> dict[str, float]:
        """What has come."""
        events = self._events if self._distinct is None else len(self._distinct)
        return {"events": events, "requests": self.requests, "last": self.last}


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
            answer = json.dumps(self._counts.report()).encode()
        elif self._head.startswith(b"GET /reset"):
            self._counts.reset(is_distinct=b"?distinct " in self._head)
            answer = b"{}"
        else:
            if b"content-encoding: gzip" in self._head.lower():
                body = gzip.decompress(body)
            self._counts.take(body)
            answer = _TIKTOK
        if self._counts.answer_s:
            asyncio.get_running_loop().call_later(self._counts.answer_s, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
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
