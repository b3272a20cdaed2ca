"""The ``tiktok-middleware outbox`` commands. They show neither identity nor tokens."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, TypeVar

import click
import msgspec

from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.admin import OutboxAdmin
from tiktok_middleware.delivery.outbox.dead_letters import DEAD, IN_FLIGHT, WAITING, OutboxRow, RowFilter, Summary
from tiktok_middleware.delivery.outbox.location import outbox_path, outbox_url
from tiktok_middleware.errors import TikTokError

__all__ = ["REFUSED", "outbox"]

REFUSED = 3
"""Exit code of `retry` where some dead letters may not be sent any more."""

_BAR_ABOVE = 1000  # rows; below that all is done before a bar could be read
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SEND_S = 60.0

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Age(click.ParamType[float]):
    """A time span such as ``30d``, in seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if not found:
            self.fail(f"{value!r} is no time span: a number with s, m, h or d behind it, such as 30d", param, ctx)
        return float(found[1]) * _UNITS_S[found[2]]


@click.group()
@click.option("--outbox", "url", metavar="ADDRESS", help="sqlite:///path; else the one of TIKTOK_OUTBOX.")
@click.pass_context
def outbox(context: click.Context, url: str | None) -> None:
    """See and mend what waits for TikTok, or was given up, on this host.

    Works while the app runs. Exit codes: 0 done, 1 not possible, 2 misspelt, 3 some letters may not be sent any more.
    """
    context.obj = url


def _choosing(command: _Command) -> _Command:
    """The options that say which rows are meant."""
    options = (
        click.option("--pixel", default="", help="Only this pixel."),
        click.option("--event", default="", help="Only events of this name."),
        click.option("--event-id", default="", help="Only this event."),
        click.option("--reason", default="", help="Only where the reason holds these words."),
        click.option("--older-than", type=_Age(), default="0s", help="Only what is older, such as 30d or 12h."),
    )
    for option in reversed(options):
        command = option(command)
    return command


_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@outbox.command()
@_as_json
@click.pass_obj
def status(url: str | None, /, as_json: bool) -> None:
    """What waits, is on its way, or is dead: how many of each event, and why."""
    with _desk(url) as (desk, path):
        found = desk.summary()
    now = time.time()
    oldest_s = None if found.oldest is None else round(now - found.oldest, 1)
    if as_json:
        counts = {state: found.count(state) for state in (WAITING, IN_FLIGHT, DEAD)}
        sizes = {"oldest_s": oldest_s, "waiting_bytes": found.waiting_bytes, "file_bytes": found.file_bytes}
        sizes["counted_once"] = found.claims
        groups = [{**msgspec.structs.asdict(group), "oldest": _iso(group.oldest)} for group in found.groups]
        _print_json({"outbox": str(path), **counts, **sizes, "events": groups})
    else:
        _print_summary(found, path, oldest_s, now)


@outbox.command("list")
@click.option("--state", "states", type=click.Choice([WAITING, IN_FLIGHT, DEAD]), multiple=True, help="Only these.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Rows at most.")
@_choosing
@_as_json
@click.pass_obj
def list_(url: str | None, /, states: tuple[str, ...], limit: int, as_json: bool, **chosen: Any) -> None:
    """The events themselves, with their ids and the reasons why they wait or are dead."""
    choice = _choice(states, **chosen)
    with _desk(url) as (desk, _):
        count = desk.count(choice)
        rows = [letter for letter, _ in zip(desk.letters(choice), range(limit), strict=False)]
    if as_json:
        _print_json([_listed(row) for row in rows])
        return
    columns = ("state", "event", "event_id", "pixel", "happened", "tries", "reason")
    _print_table(columns, [[str(_listed(row)[name]) for name in columns] for row in rows])
    if count > len(rows):
        click.echo(f"{count - len(rows)} more; see them with --limit or `outbox export`")


@outbox.command()
@click.option("--as-new", is_flag=True, help="Also pairs older than 47 h, which TikTok then counts a second time.")
@click.option("--send", is_flag=True, help="Send from here too, within a minute: for a host where no app runs.")
@_choosing
@_as_json
@click.pass_obj
def retry(url: str | None, /, as_new: bool, send: bool, as_json: bool, **chosen: Any) -> None:
    """Put dead letters back, and try at once what waits for a later try or for an operator."""
    choice = _choice((WAITING, DEAD), **chosen)
    with _desk(url) as (desk, _), _bar("Putting back", desk.count(choice)) as advance:
        done = desk.retry(choice, as_new=as_new, on_progress=advance)
    is_sent = _send(url) if send else None
    if as_json:
        _print_json({**msgspec.structs.asdict(done), **({} if is_sent is None else {"sent": is_sent})})
    else:
        click.echo(f"{done.put_back} dead letter(s) wait again, {done.hastened} event(s) are tried at once.")
        if is_sent is not None:
            click.echo("All is sent." if is_sent else "Not all is sent yet; see `outbox status`.")
    if done.expired:
        click.echo(
            f"{done.expired} stay dead: their browser copy went out more than 47 h ago, and TikTok would count them"
            " again; --as-new accepts that",
            err=True,
        )
    if done.too_old:
        click.echo(
            f"{done.too_old} stay dead: they are older than 7 days (offline and CRM: 28),"
            " and TikTok attributes them to nothing",
            err=True,
        )
    if done.expired or done.too_old:
        sys.exit(REFUSED)


