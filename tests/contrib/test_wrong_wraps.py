"""What TikTokMiddleware cannot wrap is rejected at start, with one sentence that says what to write instead."""

from __future__ import annotations

import asyncio
import importlib
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import fastapi
import flask
import pytest
import starlette.endpoints
import starlette.middleware
from asgiref.wsgi import WsgiToAsgi
from starlette.applications import Starlette
from starlette.routing import Mount, Route, Router

from tests.browser.servers import free_port
from tests.contrib import test_django  # noqa: F401  # configures Django
from tests.contrib.shared import make_client
from tiktok_middleware import Client, ConfigError
from tiktok_middleware.asgi import TikTokMiddleware as Asgi
from tiktok_middleware.contrib.fastapi import TikTokMiddleware as FastAPIMiddleware
from tiktok_middleware.contrib.flask import TikTok
from tiktok_middleware.errors import WrapError
from tiktok_middleware.wsgi import TikTokMiddleware as Wsgi

pytestmark = pytest.mark.slow

_to_asgi: Any = WsgiToAsgi
load = importlib.import_module  # frameworks that take long to import, only where a test runs


def django_wsgi() -> Any:
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def django_asgi() -> Any:
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


def sanic_app() -> Any:
    kind = load("sanic").Sanic
    return kind(f"wrapped_{len(kind._app_registry)}")


def wsgi_function(environ: Any, start_response: Any) -> Any:
    raise NotImplementedError


