from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import tiktok_middleware
from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, ViewError, track

PROTOCOL = "wsgi"


def answer(start_response: Any, status: int, headers: Any, pieces: Any) -> Iterable[bytes]:
    start_response(f"{status} {HTTPStatus(status).phrase}", list(headers))
    return (piece.encode() for piece in pieces)


def app(environ: Any, start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"].removeprefix("/mounted")
    scene = SCENES.get(path)
    if scene is None:
        return answer(start_response, 404, [("Content-Type", "text/html")], [NOT_FOUND_PAGE])
    if path == "/started":
        return answer(start_response, 200, [("Content-Type", "application/json")], ['{"started": true}'])
    try:
        track(path, environ["tiktok_middleware.tracker"] if scene.reach == "key" else tiktok_middleware.current())
    except ViewError:
        return answer(start_response, 500, [("Content-Type", "text/html")], [ERROR_PAGE])
    pieces = scene.body if isinstance(scene.body, tuple) else (scene.body,)
    return answer(start_response, scene.status, [("Content-Type", scene.content_type), *scene.headers.items()], pieces)


def bare() -> Any:
    return app


def wrapped() -> Any:
    from tiktok_middleware.wsgi import TikTokMiddleware

    return TikTokMiddleware(app)
