"""``tiktok-middleware sandbox``: run the local stand-in for TikTok as a server."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_middleware._printable import printable
from tiktok_middleware.cli.preconditions import need_free_port, need_package

if TYPE_CHECKING:
    from tiktok_middleware.sandbox.store import Conversion

__all__ = ["Confirmations", "arrival_line", "sandbox", "sandbox_variables"]

_PIXEL = "C5SANDB0XPIXEL000000"
_ONE_SIDED = {"browser_only": "the server's", "server_only": "the browser's"}
# A page fires its copy some seconds after the server's, where the app runs with a debugger or many files.
_OTHER_COPY_S = 3.0
_MAX_SUMMED = 100_000


def sandbox_variables(host: str, port: int, folder: str) -> dict[str, str]:
    """Return the variables that point an app at a sandbox; pixel, consent and page view keep values already set.

    Args:
        host: address of the sandbox.
        port: port of the sandbox.
        folder: where the app's outbox is, a new one for each run; empty to leave the outbox as it is.
    """
    return {
        "TIKTOK_PIXEL_ID": os.environ.get("TIKTOK_PIXEL_ID") or _PIXEL,
        "TIKTOK_ACCESS_TOKEN": "sandbox-token",
        "TIKTOK_CONSENT": os.environ.get("TIKTOK_CONSENT") or "implied",
        "TIKTOK_PAGE_VIEW": os.environ.get("TIKTOK_PAGE_VIEW") or "matched",
        **({"TIKTOK_OUTBOX": f"sqlite:///{folder}/outbox.sqlite3"} if folder else {}),
        "TIKTOK_ENVIRONMENT": "development",
        "TIKTOK_API_URL": f"http://{host}:{port}/open_api/v1.3",
        "TIKTOK_PIXEL_URL": f"http://{host}:{port}/i18n/pixel/events.js",
    }


@click.command(
    epilog="Example: run 'tiktok-middleware sandbox' in one terminal, paste its export lines into another, and start"
    " your app there. Each event that arrives is confirmed here."
)
@click.option("--port", default=8001, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also write the variables to this file, one NAME=VALUE a line.",
)
def sandbox(port: int, host: str, env_file: Path | None) -> None:
    """Start the stand-in for TikTok: Events API, events.js and the inspector page.

    It prints the variables that an app needs to send its events here. Their outbox is a new one for each run of the
    sandbox, so that an order of an earlier trial can be placed again, unless TIKTOK_OUTBOX is set here.
    It needs the extra "demo": pip install "tiktok-middleware[demo]"
    """
    need_package("uvicorn", "demo")
    need_free_port(host, port)
    import uvicorn  # noqa: PLC0415  # an extra

    from tiktok_middleware.sandbox import create_app  # noqa: PLC0415  # also imports starlette

    folder = "" if os.environ.get("TIKTOK_OUTBOX") else tempfile.mkdtemp(prefix="tiktok-sandbox-")
    variables = sandbox_variables(host, port, folder)
    lines = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]  # a shell reads them
    click.echo(f"\n  Inspector  http://{host}:{port}/\n\n  Start your app with these variables:\n")
    for line in lines:
        click.echo(f"export {line}")
    if env_file is not None:
        try:
            env_file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        except OSError as error:
            raise click.ClickException(f"cannot write {env_file} ({error.strerror})") from None
        path = shlex.quote(str(env_file.absolute()))
        click.echo(f"\n  They are in {env_file} too. To load them into a shell: set -a; . {path}; set +a")
    click.echo("\n  Events are confirmed here as they arrive. Ctrl-C stops the sandbox.\n")
    confirmations = Confirmations()
    uvicorn.run(create_app(on_state=confirmations.arrived), host=host, port=port, log_level="warning")
    confirmations.end()


class Confirmations:
    """Print one line for an event when both copies have arrived, and one for a copy that has waited some seconds.

    Args:
        wait_s: how long one copy waits for the other.
    """

    def __init__(self, wait_s: float = _OTHER_COPY_S) -> None:
        self._wait_s = wait_s
        self._states: dict[str, str] = {}
        self._waiting: dict[str, Conversion] = {}

    def arrived(self, conversion: Conversion) -> None:
        """Take an event of which a copy has arrived; called on the event loop."""
        key = conversion.key
        if len(self._states) < _MAX_SUMMED or key in self._states:
            self._states[key] = conversion.state
        if conversion.state in _ONE_SIDED:
            self._waiting[key] = conversion
            asyncio.get_running_loop().call_later(self._wait_s, self._print_waiting, key)
        else:
            self._waiting.pop(key, None)
            click.echo(arrival_line(conversion))

    def _print_waiting(self, key: str) -> None:
        """Print an event whose other copy has not come meanwhile."""
        if (conversion := self._waiting.pop(key, None)) is not None:
            click.echo(arrival_line(conversion))

    def end(self) -> None:
        """Print the events that still wait, and how many have matched."""
        for key in list(self._waiting):
            self._print_waiting(key)
        states = list(self._states.values())
        click.echo(f"\n  {states.count('matched')} of {len(states)} events matched.")


def _plain(value: object) -> str:
    """Return a value as text; whole numbers without a fraction, as JSON of either channel may write them."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def arrival_line(conversion: Conversion) -> str:
    """Return the line that confirms an event, such as ``matched: Purchase  59.9 EUR, order A-1001  5f0e...``."""
    state = conversion.state.replace("_", " ")
    differing = ", ".join(difference.path for difference in conversion.differences)
    given = conversion.properties
    value = " ".join(_plain(given[name]) for name in ("value", "currency") if name in given)
    order = f"order {given['order_id']}" if "order_id" in given else ""
    what = ", ".join(filter(None, [value, order]))
    other = _ONE_SIDED.get(conversion.state, "")
    parts = [
        f"{state}: {conversion.event}{f' ({differing})' if differing else ''}",
        what,
        conversion.event_id,
        f"(no copy on {other} channel so far)" if other else "",
    ]
    return printable("  ".join(filter(None, parts)))
