"""The commands that show an outbox file: ``outbox status``, ``list`` and ``export``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from tiktok_middleware.cli.outbox_file import (
    as_json_option,
    choosing,
    iso,
    listed,
    naming,
    opened_outbox,
    person_of,
    print_json,
    progress_bar,
    row_filter,
    span,
)
from tiktok_middleware.cli.tables import table
from tiktok_middleware.delivery.outbox.dead_letters import DEAD, DELIVERED, IN_FLIGHT, WAITING, Summary
from tiktok_middleware.delivery.outbox.environment import PRODUCTION
from tiktok_middleware.delivery.outbox.location import in_words

__all__ = ["export", "list_", "status"]


_states = click.option(
    "--state",
    "states",
    type=click.Choice([WAITING, IN_FLIGHT, DEAD, DELIVERED]),
    multiple=True,
    help="Only these; delivered events only where they are named.",
)


@click.command(epilog="Example: tiktok-middleware outbox status")
@as_json_option
@click.pass_obj
def status(url: str | None, /, as_json: bool) -> None:
    """Count the events that wait, are being sent, or are dead letters, with the reasons."""
    with opened_outbox(url) as admin:
        name, found, switches = admin.name, admin.summary(), admin.switches()
    now = time.time()
    oldest_s = None if found.oldest is None else round(now - found.oldest, 1)
    if as_json:
        counts = {state: found.count(state) for state in (WAITING, IN_FLIGHT, DEAD)}
        sizes = {"oldest_s": oldest_s, "waiting_bytes": found.waiting_bytes, "file_bytes": found.file_bytes}
        sizes["counted_once"] = found.claims
        since = {
            "paused_since": iso(switches.paused_at) if switches.paused_at else None,
            "off_since": iso(switches.off_at) if switches.off_at else None,
        }
        groups = [{**msgspec.structs.asdict(group), "oldest": iso(group.oldest)} for group in found.groups]
        print_json({"outbox": name, **counts, **sizes, **since, "events": groups})
    else:
        if text := in_words(switches):
            click.echo(text)
        _print_summary(found, name, oldest_s, now)


@click.command("list", epilog="Example: tiktok-middleware outbox list --state dead --older-than 12h")
@_states
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Rows at most.")
@choosing
@as_json_option
@click.pass_obj
def list_(url: str | None, /, states: tuple[str, ...], limit: int, as_json: bool, **chosen: Any) -> None:
    """List the events, with their ids and the reasons why they wait or are dead letters."""
    choice = row_filter(states, **chosen)
    with opened_outbox(url) as admin:
        count = admin.count(choice)
        rows = [row for row, _ in zip(admin.rows(choice), range(limit), strict=False)]
    if as_json:
        print_json([listed(row) for row in rows])
        return
    columns = ("state", "event", "event_id", "pixel", "happened", "tries", "reason")
    click.echo(table(columns, [[str(listed(row)[name]) for name in columns] for row in rows]))
    if count > len(rows):
        click.echo(f"{count - len(rows)} more; see them with --limit or `outbox export`")


@click.command(epilog="Example: tiktok-middleware outbox export --state dead --to dead.jsonl")
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="A file; else standard output.")
@_states
@choosing
@naming
@click.pass_obj
def export(url: str | None, /, target: Path | None, states: tuple[str, ...], **chosen: Any) -> None:
    """Write one JSON object per line for each event: the event, its time and its reason, without identity.

    With --email, --phone, --external-id, --ttp or --ip only the events of that person are written.
    """
    person = person_of(chosen)
    choice = row_filter(states, **chosen)
    with (
        opened_outbox(url) as admin,
        target_file(target) as file,
        progress_bar("Exporting", admin.count(choice)) as advance,
    ):
        for row in admin.rows(choice, person):
            line = {**listed(row), "source": row.source, "page": row.page, "properties": row.properties}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            advance(1)


@contextmanager
def target_file(target: Path | None) -> Iterator[IO[str]]:
    if target is None:
        yield sys.stdout
        return
    try:
        with target.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise click.ClickException(f"cannot write {target}: {error.strerror}") from None


def _print_summary(found: Summary, name: str, oldest_s: float | None, now: float) -> None:
    counts = ", ".join(f"{found.count(state)} {state.replace('_', ' ')}" for state in (WAITING, IN_FLIGHT, DEAD))
    click.echo(f"{name}\n{counts}")
    click.echo(f"{found.waiting_bytes:,} bytes wait, {found.file_bytes:,} bytes on disk")
    click.echo(f"{found.claims:,} copies are remembered by channel and id, so that none is counted again")
    if oldest_s is not None:
        click.echo(f"the oldest that waits happened {span(oldest_s)} ago")
    if found.groups:
        columns = ["state", "event", "count", "oldest", "code", "first reason"]
        rows = [[g.state, g.event, f"{g.count:,}", span(now - g.oldest), g.code, g.reason] for g in found.groups]
        if any(group.environment != PRODUCTION for group in found.groups):
            columns = ["environment", *columns]
            rows = [[group.environment, *row] for group, row in zip(found.groups, rows, strict=True)]
        click.echo(table(columns, rows))
