"""The ``tiktok-middleware`` command; it arranges other parts and adds no behaviour of its own."""

from __future__ import annotations

import importlib.util
import json
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

from tiktok_middleware import __version__
from tiktok_middleware._option_parsers import masked
from tiktok_middleware.cli.data_map import data_map
from tiktok_middleware.cli.outbox import outbox
from tiktok_middleware.cli.send import send
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.location import outbox_risk, outbox_url
from tiktok_middleware.errors import TikTokError

__all__ = ["main"]

_DEMO_PIXEL = "C5DEM0SHOP0000000000"
_START_S = 20.0
_STOP_S = 8.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tiktok-middleware")
def main() -> None:
    """TikTok Pixel and Events API for any WSGI or ASGI app."""


@main.command()
@click.option(
    "--port", envvar="PORT", default=8000, show_default=True, type=click.IntRange(1, 65534), help="Port of the shop."
)
@click.option(
    "--sandbox-port", default=None, type=click.IntRange(1, 65535), help="Port of the sandbox; the shop's plus one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that both listen on.")
def demo(port: int, sandbox_port: int | None, host: str) -> None:
    """Start a small shop and a stand-in for TikTok, and watch events match."""
    _need("uvicorn", "demo")
    _need("jinja2", "demo")
    sandbox_port = sandbox_port or port + 1
    for wanted in (port, sandbox_port):
        _need_free(host, wanted)
    with tempfile.TemporaryDirectory(prefix="tiktok-demo-") as folder, ExitStack() as stack:
        environment = {
            **os.environ,
            "TIKTOK_PIXEL_ID": os.environ.get("TIKTOK_PIXEL_ID") or _DEMO_PIXEL,
            "TIKTOK_ACCESS_TOKEN": os.environ.get("TIKTOK_ACCESS_TOKEN") or "demo-token",
            "TIKTOK_ENVIRONMENT": "development",
            "TIKTOK_API_URL": f"http://{host}:{sandbox_port}/open_api/v1.3",
            "TIKTOK_PIXEL_URL": f"http://{host}:{sandbox_port}/i18n/pixel/events.js",
            "TIKTOK_OUTBOX": f"sqlite:///{folder}/outbox.sqlite3",
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


@main.command()
@click.option(
    "--port", envvar="PORT", default=8001, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def sandbox(port: int, host: str) -> None:
    """Start the stand-in for TikTok: Events API, events.js and the inspector page."""
    _need("uvicorn", "demo")
    _need_free(host, port)
    import uvicorn  # noqa: PLC0415  # an extra

    click.echo(f"  Inspector       http://{host}:{port}/")
    click.echo(f"  TIKTOK_API_URL=http://{host}:{port}/open_api/v1.3")
    click.echo(f"  TIKTOK_PIXEL_URL=http://{host}:{port}/i18n/pixel/events.js")
    uvicorn.run("tiktok_middleware.sandbox:app", host=host, port=port, log_level="warning")


main.add_command(outbox)
main.add_command(send)


@main.command()
@click.option("--concurrency", type=click.IntRange(1), help="Processes; Celery takes one for each processor.")
@click.option("--log-level", default="INFO", show_default=True, help="Celery's log level.")
def worker(concurrency: int | None, log_level: str) -> None:
    """Start a Celery worker that brings events from the broker of TIKTOK_CELERY_BROKER to TikTok."""
    _need("celery", "celery")
    try:
        config = Config.from_env()
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
    if not config.celery_broker:
        raise click.ClickException(
            "TIKTOK_CELERY_BROKER is not set: with a Celery app of your own add our task to it"
            " (tiktok_middleware.delivery.celery.register) and the queue to its workers (-Q celery,tiktok)"
        )
    reason = config.server_reason if config.is_on else "no_pixel"
    if reason:
        raise click.ClickException(f"nothing can be sent from here: {reason}")
    from tiktok_middleware.delivery.celery import QUEUE, make_app  # noqa: PLC0415  # an extra

    arguments = ["worker", "--queues", QUEUE, "--loglevel", log_level, "--hostname", f"{QUEUE}-{os.getpid()}@%h"]
    if concurrency:
        arguments += ["--concurrency", str(concurrency)]
    make_app(config.celery_broker).worker_main(arguments)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--data-map", "wants_data_map", is_flag=True, help="Print what is shared with TikTok, as Markdown.")
def check(as_json: bool, wants_data_map: bool) -> None:  # click passes flags so
    """Read the environment's configuration and say what it means, or what is wrong with it."""
    from tiktok_middleware.client import Client  # noqa: PLC0415  # brings delivery along, which other commands need not

    try:
        config = Config.from_env()
        Client(config).close(0)  # consent platforms, consent functions and sinks are looked up when it is made
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
    if wants_data_map:
        found = data_map(config)
        click.echo(json.dumps(found.as_json(), indent=2) if as_json else found.as_markdown(), nl=as_json)
        return
    rows = {
        "pixels": ", ".join(config.pixels) or "none: everything passes through",
        "access token": ", ".join(map(masked, config.tokens)) or "none: browser channel only",
        "environment": config.environment,
        "browser channel": config.browser_reason or "on" if config.is_on else "off",
        "server channel": config.server_reason or "on" if config.is_on else "off",
        "consent": config.consent,
        "global privacy control": config.gpc,
        "outbox": _outbox(config),
        "Events API": config.api_url,
        "pixel script": config.pixel_url,
    }
    strangers = Config.strangers()
    if strangers:
        rows["no options"] = ", ".join(
            f"{name} (did you mean {nearest}?)" if nearest else name for name, nearest in strangers.items()
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console  # noqa: PLC0415  # only the table needs it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))  # a path may hold what rich takes for markup
    Console().print(table)


def _outbox(config: Config) -> str:
    """Where events wait, and what is wrong with that place."""
    risk = outbox_risk(outbox_url(config)) if config.is_on else ""
    return f"{config.outbox}: {outbox_url(config)} is {risk}" if risk else config.outbox


def _shop_module() -> str:
    """The demo shop: part of an installed package, and in a checkout the ``examples`` folder beside it."""
    home = "tiktok_middleware._demo" if _is_there("tiktok_middleware._demo") else "examples"
    return f"{home}.starlette_shop:app"


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _need(module: str, extra: str) -> None:
    if not _is_there(module):
        raise click.ClickException(f'{module} is missing: pip install "tiktok-middleware[{extra}]"')


def _need_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(
                f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port or PORT"
            ) from None


def _serve(target: str, host: str, port: int, environment: dict[str, str], stack: ExitStack) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "uvicorn", target, "--host", host, "--port", str(port), "--log-level", "warning"]
    # A session of its own: Ctrl-C reaches this process alone, which then stops the servers in order.
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
