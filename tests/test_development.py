"""Development servers are recognised by the command line, and by nothing that a visitor writes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.serving import free_port
from tiktok_middleware._development import development_server


@pytest.mark.parametrize(
    ("command", "server"),
    [
        ("uvicorn shop:app --reload", "uvicorn --reload"),
        ("/venv/bin/uvicorn shop:app --port 80 --reload", "uvicorn --reload"),
        ("/lib/uvicorn/__main__.py shop:app --reload", "uvicorn --reload"),
        ("uvicorn shop:app", ""),
        ("uvicorn shop:app --reload-dir x", ""),
        ("hypercorn shop:app --reload", "hypercorn --reload"),
        ("hypercorn shop:app", ""),
        ("gunicorn shop:app --reload", "gunicorn --reload"),
        ("gunicorn shop:app", ""),
        ("granian shop:app --interface asgi --reload", "granian --reload"),
        ("granian shop:app", ""),
        ("fastapi dev shop.py", "fastapi dev"),
        ("fastapi run shop.py", ""),
        ("flask run", "flask run"),
        ("flask --app shop run --port 80", "flask run"),
        ("/lib/flask/__main__.py --app shop run", "flask run"),
        ("flask --app shop routes", ""),
        ("manage.py runserver", "manage.py runserver"),
        ("./manage.py runserver 0.0.0.0:8000", "manage.py runserver"),
        ("django-admin runserver", "django-admin runserver"),
        ("/lib/django/__main__.py runserver 8000", "django runserver"),
        ("manage.py migrate", ""),
        ("quart run", "quart run"),
        ("litestar run --reload", "litestar run"),
        ("litestar run", ""),
        ("shop.py", ""),
        ("celery -A shop worker", ""),
        ("", ""),
    ],
)
def test_command_line_decides(command: str, server: str) -> None:
    assert development_server(command.split(), {}) == server


@pytest.mark.parametrize(
    ("command", "environ", "server"),
    [
        ("uvicorn shop:app", {"UVICORN_RELOAD": "true"}, "uvicorn --reload"),
        ("uvicorn shop:app", {"UVICORN_RELOAD": "0"}, ""),
        ("granian shop:app", {"GRANIAN_RELOAD": "1"}, "granian --reload"),
        ("gunicorn shop:app", {"GUNICORN_CMD_ARGS": "--workers 2 --reload"}, "gunicorn --reload"),
        ("gunicorn shop:app", {"GUNICORN_CMD_ARGS": "--workers 2"}, ""),
    ],
)
def test_variables_of_the_servers_count(command: str, environ: dict[str, str], server: str) -> None:
    assert development_server(command.split(), environ) == server


def test_no_command_line_is_no_development_server() -> None:
    assert development_server([], {}) == ""


ASGI = """
from tiktok_middleware.asgi import TikTokMiddleware

async def page(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<!doctype html><title>t</title><body>b"})

app = TikTokMiddleware(page)
"""
WSGI = """
from tiktok_middleware.wsgi import TikTokMiddleware

def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<!doctype html><title>t</title><body>b"]

app = TikTokMiddleware(page)
"""
FLASK = """
from flask import Flask
from tiktok_middleware.contrib.flask import TikTok

app = Flask(__name__)
TikTok(app)

@app.get("/")
def page():
    return "<!doctype html><title>t</title><body>b"
"""

DJANGO = """
from django.http import HttpResponse
from django.urls import path

SECRET_KEY = "k"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop"
MIDDLEWARE = ["tiktok_middleware.contrib.django.TikTokMiddleware"]
urlpatterns = [path("", lambda request: HttpResponse("<!doctype html><title>t</title><body>b"))]
"""


def logged(folder: Path, app: str, command: list[str]) -> str:
    """What a real server prints with its default logging until it has answered a request."""
    (folder / "shop.py").write_text(textwrap.dedent(app))
    port = free_port()
    words = [word.format(port=port) for word in command]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TIKTOK_", "COVERAGE"))}
    root = str(Path(__file__).parents[1])
    environ |= {"TIKTOK_PIXEL_ID": "C5ABCDEFGHIJKLMNOPQR", "TIKTOK_OUTBOX": "memory://", "PYTHONPATH": root}
    with (folder / "log").open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environ, stdout=file, stderr=file, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                        connection.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
                        if connection.recv(100):
                            break
                except OSError:
                    time.sleep(0.1)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return (folder / "log").read_text()


SERVERS = [
    (ASGI, "-m uvicorn shop:app --port {port}", "environment production"),
    (ASGI, "-m uvicorn shop:app --port {port} --reload", "because of uvicorn --reload"),
    (ASGI, "-m hypercorn shop:app --bind 127.0.0.1:{port}", "environment production"),
    (ASGI, "-m hypercorn shop:app --bind 127.0.0.1:{port} --reload", "because of hypercorn --reload"),
    (WSGI, "-m gunicorn shop:app --bind 127.0.0.1:{port}", "environment production"),
    (WSGI, "-m gunicorn shop:app --bind 127.0.0.1:{port} --reload", "because of gunicorn --reload"),
    (FLASK, "-m flask --app shop run --port {port}", "because of flask run"),
    (FLASK, "-m flask --app shop run --port {port} --debug", "because of flask run"),
    (DJANGO, "-m django runserver --settings shop {port}", "because of django runserver"),
]


#: Servers whose reloader imports the app too, so that two processes print a line each.
TWICE = {
    "-m hypercorn shop:app --bind 127.0.0.1:{port} --reload",
    "-m flask --app shop run --port {port} --debug",
}


@pytest.mark.servers
@pytest.mark.parametrize(("app", "command", "says"), SERVERS, ids=[command for _, command, _ in SERVERS])
def test_start_line_is_shown_once_by_the_default_logging_of_the_server(
    app: str, command: str, says: str, tmp_path: Path
) -> None:
    printed = logged(tmp_path, app, command.split())
    lines = [line for line in printed.splitlines() if "TikTok middleware: " in line]
    assert 1 <= len(lines) <= (2 if command in TWICE else 1), printed
    assert says in lines[0]
    assert "the outbox is in memory" in lines[0]
