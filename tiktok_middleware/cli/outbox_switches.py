"""The operator's switches: ``outbox pause``, ``resume``, ``off`` and ``on``; they take effect within a second."""

from __future__ import annotations

import time

import click

from tiktok_middleware.cli.outbox_file import opened_outbox
from tiktok_middleware.delivery.outbox.base import Switches

__all__ = ["off", "on", "pause", "resume"]


@click.command(epilog="Example: tiktok-middleware outbox pause")
@click.pass_obj
def pause(url: str | None, /) -> None:
    """Stop sending in every process that uses the outbox. Events are still tracked, and wait in the outbox."""
    _switch(url, paused=True)
    click.echo("Paused: events wait in the outbox until `outbox resume`.")


@click.command(epilog="Example: tiktok-middleware outbox resume")
@click.pass_obj
def resume(url: str | None, /) -> None:
    """Resume sending after a pause."""
    _switch(url, paused=False)
    click.echo("Resumed: events are sent within two seconds.")


@click.command(epilog="Example: tiktok-middleware outbox off")
@click.pass_obj
def off(url: str | None, /) -> None:
    """Stop everything, pages included: responses pass untouched, nothing is tracked, nothing is sent."""
    _switch(url, is_off=True)
    click.echo("Off: pages pass untouched and nothing is tracked or sent until `outbox on`.")


@click.command(epilog="Example: tiktok-middleware outbox on")
@click.pass_obj
def on(url: str | None, /) -> None:
    """Undo `outbox off`; a pause stays in effect."""
    _switch(url, is_off=False)
    click.echo("On: pages carry the pixel and events are tracked again within two seconds.")


def _switch(url: str | None, *, paused: bool | None = None, is_off: bool | None = None) -> None:
    """Set a switch; a switch that does not change keeps its time."""
    now = time.time()
    with opened_outbox(url) as admin:
        before = admin.switches()
        paused_at = before.paused_at if paused is None else (before.paused_at or now) if paused else 0.0
        off_at = before.off_at if is_off is None else (before.off_at or now) if is_off else 0.0
        admin.set_switches(Switches(paused_at, off_at))
