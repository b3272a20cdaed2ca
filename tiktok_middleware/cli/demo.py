"""``tiktok-middleware demo``: run a small shop and the sandbox, each in its own process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from tiktok_middleware.cli.preconditions import is_installed, need_free_port, need_package

__all__ = ["demo"]

_DEMO_PIXEL = "C5DEM0SHOP0000000000"
_START_S = 20.0
_STOP_S = 8.0


@click.command(epilog="Example: tiktok-middleware demo --port 8000, then open the shop's address in a browser.")
@click.option(
    "--port", envvar="PORT", default=8000, show_default=True, type=click.IntRange(1, 65534), help="Port of the shop."
)
@click.option(
    "--sandbox-port", default=None, type=click.IntRange(1, 65535), help="Port of the sandbox; the shop's plus one."
)
@click.option(
    "--consent",
    type=click.Choice(["implied", "required"]),
    default=None,
    help="With 'required', the shop's banner asks each visitor first. Default: TIKTOK_CONSENT, else implied.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that both listen on.")
def demo(port: int, sandbox_port: int | None, consent: str | None, host: str) -> None:
    """Start a small shop and a stand-in for TikTok, and watch events match."""
    need_package("uvicorn", "demo")
    need_package("jinja2", "demo")
    sandbox_port = sandbox_port or port + 1
    for wanted in (port, sandbox_port):
        need_free_port(host, wanted)
    with tempfile.TemporaryDirectory(prefix="tiktok-demo-") as folder, ExitStack() as stack:
        environment = {
            **os.environ,
            "TIKTOK_PIXEL_ID": os.environ.get("TIKTOK_PIXEL_ID") or _DEMO_PIXEL,
            "TIKTOK_ACCESS_TOKEN": os.environ.get("TIKTOK_ACCESS_TOKEN") or "demo-token",
            "TIKTOK_ENVIRONMENT": "development",
            "TIKTOK_API_URL": f"http://{host}:{sandbox_port}/open_api/v1.3",
            "TIKTOK_PIXEL_URL": f"http://{host}:{sandbox_port}/i18n/pixel/events.js",
            "TIKTOK_CONSENT": consent or os.environ.get("TIKTOK_CONSENT") or "implied",
            "TIKTOK_PAGE_VIEW": os.environ.get("TIKTOK_PAGE_VIEW") or "matched",
            "TIKTOK_OUTBOX": f"sqlite:///{folder}/outbox.sqlite3",
            "SHOP_INSPECTOR_URL": f"http://{host}:{sandbox_port}/",
            "SHOP_DB": str(Path(folder) / "orders.sqlite3"),
        }
        sandbox = _serve("tiktok_middleware.sandbox:app", host, sandbox_port, environment, stack)
        shop = _serve(_shop_module(), host, port, environment, stack)
        if not (_wait_for(host, sandbox_port, sandbox) and _wait_for(host, port, shop)):
            raise click.ClickException("a server did not start; its own words are above")
        click.echo(f"\n  Shop       http://{host}:{port}/?ttclid=E.C.P.demo-click")
        click.echo(f"  Inspector  http://{host}:{sandbox_port}/")
        click.echo("\n  Visit the shop, buy something, and see each event arrive twice and match. Ctrl-C stops both.\n")
        _until_stopped([sandbox, shop])
        died = [name for name, process in (("sandbox", sandbox), ("shop", shop)) if process.poll() is not None]
    if died:
        raise click.ClickException(f"the {died[0]} ended by itself; its own words are above")
    click.echo("Stopped.")


def _shop_module() -> str:
    """Return the demo shop's module: part of an installed package; in a checkout, of the ``examples`` folder."""
    home = "tiktok_middleware._demo" if is_installed("tiktok_middleware._demo") else "examples"
    return f"{home}.starlette_shop:app"


def _serve(target: str, host: str, port: int, environment: dict[str, str], stack: ExitStack) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "uvicorn", target, "--host", host, "--port", str(port), "--log-level", "warning"]
    # A new session: Ctrl-C reaches this process only, which then stops the servers in order.
    process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603  # our own interpreter
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(host: str, port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            return True
        time.sleep(0.05)
    return False


def _until_stopped(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait for Ctrl-C, SIGTERM, the end of the terminal or the end of a server."""
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _interrupt)
    with suppress(KeyboardInterrupt):
        while all(process.poll() is None for process in processes):
            time.sleep(0.2)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
