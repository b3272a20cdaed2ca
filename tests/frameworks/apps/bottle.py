from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bottle

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, track

PROTOCOL = "wsgi"


def view_of(path: str, scene: Scene) -> Any:
    def view() -> Any:
        from tiktok_middleware.contrib.bottle import tiktok_from

        request: Any = bottle.request
        if path == "/started":
            return {"started": True}
        tracker = reached(scene, request, lambda: tiktok_from(request), request.environ)
        bottle.response.content_type = scene.content_type
        if isinstance(scene.body, tuple):
            return pieces(path, scene.body, tracker)
        track(path, tracker)
        bottle.response.status = scene.status
        for name, value in scene.headers.items():
            bottle.response.set_header(name, value)
        return scene.body

    return view


def pieces(path: str, body: tuple[str, ...], tracker: Any) -> Iterator[str]:
    yield body[0]
    track(path, tracker)
    yield from body[1:]


def _routed(app: Any) -> Any:
    for path, scene in SCENES.items():
        app.route(path, method=scene.method, callback=view_of(path, scene))
    return app


def bare() -> Any:
    app = _routed(bottle.Bottle())
    app.mount("/mounted/", _routed(bottle.Bottle()))
    app.error(500)(lambda _: ERROR_PAGE)
    app.error(404)(lambda _: NOT_FOUND_PAGE)
    return app


def wrapped() -> Any:
    from tiktok_middleware.contrib.bottle import TikTokMiddleware

    return TikTokMiddleware(bare())
