from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, Response, Router, route
from litestar.response import Stream

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, say, track

PROTOCOL = "asgi"
started: list[bool] = []


def handler_of(path: str, scene: Scene) -> Any:
    async def view(request: Any) -> Response:  # type: ignore[type-arg]
        from tiktok_middleware.contrib.litestar import tiktok_from

        if path == "/started":
            return Response({"started": bool(started)})
        tracker = reached(scene, request, lambda: tiktok_from(request), request.scope)
        if isinstance(scene.body, tuple):
            return Stream(pieces(path, scene.body, tracker), media_type="text/html")
        track(path, tracker)
        return Response(
            scene.body.encode(), status_code=scene.status, headers=dict(scene.headers), media_type=scene.content_type
        )

    view.__annotations__ = {"request": Request, "return": Response}
    view.__name__ = f"view_{path[1:]}"
    return route(path, http_method=scene.method, status_code=scene.status)(view)  # type: ignore[arg-type]


async def pieces(path: str, body: tuple[str, ...], tracker: Any) -> AsyncIterator[str]:
    yield body[0]
    track(path, tracker)
    for piece in body[1:]:
        yield piece


def broken(_request: Any, _error: Exception) -> Response[bytes]:
    return Response(ERROR_PAGE.encode(), status_code=500, media_type="text/html")


def not_found(_request: Any, _error: Exception) -> Response[bytes]:
    return Response(NOT_FOUND_PAGE.encode(), status_code=404, media_type="text/html")


def bare(**options: Any) -> Any:
    handlers = [handler_of(path, scene) for path, scene in SCENES.items()]
    mounted = Router("/mounted", route_handlers=[handler_of(path, scene) for path, scene in SCENES.items()])
    return Litestar(
        [*handlers, mounted],
        exception_handlers={500: broken, 404: not_found},
        on_startup=[lambda: started.append(True)],
        on_shutdown=[lambda: say("stopped")],
        openapi_config=None,
        **options,
    )


def wrapped() -> Any:
    from tiktok_middleware.contrib.litestar import TikTokPlugin

    return bare(plugins=[TikTokPlugin()])
