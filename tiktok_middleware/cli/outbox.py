"""The ``tiktok-middleware outbox`` commands; their output contains neither identity nor tokens."""

from __future__ import annotations

import click

from tiktok_middleware.cli.outbox_changes import forget, purge, retry
from tiktok_middleware.cli.outbox_file import EXIT_REFUSED
from tiktok_middleware.cli.outbox_listings import export, list_, status
from tiktok_middleware.cli.outbox_shared import migrate, move
from tiktok_middleware.cli.outbox_switches import off, on, pause, resume

__all__ = ["EXIT_REFUSED", "outbox"]


@click.group(
    epilog="Example: tiktok-middleware outbox status, then tiktok-middleware outbox retry --reason 40105 --send"
)
@click.option(
    "--outbox", "url", metavar="ADDRESS", help="sqlite:///path or postgresql://...; else the one of TIKTOK_OUTBOX."
)
@click.pass_context
def outbox(context: click.Context, url: str | None) -> None:
    """Show and repair the events that wait for TikTok or are dead letters: on this host, or in a shared outbox.

    Works while the app runs. Exit codes: 0 done, 1 not possible, 2 wrong usage, 3 some events are left: they may not
    be sent any more, or were not sent.
    """
    context.obj = url


for _command in (status, list_, retry, export, purge, forget, pause, resume, off, on, migrate, move):
    outbox.add_command(_command)
