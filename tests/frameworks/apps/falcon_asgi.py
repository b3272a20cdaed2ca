from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import falcon
import falcon.asgi

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, say, track

PROTOCOL = "asgi"
KEEPS_ROOT_PATH = False
started: list[bool] = []


class Resource:
    def __init__(self, path: str, scene: Scene) -> None:
        self._path, self._scene = path, scene

    async def on_get(self, req: Any, resp: Any) -> None:
        from tiktok_middleware.contrib.falcon import tiktok_from

        scene = self._scene
        if self._path == "/started":
            resp.media = {"started": bool(started)}
            return
        tracker = reached(scene, req.context, lambda: tiktok_from(req), req.scope)
        resp.content_type = scene.content_type
        if isinstance(scene.body, tuple):
            resp.stream = pieces(self._path, scene.body, tracker)
            return
        track(self._path, tracker)
        resp.status = str(falcon.code_to_http_status(scene.status))
        resp.set_headers(dict(scene.headers))
        resp.text = scene.body

    on_post = on_get


async def pieces(path: str, body: tuple[str, ...], tracker: Any) -> AsyncIterator[bytes]:
    yield body[0].encode()
    track(path, tracker)
    for piece in body[1:]:
        yield piece.encode()


async def broken(_req: Any, resp: Any, _error: Any, _params: Any) -> None:
    resp.status, resp.content_type, resp.text = falcon.HTTP_500, falcon.MEDIA_HTML, ERROR_PAGE


async def not_found(_req: Any, resp: Any, _error: Any, _params: Any) -> None:
    resp.status, resp.content_type, resp.text = falcon.HTTP_404, falcon.MEDIA_HTML, NOT_FOUND_PAGE


class Lifespan:
    async def process_startup(self, _scope: Any, _event: Any) -> None:
        started.append(True)

    async def process_shutdown(self, _scope: Any, _event: Any) -> None:
        say("stopped")


def bare() -> Any:
    app = falcon.asgi.App(middleware=[Lifespan()])
    for path, scene in SCENES.items():
        app.add_route(path, Resource(path, scene))
        app.add_route(f"/mounted{path}".rstrip("/"), Resource(path, scene))
    app.add_error_handler(Exception, broken)
    app.add_error_handler(falcon.HTTPNotFound, not_found)
    app.req_options.strip_url_path_trailing_slash = True
    return app


def wrapped() -> Any:
    from tiktok_middleware.contrib.falcon import TikTokMiddleware

    return TikTokMiddleware(bare())
