from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from blacksheep import Application, Content, Request, Response, StreamedContent, json
from blacksheep.exceptions import NotFound
from blacksheep.server.routing import Router

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, say, track

PROTOCOL = "asgi"
#: Older versions take the path as the server gives it.
KEEPS_ROOT_PATH = hasattr(Application, "instantiate_request")
started: list[bool] = []


def view_of(path: str, scene: Scene) -> Any:
    async def view(request: Request) -> Response:
        from tiktok_middleware.contrib.blacksheep import tiktok_from

        if path == "/started":
            return json({"started": bool(started)})
        scope: Any = request.scope
        tracker = reached(scene, request, lambda: tiktok_from(request), scope)
        if isinstance(scene.body, tuple):
            body = scene.body

            async def provide() -> AsyncIterator[bytes]:
                async for piece in pieces(path, body, tracker):
                    yield piece

            return Response(200, content=StreamedContent(b"text/html; charset=utf-8", provide))
        track(path, tracker)
        headers = [(name.encode(), value.encode()) for name, value in scene.headers.items()]
        return Response(scene.status, headers, Content(scene.content_type.encode(), scene.body.encode()))

    view.__annotations__ = {"request": Request, "return": Response}
    return view


async def pieces(path: str, body: tuple[str, ...], tracker: Any) -> AsyncIterator[bytes]:
    yield body[0].encode()
    track(path, tracker)
    for piece in body[1:]:
        yield piece.encode()


def page(html: str, status: int) -> Response:
    return Response(status, content=Content(b"text/html; charset=utf-8", html.encode()))


async def broken(_app: Any, _request: Any, _error: Any) -> Response:
    return page(ERROR_PAGE, 500)


async def not_found(_app: Any, _request: Any, _error: Any) -> Response:
    return page(NOT_FOUND_PAGE, 404)


def _routed(app: Application) -> Application:
    for path, scene in SCENES.items():
        app.router.add(scene.method, path, view_of(path, scene))
    return app


def bare() -> Any:
    app = _routed(Application(router=Router()))
    mounted = _routed(Application(router=Router()))
    app.mount("/mounted", mounted)
    app.exceptions_handlers[NotFound] = not_found
    app.exceptions_handlers[404] = not_found
    app.exceptions_handlers[Exception] = broken

    async def start(_app: Any) -> None:
        started.append(True)
        await mounted.start()  # type: ignore[no-untyped-call]

    async def stop(_app: Any) -> None:
        say("stopped")

    app.on_start += start
    app.on_stop += stop
    return app


def wrapped() -> Any:
    from tiktok_middleware.contrib.blacksheep import TikTokMiddleware

    return TikTokMiddleware(bare())
