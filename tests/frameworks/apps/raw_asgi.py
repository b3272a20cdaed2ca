from __future__ import annotations

from typing import Any

import tiktok_middleware
from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, ViewError, say, track

PROTOCOL = "asgi"
started: list[bool] = []


async def answer(send: Any, status: int, headers: Any, pieces: Any) -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        started.append(True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        say("stopped")
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"].removeprefix(scope["root_path"]).removeprefix("/mounted")
    scene = SCENES.get(path)
    if scene is None:
        await answer(send, 404, [("Content-Type", "text/html")], [NOT_FOUND_PAGE])
    elif path == "/started":
        body = '{"started": true}' if started else '{"started": false}'
        await answer(send, 200, [("Content-Type", "application/json")], [body])
    else:
        try:
            track(path, scope["tiktok_middleware.tracker"] if scene.reach == "key" else tiktok_middleware.current())
        except ViewError:
            await answer(send, 500, [("Content-Type", "text/html")], [ERROR_PAGE])
            return
        pieces = scene.body if isinstance(scene.body, tuple) else (scene.body,)
        await answer(send, scene.status, [("Content-Type", scene.content_type), *scene.headers.items()], pieces)


def bare() -> Any:
    return app


def wrapped() -> Any:
    from tiktok_middleware.asgi import TikTokMiddleware

    return TikTokMiddleware(app)
