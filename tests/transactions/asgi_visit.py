"""A visitor of an ASGI app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.contrib.shared import PAGE
from tests.transactions.shop import AGENT, Answer
from tiktok_middleware import Client, current
from tiktok_middleware.asgi import TikTokMiddleware


async def visit(client: Client, view: Callable[[Callable[..., Any]], Awaitable[None]]) -> Answer:
    """Let a visitor request a page whose view gets the ``track()`` of the request."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await view(current().track)
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE.encode()})

    got: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        got.append(message)

    headers = [(b"host", b"shop.example"), (b"user-agent", AGENT.encode()), (b"accept", b"text/html")]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers, "scheme": "https"}
    await TikTokMiddleware(app, client=client)(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in got).decode()
    return Answer(str(got[0]["status"]), [], body)
