"""Create the outbox's tables in a database of Django's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tiktok_middleware.contrib._django_database import alias_of
from tiktok_middleware.errors import ConfigError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin

__all__ = ["Tables", "check_address", "create_tables", "state_of_tables"]


def create_tables(outbox: str, alias: str) -> int:
    """Create or migrate the tables if the outbox is in this database; return how many scripts were applied.

    Args:
        outbox: value of ``TIKTOK_OUTBOX``.
        alias: alias of the database that is migrated.

    Raises:
        OutboxError: the database does not answer, or its role may not create the tables.
    """
    if alias_of(outbox) != alias:
        return 0
    with _admin(outbox) as admin:
        return admin.migrate()


class Tables(NamedTuple):
    """State of the tables of an outbox.

    Attributes:
        exist: whether there are any.
        are_current: whether they are those of this release.
        are_writable: whether the database accepts writes, and its role may insert into the tables.
    """

    exist: bool
    are_current: bool
    are_writable: bool


def state_of_tables(outbox: str) -> Tables:
    """Return the state of the tables in the outbox's database.

    Raises:
        OutboxError: the database does not answer.
    """
    with _admin(outbox) as admin:
        missing = admin.missing_scripts()
        exist = missing < len(admin.scripts)
        return Tables(exist, not missing, exist and admin.is_writable())


def check_address(outbox: str) -> None:
    """Check the alias, its engine and the parameters of a database; nothing is connected to.

    Raises:
        ConfigError: the outbox cannot be there.
    """
    try:
        from tiktok_middleware.delivery.outbox.postgres.address import read_address  # noqa: PLC0415  # needs an extra
    except ImportError as error:
        allowed = f'psycopg 3 with its extra: pip install "tiktok-middleware[postgres]" ({error})'
        raise ConfigError("TIKTOK_OUTBOX", outbox, allowed) from None
    read_address(outbox)


@contextlib.contextmanager
def _admin(outbox: str) -> Iterator[PostgresAdmin]:
    from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin  # noqa: PLC0415  # needs an extra

    with contextlib.closing(PostgresAdmin(outbox, time.time)) as admin:
        yield admin
