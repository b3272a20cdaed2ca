from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, say, track

PROTOCOL = "asgi"
started: list[bool] = []


def view_of(path: str, scene: Scene) -> Any:
    async def view(request: Request) -> Response:
        from tiktok_middleware.contrib.starlette import tiktok_from

        if path == "/started":
            return JSONResponse({"started": bool(started)})
        tracker = reached(scene, request, lambda: tiktok_from(request), request.scope)
        if isinstance(scene.body, tuple):
            return StreamingResponse(pieces(path, scene.body, tracker), media_type="text/html")
        track(path, tracker)
        return Response(scene.body, scene.status, dict(scene.headers), scene.content_type)

    return view


async def pieces(path: str, body: tuple[str, ...], tracker: Any) -> AsyncIterator[str]:
    yield body[0]
    track(path, tracker)
    for piece in body[1:]:
        yield piece


async def broken(_request: Request, _error: Exception) -> Response:
    return HTMLResponse(ERROR_PAGE, 500)


async def not_found(_request: Request, _error: Exception) -> Response:
    return HTMLResponse(NOT_FOUND_PAGE, 404)


@contextlib.asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[None]:
    started.append(True)
    yield
    say("stopped")


def routes() -> list[Any]:
    return [Route(path, view_of(path, scene), methods=[scene.method]) for path, scene in SCENES.items()]


def bare() -> Any:
    return Starlette(
        routes=[*routes(), Mount("/mounted", Starlette(routes=routes()))],
        exception_handlers={500: broken, 404: not_found},
        lifespan=lifespan,
    )


def wrapped() -> Any:
    from tiktok_middleware.contrib.starlette import TikTokMiddleware

    app = bare()
    app.add_middleware(TikTokMiddleware)
    return app
