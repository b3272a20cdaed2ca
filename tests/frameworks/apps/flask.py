from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, reached, track

PROTOCOL = "wsgi"


def view_of(path: str, scene: Scene) -> Any:
    def view() -> Any:
        from tiktok_middleware.contrib.flask import tiktok_from

        request: Any = flask.request
        if path == "/started":
            return {"started": True}
        tracker = reached(scene, request, lambda: tiktok_from(request), request.environ)
        if isinstance(scene.body, tuple):
            return flask.Response(pieces(path, scene.body, tracker), mimetype="text/html")
        track(path, tracker)
        return flask.Response(scene.body, scene.status, dict(scene.headers), content_type=scene.content_type)

    return view


def pieces(path: str, body: tuple[str, ...], tracker: Any) -> Iterator[str]:
    yield body[0]
    track(path, tracker)
    yield from body[1:]


def _routed(app: flask.Flask) -> flask.Flask:
    for path, scene in SCENES.items():
        app.add_url_rule(path, path, view_of(path, scene), methods=[scene.method])
    return app


def bare() -> Any:
    app = _routed(flask.Flask("acceptance"))
    app.register_error_handler(500, lambda _: (ERROR_PAGE, 500))
    app.register_error_handler(404, lambda _: (NOT_FOUND_PAGE, 404))
    mounted = _routed(flask.Flask("mounted"))
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/mounted": mounted})  # type: ignore[method-assign]
    return app


def wrapped() -> Any:
    from tiktok_middleware.contrib.flask import TikTok

    app = bare()
    TikTok(app)
    return app
