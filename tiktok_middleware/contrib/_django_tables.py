"""Create the outbox's tables in a database of Django's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tiktok_middleware.contrib._django_database import alias_of

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin

__all__ = ["create_tables", "has_tables"]


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


def has_tables(outbox: str) -> bool:
    """Return whether the outbox's database has its tables, in the version of this release.

    Raises:
        OutboxError: the database does not answer.
    """
    with _admin(outbox) as admin:
        return admin.has_tables()


@contextlib.contextmanager
def _admin(outbox: str) -> Iterator[PostgresAdmin]:
    from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin  # noqa: PLC0415  # needs an extra

    with contextlib.closing(PostgresAdmin(outbox, time.time)) as admin:
        yield admin
