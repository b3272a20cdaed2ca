"""``tiktok-middleware worker``: a Celery worker that sends events."""

from __future__ import annotations

import os

import click

from tiktok_middleware.cli.preconditions import need_package
from tiktok_middleware.config import Config
from tiktok_middleware.errors import TikTokError

__all__ = ["worker"]


@click.command(epilog="Example: TIKTOK_CELERY_BROKER=redis://localhost:6379/0 tiktok-middleware worker --concurrency 2")
@click.option("--concurrency", type=click.IntRange(1), help="Processes; Celery takes one for each processor.")
@click.option("--log-level", default="INFO", show_default=True, help="Celery's log level.")
def worker(concurrency: int | None, log_level: str) -> None:
    """Start a Celery worker that sends events from the broker of TIKTOK_CELERY_BROKER to TikTok."""
    need_package("celery", "celery")
    try:
        config = Config.from_env()
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
    if not config.celery_broker:
        raise click.ClickException(
            "TIKTOK_CELERY_BROKER is not set: with a Celery app of your own add our task to it"
            " (tiktok_middleware.delivery.celery.register) and the queue to its workers (-Q celery,tiktok)"
        )
    reason = config.server_reason if config.is_on else "no_pixel"
    if reason:
        raise click.ClickException(f"nothing can be sent from here: {reason}")
    from tiktok_middleware.delivery.celery import QUEUE, make_app  # noqa: PLC0415  # an extra

    arguments = ["worker", "--queues", QUEUE, "--loglevel", log_level, "--hostname", f"{QUEUE}-{os.getpid()}@%h"]
    if concurrency:
        arguments += ["--concurrency", str(concurrency)]
    make_app(config.celery_broker).worker_main(arguments)
