from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.frameworks.apps.starlette import broken, lifespan, not_found, pieces, started
from tests.frameworks.scenes import SCENES, Scene, reached, track

PROTOCOL = "asgi"


def view_of(path: str, scene: Scene) -> Any:
    async def view(request: Request) -> Response:
        from tiktok_middleware.contrib.fastapi import tiktok_from

        if path == "/started":
            return JSONResponse({"started": bool(started)})
        tracker = reached(scene, request, lambda: tiktok_from(request), request.scope)
        if isinstance(scene.body, tuple):
            return StreamingResponse(pieces(path, scene.body, tracker), media_type="text/html")
        track(path, tracker)
        return Response(scene.body, scene.status, dict(scene.headers), scene.content_type)

    return view


def _routed(app: FastAPI) -> FastAPI:
    for path, scene in SCENES.items():
        app.add_api_route(path, view_of(path, scene), methods=[scene.method])
    return app


def bare() -> Any:
    app = _routed(FastAPI(lifespan=lifespan, exception_handlers={500: broken, 404: not_found}))
    app.mount("/mounted", _routed(FastAPI()))
    return app


def wrapped() -> Any:
    from tiktok_middleware.contrib.fastapi import TikTok, TikTokMiddleware

    app = bare()
    app.add_middleware(TikTokMiddleware)

    @app.get("/dependency")
    async def dependency(tiktok: TikTok) -> Response:
        track("/", tiktok)
        return Response(str(SCENES["/"].body), media_type="text/html")

    # A route that is added late comes after the mount, whose prefix is another one.
    return app
