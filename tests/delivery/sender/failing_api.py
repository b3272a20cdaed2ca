"""A TikTok that fails in every way it can, as a process of its own, so that its work is not in the times of requests.

Each first part of the path is a service with a failure of its own: ``POST /a/...`` takes events, ``GET /a/fail?html`` sets
how it fails, ``GET /a/report`` says what came.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["FAILURES", "Service", "running_failing_api"]

_LIFE_S = 900
_ROOT = Path(__file__).parents[3]


def _answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _code(status: str, code: int, message: str, *headers: str) -> bytes:
    body = json.dumps({"code": code, "message": message, "request_id": "1", "data": {}}).encode()
    return _answer(status, body, "Content-Type: application/json", *headers)


async def _hang(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(_LIFE_S)


async def _drop(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Drip: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


OK = _code("200 OK", 0, "OK")
HTML = b"<!doctype html><title>Just a moment...</title><p>Checking your browser"
FAILURES: dict[str, bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]] = {
    "500": _answer("500 Internal Server Error", b"oops"),
    "503": _answer("503 Service Unavailable", b""),
    "429": _code("429 Too Many Requests", 40133, "Too many requests", "Retry-After: 2"),
    "40100": _code("200 OK", 40100, "App reach the QPS limit"),
    "40105": _code("401 Unauthorized", 40105, "Access token is incorrect or has been revoked"),
    "hang": _hang,
    "drop": _drop,
    "html": _answer("200 OK", HTML, "Content-Type: text/html"),
    "drip": _drip,
}


class _Service:
    """What one service has seen."""

    def __init__(self) -> None:
        self.failure = ""
        self.refused: list[tuple[float, int]] = []  # when, and how many events
        self.accepted: list[str] = []
        self.connections = 0
        self.open_now = 0
        self.open_at_most = 0

    def report(self) -> dict[str, Any]:
        names = ("refused", "accepted", "connections", "open_at_most")
        return {name: getattr(self, name) for name in names}


class _Api:
    def __init__(self) -> None:
        self.services: dict[str, _Service] = defaultdict(_Service)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        met: set[_Service] = set()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                await self._exchange(reader, writer, met)
        for service in met:
            service.open_now -= 1
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, met: set[_Service]) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target = head.split(" ")[:2]
        fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        service = self.services[target.split("/")[1]]
        if method == "GET":
            if "/fail?" in target:
                service.failure = target.partition("?")[2]
            writer.write(_answer("200 OK", json.dumps(service.report()).encode()))
            return
        if service not in met:
            met.add(service)
            service.connections += 1
            service.open_now += 1
            service.open_at_most = max(service.open_at_most, service.open_now)
        ids = [event["event_id"] for event in json.loads(body)["data"]]
        if service.failure:
            service.refused.append((time.monotonic(), len(ids)))
            await self._fail(FAILURES[service.failure], reader, writer)
        else:
            service.accepted += ids
            writer.write(OK)

    @staticmethod
    async def _fail(how: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(how, bytes):
            writer.write(how)
            return
        failing, gone = asyncio.ensure_future(how(writer)), asyncio.ensure_future(reader.read())
        await asyncio.wait([failing, gone], return_when=asyncio.FIRST_COMPLETED)
        failing.cancel()
        gone.cancel()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await failing
        writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_Api().serve, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(ended.wait(), _LIFE_S)


class Service:
    """The tests' side of one service.

    Attributes:
        url: what ``TIKTOK_API_URL`` is to be.
    """

    def __init__(self, base: str, name: str) -> None:
        self.url = f"{base}/{name}"

    def fail(self, how: str) -> None:
        """Fail so from now on; an empty name is the end of it."""
        self._get(f"/fail?{how}")

    def report(self) -> dict[str, Any]:
        """``refused`` requests as (monotonic time, events), ids of ``accepted`` events, counts of connections."""
        return self._get("/report")

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            found: dict[str, Any] = json.load(response)
            return found


@contextmanager
def running_failing_api() -> Iterator[str]:
    """The base address of a running one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.delivery.sender.failing_api"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_main())
