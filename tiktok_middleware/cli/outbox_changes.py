"""The commands that change an outbox file: ``outbox retry``, ``purge`` and ``forget``."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import click
import msgspec

from tiktok_middleware.cli.outbox_file import (
    EXIT_REFUSED,
    as_json_option,
    choosing,
    opened_outbox,
    print_json,
    progress_bar,
    row_filter,
)
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event_names import read_name
from tiktok_middleware.core.events.ids import once_event_id, read_once
from tiktok_middleware.delivery.outbox.dead_letters import DEAD, WAITING
from tiktok_middleware.delivery.outbox.environment import environment_of
from tiktok_middleware.errors import TikTokError

__all__ = ["forget", "purge", "retry"]

_SEND_S = 60.0


@click.command(epilog="Example: tiktok-middleware outbox retry --reason 40105 --send")
@click.option("--as-new", is_flag=True, help="Also pairs older than 47 h, which TikTok then counts a second time.")
@click.option("--send", is_flag=True, help="Send from here too, within a minute: for a host where no app runs.")
@choosing
@as_json_option
@click.pass_obj
def retry(url: str | None, /, as_new: bool, send: bool, as_json: bool, **chosen: Any) -> None:
    """Put dead letters back into the queue, and retry at once what waits for a later try or for an operator."""
    choice = row_filter((WAITING, DEAD), **chosen)
    with opened_outbox(url) as admin, progress_bar("Putting back", admin.count(choice)) as advance:
        done = admin.retry(choice, as_new=as_new, on_progress=advance)
    sent = _send(url) if send else None
    if as_json:
        print_json({**msgspec.structs.asdict(done), **({} if sent is None else sent.as_json())})
    else:
        click.echo(done.in_words)
        if sent is not None:
            click.echo(sent.in_words())
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
    if done.expired or done.too_old or (sent is not None and sent.is_left):
        sys.exit(EXIT_REFUSED)


@click.command(epilog="Example: tiktok-middleware outbox purge --dead --older-than 30d")
@click.option("--dead", is_flag=True, help="Remove dead letters.")
@click.option("--waiting", is_flag=True, help="Remove what waits, and was never delivered.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@choosing
@as_json_option
@click.pass_obj
def purge(url: str | None, /, dead: bool, waiting: bool, yes: bool, as_json: bool, **chosen: Any) -> None:
    """Remove events permanently. Events with `once` still count as sent."""
    if not dead and not waiting:
        raise click.UsageError("say what to remove: --dead, --waiting or both")
    choice = row_filter((*([WAITING] if waiting else []), *([DEAD] if dead else [])), **chosen)
    with opened_outbox(url) as admin:
        count = admin.count(choice)
        if count and not yes:
            click.confirm(f"Remove {count} event(s) from {admin.name} for good?", abort=True, err=True)
        with progress_bar("Removing", count) as advance:
            gone = admin.purge(choice, advance)
    if as_json:
        print_json({"purged": gone})
    else:
        click.echo(f"{gone} event(s) removed.")


class _Sent(NamedTuple):
    """Result of an attempt to send all waiting events.

    Attributes:
        delivered: number of events that TikTok has accepted.
        buried: number of events that became dead letters, by reason.
        waiting: number of events that still wait.
        reason: why sending was stopped; empty if it was not.
    """

    delivered: int
    buried: dict[str, int]
    waiting: int
    reason: str

    @property
    def is_left(self) -> bool:
        """Return whether some event was not delivered."""
        return bool(self.waiting or self.buried)

    def as_json(self) -> dict[str, object]:
        """Return the result for JSON output."""
        return {
            "sent": not self.is_left,
            "delivered": self.delivered,
            "dead_again": sum(self.buried.values()),
            "waiting": self.waiting,
        }

    def in_words(self) -> str:
        """Return the result as a text."""
        if not self.is_left:
            return "All is sent." if self.delivered else "Nothing waits: there was nothing to send."
        parts = [f"{self.delivered} delivered"]
        parts += [f"{count} {reason}, dead letters again" for reason, count in self.buried.items()]
        if self.waiting:
            parts.append(f"{self.waiting} still waiting{f' ({self.reason})' if self.reason else ''}")
        return f"Not all is sent: {'; '.join(parts)}. See `outbox status`."


def _send(url: str | None) -> _Sent:
    """Send all waiting events from this process."""
    from tiktok_middleware.client import Client  # noqa: PLC0415  # also imports delivery, which other commands do not need

    try:
        client = Client(Config.from_env(outbox=url))
        reason = client.config.server_reason if client.config.is_on else "no_pixel"
        if reason:
            raise click.ClickException(f"nothing can be sent from here: {reason}")
        client.start()
        client.close(_SEND_S)
        stats = client.stats()
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
    why = "TikTok refuses this pixel: see the reason in `outbox list`" if stats["halted"] else ""
    return _Sent(stats["delivered"], stats["buried"], stats["waiting"], why)


@click.command(epilog="Example: tiktok-middleware outbox forget --once A-1001")
@click.option("--once", metavar="KEY", help="The key of track(once=...), or the order_id of a Purchase.")
@click.option("--event", default="Purchase", show_default=True, help="Name of the event that the key belongs to.")
@click.option("--event-id", help="The event's id, where there is no key.")
@as_json_option
@click.pass_obj
def forget(url: str | None, /, once: str | None, event: str, event_id: str | None, as_json: bool) -> None:
    """Forget that an event was counted, so that it counts again: for development."""
    if (once is None) == (event_id is None):
        raise click.UsageError("say which event: --once KEY or --event-id ID")
    config = Config.from_env()
    environment = environment_of(config.api_url, config.test_event_code, config.environment)
    try:
        found = event_id if event_id is not None else once_event_id(read_name(event).name, read_once(once))
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
    with opened_outbox(url) as admin:
        gone = admin.forget(found, environment)
    if as_json:
        print_json({"event_id": found, "environment": environment, "forgotten": gone})
    elif gone:
        click.echo(f"{found} is forgotten in environment {environment} and counts again.")
    else:
        click.echo(f"{found} was not counted in environment {environment}: nothing to forget.")
