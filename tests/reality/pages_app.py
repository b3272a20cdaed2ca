"""Serves the files of a folder as HTML that names no charset: below /bare without the middleware, below /page with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tiktok_middleware.asgi import TikTokMiddleware

FOLDER = Path(os.environ["PAGES_FOLDER"])


async def pages(scope: Any, receive: Any, send: Any) -> None:
    body = (FOLDER / scope["path"].rpartition("/")[2]).read_bytes()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": body})


wrapped = TikTokMiddleware(pages)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await (pages if scope["path"].startswith("/bare/") else wrapped)(scope, receive, send)
