"""Starts the shops and the sandbox as a customer would, each a process of its own, and stops them by their ids."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.serving import free_port

__all__ = [
    "MORE_SHOPS",
    "ROOT",
    "SHOPS",
    "Server",
    "command_of",
    "free_port",
    "gunicorn_command",
    "plain_environment",
    "running",
    "shop_environment",
    "uvicorn_command",
]

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "token-for-tests"  # the sandbox takes any
_START_S = 90.0  # wagtail applies its migrations meanwhile
_STOP_S = 8.0

#: Server and application of each shop; two worker processes where the server can have several.
SHOPS: Mapping[str, tuple[str, str]] = {
    "starlette": ("uvicorn", "examples.starlette_shop:app"),
    "fastapi": ("uvicorn", "examples.fastapi_shop:app"),
    "flask": ("gunicorn", "examples.flask_shop:app"),
    "django_wsgi": ("gunicorn", "examples.django_shop:wsgi_application"),
    "django_asgi": ("uvicorn", "examples.django_shop:asgi_application"),
    "litestar": ("uvicorn", "examples.litestar_shop:app"),
    "quart": ("uvicorn", "examples.quart_shop:app"),
}
#: Shops that share their views: they are driven in full in the long tests.
MORE_SHOPS: Mapping[str, tuple[str, str]] = {
    "falcon": ("gunicorn", "examples.falcon_shop:app"),
    "pyramid": ("gunicorn", "examples.pyramid_shop:app"),
    "bottle": ("gunicorn", "examples.bottle_shop:app"),
    "sanic": ("uvicorn", "examples.sanic_shop:app"),
    "blacksheep": ("uvicorn", "examples.blacksheep_shop:app"),
}


@dataclass(frozen=True)
class Server:
    """One server process group that answers.

    Attributes:
        folder: where its log, outbox and orders are.
        pixel: the pixel code that its events carry; empty where it has none.
    """

    name: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    pixel: str = ""
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def log(self) -> bytes:
        """All that the server has printed."""
        return (self.folder / "log").read_bytes()

    @property
    def outbox_files(self) -> list[Path]:
        """The outbox with the files that SQLite keeps beside it."""
        return sorted(self.folder.glob("outbox.sqlite3*"))


def uvicorn_command(target: str, port: int) -> list[str]:
    return [sys.executable, "-m", "uvicorn", target, "--host", "127.0.0.1", "--port", str(port)]


def gunicorn_command(target: str, port: int, *, workers: int = 2) -> list[str]:
    options = ["--workers", str(workers), "--access-logfile", "-", "--no-control-socket", "--graceful-timeout", "3"]
    return [sys.executable, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", target]


def command_of(shop: str, port: int) -> list[str]:
    """The command line that serves one of the shops."""
    server, target = {**SHOPS, **MORE_SHOPS}[shop]
    return uvicorn_command(target, port) if server == "uvicorn" else gunicorn_command(target, port)


def plain_environment(folder: Path) -> dict[str, str]:
    """What a shop needs that knows nothing of TikTok."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIKTOK_", "SHOP_", "COV_"))}
    return {**kept, "PYTHONUNBUFFERED": "1", "SHOP_DB": str(folder / "orders.sqlite3")}


def shop_environment(folder: Path, sandbox: str, pixel: str, *, outbox: Path | None = None) -> dict[str, str]:
    """The variables that connect a shop with the sandbox, with an outbox file in its folder."""
    return {
        **plain_environment(folder),
        "TIKTOK_PIXEL_ID": pixel,
        "TIKTOK_ACCESS_TOKEN": TOKEN,
        "TIKTOK_STRICT": "true",
        "TIKTOK_API_URL": f"{sandbox}/open_api/v1.3",
        "TIKTOK_PIXEL_URL": f"{sandbox}/i18n/pixel/events.js",
        "TIKTOK_OUTBOX": f"sqlite:///{outbox or folder / 'outbox.sqlite3'}",
    }


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str], *, pixel: str = ""
) -> Iterator[Server]:
    """A server that answers in time, until the block ends."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = Server(name, port, folder, process, pixel)
    try:
        _await_answer(server)
        yield server
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started: politely, then not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_answer(server: Server) -> None:
    deadline = time.monotonic() + _START_S
    with httpx.Client(timeout=5, verify=False) as visitor:  # no TLS: its context takes 30 ms, which each try would pay
        while time.monotonic() < deadline:
            if server.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                visitor.get(server.url + "/no-such-page")
                return
            time.sleep(0.05)
    raise AssertionError(f"{server.name} did not start:\n{server.log.decode(errors='replace')[-4000:]}")
