"""``tiktok-middleware sandbox``: run the local stand-in for TikTok as a server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_middleware.cli.preconditions import need_free_port, need_package

if TYPE_CHECKING:
    from tiktok_middleware.sandbox.store import Conversion

__all__ = ["sandbox", "sandbox_variables"]

_PIXEL = "C5SANDB0XPIXEL000000"


def sandbox_variables(host: str, port: int) -> dict[str, str]:
    """Return the variables that point an app at a sandbox; pixel, consent and page view keep values already set."""
    return {
        "TIKTOK_PIXEL_ID": os.environ.get("TIKTOK_PIXEL_ID") or _PIXEL,
        "TIKTOK_ACCESS_TOKEN": "sandbox-token",
        "TIKTOK_CONSENT": os.environ.get("TIKTOK_CONSENT") or "implied",
        "TIKTOK_PAGE_VIEW": os.environ.get("TIKTOK_PAGE_VIEW") or "matched",
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
    """Start the stand-in for TikTok: Events API, events.js and the inspector page."""
    need_package("uvicorn", "demo")
    need_free_port(host, port)
    import uvicorn  # noqa: PLC0415  # an extra

    from tiktok_middleware.sandbox import create_app  # noqa: PLC0415  # also imports starlette

    variables = sandbox_variables(host, port)
    click.echo(f"\n  Inspector  http://{host}:{port}/\n\n  Start your app with these variables:\n")
    for name, value in variables.items():
        click.echo(f"export {name}={value}")
    if env_file is not None:
        try:
            env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), "utf-8")
        except OSError as error:
            raise click.ClickException(f"cannot write {env_file} ({error.strerror})") from None
        click.echo(f"\n  The same lines are in {env_file}.")
    click.echo("\n  Events are confirmed here as they arrive. Ctrl-C stops the sandbox.\n")
    uvicorn.run(create_app(on_state=_confirm), host=host, port=port, log_level="warning")


def _confirm(conversion: Conversion) -> None:
    """Print one line for an event that has arrived on a channel, or on both."""
    state = conversion.state.replace("_", " ")
    differing = ", ".join(difference.path for difference in conversion.differences)
    click.echo(f"{state}: {conversion.event}{f' ({differing})' if differing else ''}  {conversion.event_id}")
