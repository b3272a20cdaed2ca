"""The commands for a shared outbox: ``outbox migrate`` and ``outbox move``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from tiktok_middleware._printable import without_password
from tiktok_middleware.cli.outbox_file import EXIT_REFUSED, as_json_option, print_json, progress_bar
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.location import is_shared, outbox_path, outbox_url
from tiktok_middleware.delivery.outbox.operator import open_shared_admin
from tiktok_middleware.errors import TikTokError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin

__all__ = ["migrate", "move"]


@click.command(epilog="Example: TIKTOK_OUTBOX=postgresql://owner@db/shop tiktok-middleware outbox migrate")
@click.pass_obj
def migrate(url: str | None, /) -> None:
    """Create or update the tables of a PostgreSQL outbox; needs a role that may create a schema.

    A running app creates them itself where its role may. Only additions are made, so two releases can use them.
    """
    with _shared(url) as admin:
        done = admin.migrate()
    click.echo(f"{admin.name}: {done} script(s) applied." if done else f"{admin.name}: up to date.")


@click.command(epilog="Example: TIKTOK_OUTBOX=postgresql://shop@db/shop tiktok-middleware outbox move")
@click.option("--from", "source", metavar="ADDRESS", help="sqlite:///path; else the default file of TIKTOK_PIXEL_ID.")
@as_json_option
@click.pass_obj
def move(url: str | None, /, source: str | None, as_json: bool) -> None:
    """Move the events of this host's SQLite outbox to the PostgreSQL outbox, and copy what was counted once.

    Works while apps use both. Run it before the app's new configuration is deployed, so that no order counts again,
    and once more after it. If it is interrupted, run it again. Exit code 3 if something is left in the file.
    """
    config = Config.from_env(outbox=source or "sqlite:")
    path = outbox_path(outbox_url(config))
    if path is None:
        raise click.ClickException(f"{without_password(source or '')!r} is no SQLite outbox; allowed: sqlite:///path")
    if not path.is_file():
        raise click.ClickException(f"there is no outbox at {path}: nothing was ever stored there")
    with _shared(url) as admin:
        from tiktok_middleware.delivery.outbox.postgres.move import count  # noqa: PLC0415  # an extra

        with progress_bar("Moving", count(path)) as advance:
            done = admin.move_from(path, config.pixels, advance)
    if as_json:
        print_json(msgspec.structs.asdict(done))
    else:
        click.echo(
            f"Moved {done.waiting} waiting event(s), {done.dead} dead letter(s) and {done.ledger} entries of the"
            f" ledger; {done.claims} claim(s) are new there."
        )
    if done.unmoved:
        click.echo(f"{done.unmoved} row(s) cannot be stored in PostgreSQL and stay in {path}.", err=True)
    if done.in_flight:
        click.echo(f"{done.in_flight} event(s) are being sent by an app: run this again.", err=True)
    if done.in_flight or done.unmoved:
        sys.exit(EXIT_REFUSED)


@contextmanager
def _shared(url: str | None) -> Iterator[PostgresAdmin]:
    """Yield the operator's access to the shared outbox; an error ends the command with one line."""
    try:
        found = url or outbox_url(Config.from_env())
        if not is_shared(found):
            raise click.ClickException(
                "set TIKTOK_OUTBOX or --outbox to an outbox in PostgreSQL; others need no migration"
            )
        admin = open_shared_admin(found)
        try:
            yield admin
        finally:
            admin.close()
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
