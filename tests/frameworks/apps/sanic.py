from __future__ import annotations

from typing import Any

from sanic import Blueprint, Sanic
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse, html, json, raw

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, say, track

PROTOCOL = "asgi"
KEEPS_ROOT_PATH = False
started: list[bool] = []


def view_of(path: str, scene: Scene) -> Any:
    async def view(request: Any) -> Any:
        from tiktok_middleware.contrib.sanic import tiktok_from

        if path == "/started":
            return json({"started": bool(started)})
        tracker = reached(scene, request.ctx, lambda: tiktok_from(request), request.transport.scope)
        if isinstance(scene.body, tuple):
            return await _stream(request, path, scene.body, tracker)
        track(path, tracker)
        return raw(
            scene.body.encode(), status=scene.status, headers=dict(scene.headers), content_type=scene.content_type
        )

    return view


async def _stream(request: Any, path: str, body: tuple[str, ...], tracker: Any) -> None:
    response = await request.respond(content_type="text/html")
    await response.send(body[0])
    track(path, tracker)
    for piece in body[1:]:
        await response.send(piece)
    await response.eof()


async def broken(_request: Any, _error: Exception) -> HTTPResponse:
    return html(ERROR_PAGE, status=500)


async def not_found(_request: Any, _error: Exception) -> HTTPResponse:
    return html(NOT_FOUND_PAGE, status=404)


async def start(*_: Any) -> None:
    started.append(True)


async def stop(*_: Any) -> None:
    say("stopped")


def bare() -> Any:
    app: Any = Sanic("acceptance")
    mounted = Blueprint("mounted", url_prefix="/mounted")
    for path, scene in SCENES.items():
        name = f"view_{path[1:]}"
        app.add_route(view_of(path, scene), path, methods=[scene.method], name=name)
        mounted.add_route(view_of(path, scene), path, methods=[scene.method], name=name)
    app.blueprint(mounted)
    app.error_handler.add(Exception, broken)
    app.error_handler.add(NotFound, not_found)
    app.register_listener(start, "before_server_start")
    app.register_listener(stop, "after_server_stop")
    return app


def wrapped() -> Any:
    from tiktok_middleware.contrib.sanic import TikTokMiddleware

    return TikTokMiddleware(bare())
