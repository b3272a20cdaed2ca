"""``tiktok-middleware sandbox``: the stand-in for TikTok as a server."""

from __future__ import annotations

import click

from tiktok_middleware.cli.preconditions import need_free_port, need_package

__all__ = ["sandbox"]


@click.command()
@click.option(
    "--port", envvar="PORT", default=8001, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def sandbox(port: int, host: str) -> None:
    """Start the stand-in for TikTok: Events API, events.js and the inspector page."""
    need_package("uvicorn", "demo")
    need_free_port(host, port)
    import uvicorn  # noqa: PLC0415  # an extra

    click.echo(f"  Inspector       http://{host}:{port}/")
    click.echo(f"  TIKTOK_API_URL=http://{host}:{port}/open_api/v1.3")
    click.echo(f"  TIKTOK_PIXEL_URL=http://{host}:{port}/i18n/pixel/events.js")
    uvicorn.run("tiktok_middleware.sandbox:app", host=host, port=port, log_level="warning")
