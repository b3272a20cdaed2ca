"""A large compressed page in one piece does not hold the event loop, and leaves with the same bytes as in pieces."""

from __future__ import annotations

import asyncio
import gzip
import random
import time
import zlib
from typing import Any

import pytest

from tests.contract.adapters import Request, asgi_scope, make_client
from tiktok_middleware import Client
from tiktok_middleware.asgi import TikTokMiddleware

pytestmark = pytest.mark.slow

HEAD = b"<!doctype html><html><head><title>x</title></head><body>"
DICE = random.Random(4)
WORDS = b" ".join(bytes(DICE.choices(b"abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(400_000))
BODIES = {
    "text": HEAD + WORDS + b"</body></html>",
    "spaces": HEAD + b" " * 40_000_000 + b"</body></html>",
    "long head": b"<!doctype html><html><head>" + b"<meta name=a content=b>" * 40_000 + HEAD[15:] + WORDS[:500_000],
}


async def _served(client: Client, pieces: list[bytes], held: list[float]) -> bytes:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-encoding", b"gzip")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for index, piece in enumerate(pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": index + 1 < len(pieces)})

    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def watch() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            held.append(time.thread_time() - before)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await TikTokMiddleware(app, client)(asgi_scope(Request()), receive, send)
    watching.cancel()
    return b"".join(sent)


@pytest.mark.parametrize("kind", BODIES)
def test_large_compressed_piece_does_not_hold_the_loop(kind: str) -> None:
    client, held = make_client(), []  # type: ignore[var-annotated]
    document = BODIES[kind]
    coded = gzip.compress(document, 6)
    whole = asyncio.run(_served(client, [coded], held))
    read = zlib.decompress(whole, 31)
    place = read.find(b"<script>")
    assert place > 0
    assert read.startswith(document[:place])
    assert read.endswith(document[place:])
    # Processor time of this thread between two turns of the loop: other processes of the machine do not count.
    assert max(held) < 0.05, f"{max(held) * 1000:.0f} ms"
    halves = [coded[: len(coded) // 2], coded[len(coded) // 2 :]]
    assert zlib.decompress(asyncio.run(_served(client, halves, [])), 31) == read
    client.close(1)
