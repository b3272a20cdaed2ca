"""``request.tiktok`` behind the plain adapters: for every framework that the process has imported, without contrib."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tiktok_middleware import attach

pytestmark = pytest.mark.slow

COMMON = """
import asyncio, json, sys, types
import tiktok_middleware.asgi, tiktok_middleware.wsgi
from tiktok_middleware import Client, Config
client = Client(Config(pixel_id="C0000000000000000000", outbox="memory://"))
heard = []

class AsgiNeighbour:
    def __init__(self, app): self.app = app
    async def __call__(self, scope, receive, send): await self.app(scope, receive, send)

class WsgiNeighbour:
    def __init__(self, app): self.app = app
    def __call__(self, environ, start_response): return self.app(environ, start_response)

def asgi(app, has_lifespan=False):
    import httpx
    wrapped = tiktok_middleware.asgi.TikTokMiddleware(AsgiNeighbour(app), client)
    async def start(wrapped):
        messages, started = iter([{"type": "lifespan.startup"}]), asyncio.Event()
        async def receive():
            message = next(messages, None)
            return message or await asyncio.sleep(60)
        async def send(message):
            started.set()
        task = asyncio.create_task(wrapped({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
        await asyncio.wait_for(started.wait(), 20)
        return task
    async def run():
        task = await start(wrapped) if has_lifespan else None
        async with httpx.AsyncClient(transport=httpx.ASGITransport(wrapped), base_url="http://shop.example") as http:
            return await http.get("/", headers={"accept": "text/html"})
    return asyncio.run(run())

def wsgi(app):
    import httpx
    wrapped = tiktok_middleware.wsgi.TikTokMiddleware(WsgiNeighbour(app), client)
    with httpx.Client(transport=httpx.WSGITransport(wrapped), base_url="http://shop.example") as http:
        return http.get("/", headers={"accept": "text/html"})
"""

APPS = {
    "starlette": """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
def view(request):
    heard.append(request.tiktok)
    return PlainTextResponse("ok")
asgi(Starlette(routes=[Route("/", view)]))
""",
    "fastapi": """
from fastapi import FastAPI, Request
app = FastAPI()
def view(request: Request):
    heard.append(request.tiktok)
app.get("/")(view)
asgi(app)
""",
    "litestar": """
from litestar import Litestar, Request, get
@get("/", sync_to_thread=False)
def view(request: Request) -> str:
    heard.append(request.tiktok)
    return "ok"
asgi(Litestar([view]))
""",
    "quart": """
from quart import Quart, request
app = Quart("shop")
@app.get("/")
async def view():
    heard.append(request.tiktok)
    return "ok"
asgi(app)
""",
    "falcon.asgi": """
import falcon, falcon.asgi
class View:
    async def on_get(self, req, resp):
        heard.extend([req.context.tiktok, req.tiktok])
app = falcon.asgi.App()
app.add_route("/", View())
asgi(app)
""",
    "falcon": """
import falcon
class View:
    def on_get(self, req, resp):
        heard.extend([req.context.tiktok, req.tiktok])
app = falcon.App()
app.add_route("/", View())
wsgi(app)
assert not hasattr(falcon.Request, "context_tiktok") and not hasattr(falcon.Response.context_type(), "tiktok")
""",
    "sanic": """
from sanic import Sanic
from sanic.response import text
app = Sanic("shop")
@app.get("/")
async def view(request):
    heard.extend([request.ctx.tiktok, request.tiktok])
    return text("ok")
asgi(app, has_lifespan=True)
""",
    "blacksheep": """
from blacksheep import Application, Request, text
app = Application()
@app.router.get("/")
async def view(request: Request):
    heard.append(request.tiktok)
    return text("ok")
asgi(app)
""",
    "flask": """
import flask
app = flask.Flask("shop")
@app.get("/")
def view():
    heard.append(flask.request.tiktok)
    return "ok"
wsgi(app)
""",
    "pyramid": """
import warnings
warnings.simplefilter("ignore")
from pyramid.config import Configurator
from pyramid.response import Response
def view(request):
    heard.append(request.tiktok)
    return Response("ok")
config = Configurator()
config.add_route("home", "/")
config.add_view(view, route_name="home")
wsgi(config.make_wsgi_app())
""",
    "bottle": """
import bottle
app = bottle.Bottle()
@app.get("/")
def view():
    heard.append(bottle.request.tiktok)
    return "ok"
wsgi(app)
""",
    "django": """
from django.conf import settings
settings.configure(ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
from django.http import HttpResponse
from django.urls import path
def view(request):
    heard.append(request.tiktok)
    return HttpResponse("ok")
sys.modules["urls"] = types.SimpleNamespace(urlpatterns=[path("", view)])
from django.core.wsgi import get_wsgi_application
wsgi(get_wsgi_application())
from django.core.asgi import get_asgi_application
asgi(get_asgi_application())
""",
}


@pytest.mark.parametrize("name", APPS)
def test_request_has_its_tracker_behind_the_plain_adapter_and_other_middleware(name: str) -> None:
    check = """
from tiktok_middleware.core.tracking.tracker import Tracker
assert heard and all(isinstance(tracker, Tracker) for tracker in heard), heard
assert not [name for name in sys.modules if name.startswith("tiktok_middleware.contrib")]
"""
    done = subprocess.run(
        [sys.executable, "-c", COMMON + APPS[name] + check], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_attribute_without_the_middleware_says_what_is_missing() -> None:
    import flask

    attach.attach_to_requests()
    request: Any = flask.Request({"REQUEST_METHOD": "GET"})
    with pytest.raises(AttributeError, match="needs TikTokMiddleware around the app"):
        request.tiktok  # noqa: B018
    assert not hasattr(request, "tiktok")


def test_framework_that_is_built_differently_costs_a_warning_and_no_request(caplog: pytest.LogCaptureFixture) -> None:
    class Request:
        """Without the parts that are changed."""

    def fails(_: Any) -> None:
        raise TypeError("cannot set attribute")

    attach._attach(fails, Request)
    assert "use tiktok_from(request) or tiktok_middleware.current()" in caplog.text


def test_attribute_of_the_teams_own_is_kept() -> None:
    class Request:
        tiktok = "theirs"

    attach._as_property(lambda request: request.scope)(Request)
    assert Request.tiktok == "theirs"


def test_context_of_falcon_takes_an_attribute_of_the_instance_first() -> None:
    class Context:
        pass

    attach._on_falcon_context(Context)
    context: Any = Context()
    assert not hasattr(context, "tiktok")
    context.tiktok = SimpleNamespace()
    assert context.tiktok is context.__dict__["tiktok"]
