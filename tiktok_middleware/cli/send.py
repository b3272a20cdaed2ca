"""The ``send`` command: send one event from the shell directly to TikTok, without the outbox."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.errors import EventError, TikTokError

__all__ = ["answers_of", "records_of", "send"]

_IDENTITY = ("email", "phone", "external_id")
_CONTEXT = ("url", "ttclid", "lead_id", "lead_event_source")


@click.command(
    epilog="Example: tiktok-middleware send Purchase --value 5 --currency EUR --email jane@shop.example --url"
    " https://shop.example/thanks --property order_id=A-1001"
)
@click.argument("event")
@click.option("--value", type=float, help="What it is worth in all.")
@click.option("--currency", help="Currency of the value, such as EUR.")
@click.option(
    "--property", "properties", multiple=True, metavar="NAME=VALUE", help="Any other parameter; JSON or text."
)
@click.option("--email", help="Who it is about; hashed here.")
@click.option("--phone", help="The same, with its country code.")
@click.option("--external-id", help="The same, by your own number.")
@click.option("--once", help="Make the event's id from this key, as track(once=...) does.")
@click.option("--event-id", help="The event's id.")
@click.option("--source", type=click.Choice(["web", "offline", "crm"]), default="web", show_default=True)
@click.option("--url", help="Address of the page that it happened on.")
@click.option("--ttclid", help="TikTok's click id; that of the address where it is not given.")
@click.option("--lead-id", help="TikTok's id of the lead, for crm.")
@click.option("--lead-event-source", help="Name of the CRM system, for crm.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def send(event: str, *, source: str, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Send one EVENT, such as Purchase, through the server channel, and print TikTok's answer.

    With TIKTOK_TEST_EVENT_CODE the event appears under Test Events; otherwise it counts. Exit code 0 if TikTok accepted
    the event, or with --dry-run if it could be sent; else 1.
    """
    try:
        config = Config.from_env(strict=True)
        records = records_of(config, event, source, given)
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
    bodies = [{"event_source": r.source, "event_source_id": r.pixel, "data": [json.loads(r.body)]} for r in records]
    if dry_run:
        click.echo(json.dumps(bodies, indent=2))
        return
    answers = answers_of(config, records)
    for record, answer in zip(records, answers, strict=True):
        said = {"event_source_id": record.pixel, "event_id": record.event_id, **_said(answer)}
        click.echo(json.dumps(said) if as_json else " ".join(map(str, said.values())).strip())
    if not all(isinstance(answer, Delivered) for answer in answers):
        raise SystemExit(1)


def records_of(config: Config, event: str, source: str, given: dict[str, Any]) -> list[Record]:
    """Return the server copies of an event, one for each pixel.

    Raises:
        TikTokError: the configuration or an argument is not valid.
    """
    from tiktok_middleware.client import Client  # noqa: PLC0415  # also imports delivery, which other commands do not need
    from tiktok_middleware.core.tracking.server_event import server_entry  # noqa: PLC0415
    from tiktok_middleware.core.tracking.server_tracker import Context, server_tracker  # noqa: PLC0415

    client = Client(config)
    # The operator who enters the event is responsible for consent. The event bypasses the outbox.
    context = Context(**{name: given.get(name) for name in _CONTEXT})
    tracker = server_tracker(client.runtime, None, source=source, consent=True, context=context)
    tracker.identify(**{name: given[name] for name in _IDENTITY if given.get(name) is not None})
    properties = dict(map(_property, given.get("properties", ())))
    properties |= {name: given[name] for name in ("value", "currency") if given.get(name) is not None}
    made = tracker.track(event, properties, once=given.get("once"), event_id=given.get("event_id"))
    if not made.channels.server:
        raise EventError("event", f"not sent: {made.channels.server.reason}", "see tiktok-middleware check")
    submissions = [server_entry(pending, tracker.state) for pending in tracker.state.take()]
    client.close(0)
    return [record for submission in submissions if submission is not None for record in submission.records]


def _property(text: str) -> tuple[str, object]:
    """Return name and value; a value that is not JSON is a text."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.BadParameter(f"{text!r} has no value; allowed: NAME=VALUE", param_hint="--property")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def answers_of(config: Config, records: list[Record]) -> list[Verdict]:
    """Send each record by itself, and return TikTok's answers in the same order."""
    from tiktok_middleware.delivery.sender.events_api import EventsApi  # noqa: PLC0415  # also imports httpx

    api = EventsApi(config.api_url, config.token_by_pixel, config.test_event_code or None, clock=time.time)
    try:
        return [verdict for record in records for verdict in api.send([record])]
    finally:
        api.close()


def _said(answer: Verdict) -> dict[str, str]:
    words = answer.warning if isinstance(answer, Delivered) else answer.reason
    return {"answer": type(answer).__name__.lower(), "reason": words}
