"""The shop behind the ASGI door."""

from __future__ import annotations

from typing import Any

from tests.durability.shop import answer, make_client
from tiktok_middleware.asgi import TikTokMiddleware
from tiktok_middleware.core.tracking.current import KEY

__all__ = ["app", "bare"]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    status, headers, pieces = answer(scope["path"], scope["query_string"].decode(), scope.get(KEY))
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    for piece in pieces[:-1]:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": pieces[-1] if pieces else b""})


app = TikTokMiddleware(bare, client=make_client())
