"""``tiktok-middleware check``: what the configuration means, or what is wrong with it."""

from __future__ import annotations

import json

import click

from tiktok_middleware._option_parsers import masked
from tiktok_middleware.cli.data_map import data_map
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.location import outbox_risk, outbox_url
from tiktok_middleware.errors import TikTokError

__all__ = ["check"]


@click.command()
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
