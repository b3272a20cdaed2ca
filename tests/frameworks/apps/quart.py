from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import quart

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, say, track

PROTOCOL = "asgi"
started: list[bool] = []


def view_of(path: str, scene: Scene) -> Any:
    async def view() -> Any:
        from tiktok_middleware.contrib.quart import tiktok_from

        request: Any = quart.request
        if path == "/started":
            return {"started": bool(started)}
        tracker = reached(scene, request, lambda: tiktok_from(request), request.scope)
        if isinstance(scene.body, tuple):
            return quart.Response(pieces(path, scene.body, tracker), mimetype="text/html")
        track(path, tracker)
        return quart.Response(scene.body, scene.status, dict(scene.headers), content_type=scene.content_type)

    return view


async def pieces(path: str, body: tuple[str, ...], tracker: Any) -> AsyncIterator[str]:
    yield body[0]
    track(path, tracker)
    for piece in body[1:]:
        yield piece


def bare() -> Any:
    app = quart.Quart("acceptance")
    mounted = quart.Blueprint("mounted", __name__)
    for path, scene in SCENES.items():
        app.add_url_rule(path, path, view_of(path, scene), methods=[scene.method])
        mounted.add_url_rule(path, path[1:] or "home", view_of(path, scene), methods=[scene.method])
    app.register_blueprint(mounted, url_prefix="/mounted")
    app.register_error_handler(500, broken)
    app.register_error_handler(404, not_found)
    app.before_serving(lambda: started.append(True))
    app.after_serving(lambda: say("stopped"))
    return app


async def broken(_error: Exception) -> tuple[str, int]:
    return ERROR_PAGE, 500


async def not_found(_error: Exception) -> tuple[str, int]:
    return NOT_FOUND_PAGE, 404


def wrapped() -> Any:
    from tiktok_middleware.contrib.quart import TikTok

    app = bare()
    TikTok(app)
    return app
