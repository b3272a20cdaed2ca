"""The ``tiktok-middleware`` command: the group that holds the subcommands."""

from __future__ import annotations

import click

from tiktok_middleware import __version__
from tiktok_middleware.cli.check import check
from tiktok_middleware.cli.demo import demo
from tiktok_middleware.cli.docs import docs
from tiktok_middleware.cli.erase import erase
from tiktok_middleware.cli.init import init
from tiktok_middleware.cli.outbox import outbox
from tiktok_middleware.cli.relay import relay
from tiktok_middleware.cli.sandbox import sandbox
from tiktok_middleware.cli.send import send
from tiktok_middleware.cli.worker import worker

__all__ = ["main"]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: tiktok-middleware check, then tiktok-middleware COMMAND --help for each command's own example.",
)
@click.version_option(__version__, prog_name="tiktok-middleware")
def main() -> None:
    """TikTok Pixel and Events API for any WSGI or ASGI app."""


for _command in (check, demo, docs, erase, init, outbox, relay, sandbox, send, worker):
    main.add_command(_command)
