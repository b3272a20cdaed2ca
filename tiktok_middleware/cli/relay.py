"""``tiktok-middleware relay``: a process that sends what others have stored."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import click

from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.location import outbox_url
from tiktok_middleware.errors import TikTokError

__all__ = ["relay"]


@click.command(epilog="Example: TIKTOK_OUTBOX=postgresql://shop@db/shop tiktok-middleware relay --drain 10")
@click.option(
    "--drain",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 600),
    help="Seconds to go on for after SIGTERM.",
)
def relay(drain: float) -> None:
    """Send the events that other processes store, until SIGTERM or SIGINT.

    Any number of relays may run, on any hosts; web processes with TIKTOK_FLUSH=relay need at least one. After SIGTERM
    waiting events are sent for --drain seconds at most; what is left is released for other relays.
    """
    from tiktok_middleware.client import Client  # noqa: PLC0415  # also imports delivery, which other commands do not need
    from tiktok_middleware.delivery.delivery import Delivery  # noqa: PLC0415

    try:
        config = Config.from_env(flush="background")
        if outbox_url(config) == "memory://":
            raise click.ClickException("the outbox is memory://: set TIKTOK_OUTBOX to the one that the app uses")
        client = Client(config)
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
    reason = config.server_reason if config.is_on else "no_pixel"
    if reason:
        raise click.ClickException(f"nothing can be sent from here: {reason}")
    over = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    delivery = client.delivery
    assert isinstance(delivery, Delivery)
    click.echo("The relay is running.")
    delivery.listen(over.is_set)
    is_sent = client.close(drain)
    click.echo("All is sent." if is_sent else "The rest waits in the outbox for other relays.")
