"""The visitors: a process of its own that asks as fast as it is answered, and writes down what it has received.

With a rate and a time it asks so many times a second in all, for so many seconds, and prints how long answers took.

An event's id is written down when the response's head and its declared length, or its last chunk, have come. A
response that ends with its connection has no declared length and is never written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import count

__all__ = ["KINDS"]

#: Path, and further request headers, of each kind of request; every other one is an empty redirect.
KINDS = (
    ("/redirect", "sec-fetch-mode: navigate\r\n"),
    ("/page", "sec-fetch-mode: navigate\r\n"),
    ("/shared-redirect", "sec-fetch-mode: navigate\r\n"),
    ("/stream", "sec-fetch-mode: navigate\r\n"),
    ("/redirect", "sec-fetch-mode: cors\r\nsec-fetch-dest: empty\r\n"),
    ("/json", "sec-fetch-mode: cors\r\nsec-fetch-dest: empty\r\n"),
)
_RETRY_S = 0.02
_LIMIT_BYTES = 1 << 20


async def _visit(port: int, prefix: str, number: int) -> None:
    """One visitor, who comes back when thrown out."""
    turns = count()
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LIMIT_BYTES)
            with contextlib.closing(writer):
                while await _ask(reader, writer, f"{prefix}-{number}-{{}}-{next(turns)}"):
                    pass
        await asyncio.sleep(_RETRY_S)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> bool:
    """Whether the connection may be used again."""
    turn = int(name.rpartition("-")[2])
    path, headers = KINDS[turn % len(KINDS)]
    event_id = name.format(turn % len(KINDS))
    writer.write(f"GET {path}?id={event_id} HTTP/1.1\r\nhost: shop.example\r\n{headers}\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    assert head.startswith(("http/1.1 200", "http/1.1 303")), head
    if "\r\ntransfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    elif (start := head.find("\r\ncontent-length: ")) >= 0:
        await reader.readexactly(int(head[start:].split("\r\n")[1].partition(":")[2]))
    else:
        await reader.read()
        return False
    os.write(1, f"{event_id}\n".encode())  # at once and whole: whoever kills us, this line stays
    return "\r\nconnection: close" not in head


async def _main(port: int, prefix: str, visitors: int) -> None:
    await asyncio.gather(*[_visit(port, prefix, number) for number in range(visitors)])


async def _visit_at(times: list[float], port: int, name: str, due: Iterator[float]) -> None:
    """One visitor who asks at these times, or at once when late; add how long each answer took, in seconds."""
    turns = count()
    at = next(due, None)
    while at is not None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LIMIT_BYTES)
        is_open = True
        with contextlib.closing(writer):
            while is_open and at is not None:
                await asyncio.sleep(max(at - time.monotonic(), 0))
                begun = time.monotonic()
                is_open = await _ask(reader, writer, f"{name}-{{}}-{next(turns)}")
                times.append(time.monotonic() - begun)
                at = next(due, None)


async def _at_rate(port: int, prefix: str, visitors: int, per_s: float, for_s: float) -> None:
    """Ask at a rate in all, and print what came of it to standard error, as JSON."""
    begin, times = time.monotonic(), list[float]()
    last = begin + for_s

    def due(number: int) -> Iterator[float]:
        """The times of one visitor; those that are over when the time is over are left out."""
        for turn in count():
            at = begin + (turn * visitors + number) / per_s
            if at >= last or time.monotonic() >= last:
                return
            yield at

    await asyncio.gather(*[_visit_at(times, port, f"{prefix}-{number}", due(number)) for number in range(visitors)])
    took_s = time.monotonic() - begin
    times.sort()
    found = {f"p{share}_ms": times[int(len(times) * share / 100)] * 1e3 for share in (50, 99)}
    print(json.dumps({"per_s": len(times) / took_s, "max_ms": times[-1] * 1e3, **found}), file=sys.stderr)


if __name__ == "__main__":
    _options = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if len(sys.argv) > 4:
        asyncio.run(_at_rate(*_options, float(sys.argv[4]), float(sys.argv[5])))
    else:
        asyncio.run(_main(*_options))