@outbox.command()
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="A file; else standard output.")
@click.option("--state", "states", type=click.Choice([WAITING, IN_FLIGHT, DEAD]), multiple=True, help="Only these.")
@_choosing
@click.pass_obj
def export(url: str | None, /, target: Path | None, states: tuple[str, ...], **chosen: Any) -> None:
    """One JSON object a line for each event: what happened, when and why it is here, without whom it is about."""
    choice = _choice(states, **chosen)
    with _desk(url) as (desk, _), _opened(target) as file, _bar("Exporting", desk.count(choice)) as advance:
        for letter in desk.letters(choice):
            line = {**_listed(letter), "source": letter.source, "page": letter.page, "properties": letter.properties}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            advance(1)


@outbox.command()
@click.option("--dead", is_flag=True, help="Remove dead letters.")
@click.option("--waiting", is_flag=True, help="Remove what waits, and was never delivered.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_choosing
@_as_json
@click.pass_obj
def purge(url: str | None, /, dead: bool, waiting: bool, yes: bool, as_json: bool, **chosen: Any) -> None:
    """Remove events for good; what was counted once stays counted."""
    if not dead and not waiting:
        raise click.UsageError("say what to remove: --dead, --waiting or both")
    choice = _choice((*([WAITING] if waiting else []), *([DEAD] if dead else [])), **chosen)
    with _desk(url) as (desk, path):
        count = desk.count(choice)
        if count and not yes:
            click.confirm(f"Remove {count} event(s) from {path} for good?", abort=True, err=True)
        with _bar("Removing", count) as advance:
            gone = desk.purge(choice, advance)
    if as_json:
        _print_json({"purged": gone})
    else:
        click.echo(f"{gone} event(s) removed.")


def _choice(states: tuple[str, ...], older_than: float, **fields: str) -> RowFilter:
    return RowFilter(states=states or (WAITING, IN_FLIGHT, DEAD), before=time.time() - older_than, **fields)


@contextmanager
def _desk(url: str | None) -> Iterator[tuple[OutboxAdmin, Path]]:
    """The outbox's desk and file; what is wrong with either ends the command with one line."""
    try:
        url = url or outbox_url(Config.from_env())
        if url == "memory://":
            raise click.ClickException(
                "the outbox is memory://: events wait inside each process of the app, where no command sees them;"
                " Client.stats() counts them there, and TIKTOK_OUTBOX=sqlite:///path keeps them on disk"
            )
        path = outbox_path(url)
        if path is None:
            raise click.ClickException(f"{url!r} is no outbox; allowed: sqlite:///path")
        yield OutboxAdmin(path, time.time), path
    except TikTokError as error:
        raise click.ClickException(str(error)) from None


def _send(url: str | None) -> bool:
    """Whether all that waits is sent from this process."""
    try:
        client = Client(Config.from_env(outbox=url))
        reason = client.config.server_reason if client.config.is_on else "no_pixel"
        if reason:
            raise click.ClickException(f"nothing can be sent from here: {reason}")
        client.start()
        return client.close(_SEND_S)
    except TikTokError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _opened(target: Path | None) -> Iterator[IO[str]]:
    if target is None:
        yield sys.stdout
        return
    try:
        with target.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise click.ClickException(f"cannot write {target}: {error.strerror}") from None


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, for work that one can watch."""
    if total < _BAR_ABOVE or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  # only long work needs it
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda rows: progress.advance(task, rows)


def _listed(letter: OutboxRow) -> dict[str, object]:
    at = {WAITING: "due", IN_FLIGHT: "lease_ends", DEAD: "died"}[letter.state]
    return {
        "state": letter.state,
        "event": letter.event,
        "event_id": letter.event_id,
        "pixel": letter.pixel,
        "happened": _iso(letter.event_time),
        "paired": letter.paired,
        "tries": letter.tries,
        "reason": letter.reason,
        at: _iso(letter.at),
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _print_summary(found: Summary, path: Path, oldest_s: float | None, now: float) -> None:
    counts = ", ".join(f"{found.count(state)} {state.replace('_', ' ')}" for state in (WAITING, IN_FLIGHT, DEAD))
    click.echo(f"{path}\n{counts}")
    click.echo(f"{found.waiting_bytes:,} bytes wait, {found.file_bytes:,} bytes on disk")
    click.echo(f"{found.claims:,} conversions are remembered as counted, one for each channel")
    if oldest_s is not None:
        click.echo(f"the oldest that waits happened {_span(oldest_s)} ago")
    if found.groups:
        rows = [[g.state, g.event, f"{g.count:,}", _span(now - g.oldest), g.reason] for g in found.groups]
        _print_table(("state", "event", "count", "oldest", "reason"), rows)


def _span(seconds: float) -> str:
    for unit, size in reversed(_UNITS_S.items()):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _print_table(columns: tuple[str, ...], rows: list[list[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # only tables need it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "event_id")
    for row in rows:
        table.add_row(*(Text(value) for value in row))  # a reason may hold what rich takes for markup
    Console().print(table)
