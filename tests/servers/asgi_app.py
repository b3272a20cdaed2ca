"""The matrix's app for ASGI servers, without the middleware."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.abc

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
    sent_by_path,
)
from tiktok_middleware.core.tracking.current import KEY

__all__ = ["app"]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path, token = scope["path"], parse_qs(scope["query_string"].decode()).get("token", [""])[0]
    if token and path in EVENTS and KEY in scope:
        scope[KEY].track(EVENTS[path], value=1, currency="EUR", order_id=token)
    if path == "/upload":
        await _whole(send, path, await _digest(receive))
    elif path in {"/file", "/file.html"}:
        await _file(scope, send, path, token)
    elif path in {"/stream", "/sse", "/endless"}:
        await _stream(receive, send, path, token)
    elif path == "/fresh" and (b"if-none-match", ETAG.encode()) in scope["headers"]:
        await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", ETAG.encode())]})
        await send({"type": "http.response.body", "body": b""})
    else:
        await _whole(send, path, body_of(path), is_head=scope["method"] == "HEAD")


async def _lifespan(receive: Any, send: Any) -> None:
    for word in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{word}.complete"})


async def _start(send: Any, path: str, length: int) -> None:
    status, headers = head_of(path, length)
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _whole(send: Any, path: str, body: bytes, *, is_head: bool = False) -> None:
    await _start(send, path, len(body))
    await send({"type": "http.response.body", "body": b"" if is_head else body})


async def _digest(receive: Any) -> bytes:
    seen, has_more = hashlib.sha256(), True
    while has_more:
        message = await receive()
        seen.update(message.get("body", b""))
        has_more = message.get("more_body", False)
    return seen.hexdigest().encode()


async def _file(scope: Any, send: Any, path: str, token: str) -> None:
    file = file_of(path)
    data = file.read_bytes()
    await _start(send, path, len(data))
    if "http.response.pathsend" in scope.get("extensions", {}):
        sent_by_path(own_folder(), token).touch()
        await send({"type": "http.response.pathsend", "path": str(file)})
        return
    for at in range(0, len(data), 65536):
        more = at + 65536 < len(data)
        await send({"type": "http.response.body", "body": data[at : at + 65536], "more_body": more})


async def _stream(receive: Any, send: Any, path: str, token: str) -> None:
    """A stream that ends when its client leaves, as Starlette's do."""
    await _start(send, path, 0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_leave, receive, tasks)
            async for piece in _pieces(path, token):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            tasks.cancel_scope.cancel()
    finally:
        closed(own_folder(), token).touch()


async def _cancel_on_leave(receive: Any, tasks: anyio.abc.TaskGroup) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    tasks.cancel_scope.cancel()


async def _pieces(path: str, token: str) -> AsyncIterator[bytes]:
    """Each piece after the first only when the client has seen the one before it."""
    if path == "/endless":
        for _ in range(ENDLESS_ROUNDS):
            yield CHUNKS[0] + CHUNKS[1]
            await anyio.sleep(0.01)
        return
    for step, piece in enumerate(CHUNKS if path == "/stream" else WORDS):
        yield piece
        since_s = time.monotonic()
        while (seen := is_open(token, step, since_s)) is None:  # noqa: ASYNC110  # the client is another process
            await anyio.sleep(0.005)
        if not seen:
            yield b"data: NOT SEEN\n\n"
