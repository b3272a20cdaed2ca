"""The ``erase`` command: remove the stored events of a person."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from tiktok_middleware.cli.outbox_file import (
    EXIT_REFUSED,
    as_json_option,
    naming,
    opened_outbox,
    person_of,
    print_json,
    progress_bar,
)
from tiktok_middleware.delivery.outbox.dead_letters import Erased, RowFilter
from tiktok_middleware.errors import OutboxError

__all__ = ["erase"]


@click.command(epilog="Example: tiktok-middleware erase --email jane@shop.example --phone +4915112345678")
@click.option(
    "--outbox", "url", metavar="ADDRESS", help="sqlite:///path or postgresql://...; else the one of TIKTOK_OUTBOX."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@naming
@as_json_option
def erase(url: str | None, yes: bool, as_json: bool, **named: Any) -> None:
    """Remove every stored event of a person: waiting events, dead letters, and their copies on the disk.

    Of a shared outbox, also the events that wait on this host while it does not answer: run it on each host.

    Works while the app runs. Events that TikTok has received already, and events in the memory of a process or in a
    Celery broker, are not removed. Exit code 3 if a reader kept the disk from being overwritten: run it again.
    """
    person = person_of(named)
    if person is None:
        raise click.UsageError("say whom: --email, --phone, --external-id, --ttp or --ip")
    with opened_outbox(url) as admin:
        try:
            count = admin.count(RowFilter())
        except OutboxError:
            count = 0  # what waits on this host is searched nevertheless
        if not yes:
            click.confirm(f"Remove all events of this person from {admin.name}?", abort=True, err=True)
        with progress_bar("Looking through", count) as advance:
            done = admin.erase(person, advance)
        others = admin.leftovers()
    if as_json:
        print_json({**msgspec.structs.asdict(done), "set_aside": others})
    else:
        _print(done, others)
    if not done.is_scrubbed:
        sys.exit(EXIT_REFUSED)


def _print(done: Erased, others: list[str]) -> None:
    click.echo(done.in_words)
    click.echo(
        "The file and its log hold no copy any more."
        if done.is_scrubbed
        else "A reader kept the log from being emptied: run this again, else it is emptied within a minute."
    )
    for file in others:
        click.echo(f"Not searched: {file}, a damaged file that was set aside; delete it when you need it no more.")