async def asgi_function(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


class AsgiObject:
    """Middleware of somebody else."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class WsgiObject:
    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


WSGI_APPS: dict[str, Callable[[], Any]] = {
    "function": lambda: wsgi_function,
    "flask": lambda: flask.Flask("shop"),
    "subclass": lambda: type("Shop", (flask.Flask,), {})("shop"),
    "django": django_wsgi,
    "pyramid": lambda: load("pyramid.config").Configurator().make_wsgi_app(),
    "bottle": lambda: load("bottle").Bottle(),
    "falcon": lambda: load("falcon").App(),
    "middleware": lambda: WsgiObject(flask.Flask("shop")),
    "bound method": lambda: flask.Flask("shop").wsgi_app,
}
ASGI_APPS: dict[str, Callable[[], Any]] = {
    "function": lambda: asgi_function,
    "starlette": Starlette,
    "fastapi": fastapi.FastAPI,
    "django": django_asgi,
    "litestar": lambda: load("litestar").Litestar([]),
    "quart": lambda: load("quart").Quart("shop"),
    "falcon": lambda: load("falcon.asgi").App(),
    "sanic": sanic_app,
    "blacksheep": lambda: load("blacksheep").Application(),
    "middleware": lambda: AsgiObject(Starlette()),
    "bound method": lambda: load("quart").Quart("shop").asgi_app,
    "wsgi app that is turned into asgi": lambda: _to_asgi(flask.Flask("shop")),
}


@pytest.mark.parametrize("name", WSGI_APPS)
def test_wsgi_app_in_the_asgi_adapter_is_rejected(name: str) -> None:
    with pytest.raises(WrapError) as caught:
        Asgi(WSGI_APPS[name](), make_client())
    said = str(caught.value)
    assert said.startswith("tiktok_middleware.asgi.TikTokMiddleware cannot wrap ")
    assert "a WSGI app: use tiktok_middleware.wsgi.TikTokMiddleware" in said
    assert "\n" not in said


@pytest.mark.parametrize("name", ASGI_APPS)
def test_asgi_app_in_the_wsgi_adapter_is_rejected(name: str) -> None:
    with pytest.raises(WrapError) as caught:
        Wsgi(ASGI_APPS[name](), make_client())
    assert "an ASGI app: use tiktok_middleware.asgi.TikTokMiddleware" in str(caught.value)


@pytest.mark.parametrize("name", WSGI_APPS)
def test_wsgi_app_in_the_wsgi_adapter_is_taken(name: str) -> None:
    Wsgi(WSGI_APPS[name](), make_client())


@pytest.mark.parametrize("name", ASGI_APPS)
def test_asgi_app_in_the_asgi_adapter_is_taken(name: str) -> None:
    Asgi(ASGI_APPS[name](), make_client())


@pytest.mark.parametrize("adapter", [Asgi, Wsgi])
@pytest.mark.parametrize(
    ("app", "named"),
    [
        (lambda: load("aiohttp.web").Application(), "an aiohttp app"),
        (lambda: load("tornado.web").Application(), "a Tornado app"),
        (lambda: load("robyn").Robyn(__file__), "a Robyn app"),
        (lambda: None, "NoneType"),
        (lambda: "shop:app", "str"),
        (lambda: flask.Flask, "the class Flask"),
        (lambda: Starlette, "the class Starlette"),
    ],
)
def test_what_is_no_app_is_rejected_with_the_page_that_helps(adapter: Any, app: Any, named: str) -> None:
    with pytest.raises(WrapError) as caught:
        adapter(app(), make_client())
    assert named in str(caught.value)
    assert "docs/recipes.md" in str(caught.value)


async def view(_request: Any) -> Any:
    raise NotImplementedError


class Endpoint(starlette.endpoints.HTTPEndpoint):
    pass


def middleware(client: Client) -> list[Any]:
    return [starlette.middleware.Middleware(Asgi, client=client)]


@pytest.mark.parametrize(
    "put",
    [
        lambda client: Route("/", view, middleware=middleware(client)),
        lambda client: Route("/", Endpoint, middleware=middleware(client)),
        lambda client: Route("/", view, middleware=[starlette.middleware.Middleware(_Outer, client=client)]),
    ],
    ids=["view", "endpoint class", "with other middleware in between"],
)
def test_middleware_around_a_single_route_is_rejected(put: Callable[[Client], Any]) -> None:
    with pytest.raises(WrapError, match=r"around a single route .* below /_tiktok: wrap the whole app"):
        put(make_client())


def _Outer(app: Any, client: Client) -> Any:
    return Asgi(AsgiObject(app), client)


def test_litestars_own_way_of_adding_middleware_names_the_plugin() -> None:
    from litestar.middleware.base import DefineMiddleware

    client, litestar = make_client(), load("litestar")
    ours: Any = DefineMiddleware(cast("Any", Asgi), client=client)
    with pytest.raises(WrapError, match=r"use TikTokPlugin of tiktok_middleware.contrib.litestar"):
        litestar.Litestar([litestar.get("/")(litestar_view)], middleware=[ours])


async def litestar_view() -> str:
    raise NotImplementedError


@pytest.mark.parametrize(
    "put",
    [
        lambda client: Mount("/", routes=[], middleware=middleware(client)),
        lambda client: Mount("/", Starlette(), middleware=middleware(client)),
        lambda client: Router([], middleware=middleware(client)),
        lambda client: Starlette(middleware=middleware(client)).build_middleware_stack(),
    ],
    ids=["mount with routes", "mount with app", "router", "app"],
)
def test_middleware_around_all_routes_below_a_path_is_taken(put: Callable[[Client], Any]) -> None:
    put(make_client())


def _twice_flask(*clients: Client) -> Any:
    app = flask.Flask("shop")
    for client in clients:
        TikTok(app, client)
    return app


OTHER = {"pixel_id": "C1111111111111111111", "gpc": "ignore"}


@pytest.mark.parametrize(
    "twice",
    [
        lambda one, other: Asgi(Asgi(asgi_function, one), other),
        lambda one, other: Asgi(AsgiObject(Asgi(asgi_function, one)), other),
        lambda one, other: Wsgi(WsgiObject(Wsgi(wsgi_function, one)), other),
        _twice_flask,
        lambda one, other: Wsgi(_twice_flask(one), other),
    ],
    ids=["asgi", "with middleware in between", "wsgi", "extension twice", "extension and adapter"],
)
def test_middleware_twice_with_different_settings_is_rejected(twice: Callable[[Client, Client], Any]) -> None:
    with pytest.raises(WrapError, match=r"around this app twice, with different settings \(pixel_id, gpc\)"):
        twice(make_client(), make_client(**OTHER))
    twice(make_client(), make_client())  # the same settings: the inner one has nothing to do


def test_middleware_that_is_off_may_be_inside_another() -> None:
    Asgi(Asgi(asgi_function, make_client(enabled=False)), make_client(**OTHER))


def test_error_of_a_framework_that_builds_its_middleware_late_stops_the_start() -> None:
    """Starlette makes its middleware when the server is already running."""
    app = fastapi.FastAPI()
    app.add_middleware(FastAPIMiddleware, client=make_client())
    app.add_middleware(FastAPIMiddleware, client=make_client(**OTHER))
    sent: list[Any] = []

    async def start() -> None:
        messages = iter([{"type": "lifespan.startup"}])

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    asyncio.run(start())
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "twice, with different settings" in sent[0]["message"]


OWN_SERVER = """
from sanic import Sanic
from tiktok_middleware.contrib.sanic import TikTokMiddleware
app = Sanic("own_server")
app.add_route(lambda request: None, "/")
wrapped = TikTokMiddleware(app)
app.run("127.0.0.1", {port}, single_process=True, motd=False)
"""


def test_sanics_own_server_is_refused() -> None:
    code = OWN_SERVER.format(port=free_port())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "Sanic's own server does not call TikTokMiddleware" in done.stdout + done.stderr
    assert "docs/recipes.md" in done.stdout + done.stderr


def test_error_is_a_configuration_error_and_a_type_error() -> None:
    error = WrapError("put it around the app")
    assert isinstance(error, ConfigError)
    assert isinstance(error, TypeError)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (WrapError, "put it around the app")


def test_nothing_is_logged_for_a_right_wrap(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tiktok_middleware"):
        Asgi(AsgiObject(Starlette()), make_client())
    assert caplog.messages == []
