"""Shared code of the outbox commands: open the outbox, select rows, print them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tiktok_middleware._person import NAMES, read_person
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.dead_letters import DEAD, DELIVERED, IN_FLIGHT, WAITING, OutboxRow, RowFilter
from tiktok_middleware.delivery.outbox.location import outbox_url
from tiktok_middleware.delivery.outbox.operator import open_admin
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.errors import TikTokError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.operator import Admin

__all__ = [
    "EXIT_REFUSED",
    "as_json_option",
    "choosing",
    "iso",
    "listed",
    "naming",
    "opened_outbox",
    "person_of",
    "print_json",
    "progress_bar",
    "row_filter",
    "span",
]

EXIT_REFUSED = 3
"""Exit code if some events are left."""

_BAR_ABOVE = 1000  # rows; with fewer the work ends before anybody could read a bar
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Age(click.ParamType[float]):
    """A time span such as ``30d``, in seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if not found:
            self.fail(f"{value!r} is no time span: a number with s, m, h or d behind it, such as 30d", param, ctx)
        return float(found[1]) * _UNITS_S[found[2]]


def choosing(command: _Command) -> _Command:
    """Add the options that select rows to a command."""
    options = (
        click.option("--pixel", default="", help="Only this pixel."),
        click.option("--environment", default="", help="Only this environment, as `outbox status` names it."),
        click.option("--event", default="", help="Only events of this name."),
        click.option("--event-id", default="", help="Only this event."),
        click.option("--reason", default="", help="Only where the reason holds these words."),
        click.option("--older-than", type=_Age(), default="0s", help="Only what is older, such as 30d or 12h."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def naming(command: _Command) -> _Command:
    """Add the options that identify a person to a command."""
    options = (
        click.option("--email", multiple=True, help="Of this e-mail address, or its SHA-256 hash."),
        click.option("--phone", multiple=True, help="Of this phone number with its country code, or its hash."),
        click.option("--external-id", multiple=True, help="Of this number of your own, or its hash."),
        click.option("--ttp", multiple=True, help="Of this value of the _ttp cookie."),
        click.option("--ip", multiple=True, help="Of this address."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def person_of(given: dict[str, Any]) -> Person | None:
    """Remove the options of `naming` from ``given``, and return the person; None if none of them is set."""
    named = {name: list(given.pop(name)) for name in NAMES}
    if not any(named.values()):
        return None
    try:
        return read_person(named, Config.from_env().phone_region)
    except TikTokError as error:
        raise click.ClickException(str(error)) from None


as_json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def row_filter(states: tuple[str, ...], older_than: float, **fields: Any) -> RowFilter:
    """Return the filter that the options of `choosing` describe."""
    return RowFilter(states=states or (WAITING, IN_FLIGHT, DEAD), before=time.time() - older_than, **fields)


@contextmanager
def opened_outbox(url: str | None) -> Iterator[Admin]:
    """Yield the operator's access to an outbox; an error ends the command with one line."""
    try:
        admin = open_admin(url or outbox_url(Config.from_env()))
        try:
            yield admin
        finally:
            admin.close()
    except TikTokError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar if the output is a terminal and the work is long; yield the call that advances it."""
    if total < _BAR_ABOVE or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  # only long work needs it
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda rows: progress.advance(task, rows)


def listed(row: OutboxRow) -> dict[str, object]:
    """Return a row as the listings show it."""
    at = {WAITING: "due", IN_FLIGHT: "lease_ends", DEAD: "died", DELIVERED: "delivered"}[row.state]
    return {
        "state": row.state,
        "event": row.event,
        "event_id": row.event_id,
        "pixel": row.pixel,
        "environment": row.environment,
        "happened": iso(row.event_time),
        "paired": row.paired,
        "tries": row.tries,
        "reason": row.reason,
        at: iso(row.at),
    }


def iso(at: float) -> str:
    """Return Unix seconds as a date and time in UTC."""
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")


def print_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def span(seconds: float) -> str:
    """Return seconds as a text such as ``3 h``."""
    for unit, size in reversed(_UNITS_S.items()):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
