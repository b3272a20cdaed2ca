"""The visitors: a process of its own that asks as fast as it is answered, and writes down what it has received.

An event's id is written down when the response's head and its declared length, or its last chunk, have come. A
response that ends with its connection has no declared length and is never written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
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


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
