from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, track

PROTOCOL = "wsgi"


def view_of(path: str, scene: Scene) -> Any:
    def view(request: Any) -> Any:
        from tiktok_middleware.contrib.pyramid import tiktok_from

        if path == "/started":
            return Response(json_body={"started": True})
        tracker = reached(scene, request, lambda: tiktok_from(request), request.environ)
        if isinstance(scene.body, tuple):
            return Response(app_iter=pieces(path, scene.body, tracker), content_type="text/html", charset="utf-8")
        track(path, tracker)
        headers = [("Content-Type", scene.content_type), *scene.headers.items()]
        return Response(body=scene.body.encode(), status=scene.status, headerlist=headers)

    return view


def pieces(path: str, body: tuple[str, ...], tracker: Any) -> Iterator[bytes]:
    yield body[0].encode()
    track(path, tracker)
    for piece in body[1:]:
        yield piece.encode()


def _routed(config: Any) -> None:
    for path, scene in SCENES.items():
        name = f"{config.route_prefix or ''}{path}"
        config.add_route(name, path, request_method=scene.method)
        config.add_view(view_of(path, scene), route_name=name)


def bare(*includes: str) -> Any:
    config = Configurator()
    for include in includes:
        config.include(include)
    _routed(config)
    config.include(_routed, route_prefix="mounted")
    config.add_exception_view(lambda _: Response(ERROR_PAGE, status=500), context=Exception)
    config.add_notfound_view(lambda _: Response(NOT_FOUND_PAGE, status=404))
    return config.make_wsgi_app()


def wrapped() -> Any:
    from tiktok_middleware.contrib.pyramid import TikTokMiddleware

    return TikTokMiddleware(bare("tiktok_middleware.contrib.pyramid"))
