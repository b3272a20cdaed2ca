"""Open an outbox for its operator: for the commands, and for the admin page of a framework."""

from __future__ import annotations

import importlib.util
import time
from typing import TYPE_CHECKING

from tiktok_middleware._printable import without_password
from tiktok_middleware.delivery.outbox.admin import OutboxAdmin
from tiktok_middleware.delivery.outbox.location import is_shared, outbox_path, spool_paths
from tiktok_middleware.errors import OutboxError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin

    Admin = OutboxAdmin | PostgresAdmin

__all__ = ["open_admin", "open_shared_admin"]


def open_admin(url: str) -> Admin:
    """Return the operator's access to an outbox.

    Raises:
        ConfigError: the address is malformed.
        OutboxError: the outbox is in memory, there is no such kind, or a package is missing.
    """
    if url == "memory://":
        raise OutboxError(
            "the outbox is memory://: events wait inside each process of the app, where no command sees them;"
            " Client.stats() counts them there, and TIKTOK_OUTBOX=sqlite:///path keeps them on disk"
        )
    if is_shared(url):
        return open_shared_admin(url)
    path = outbox_path(url)
    if path is None:
        raise OutboxError(f"{without_password(url)!r} is no outbox; allowed: sqlite:///path, postgresql://...")
    return OutboxAdmin(path, time.time)


def open_shared_admin(url: str) -> PostgresAdmin:
    """Return the operator's access to an outbox in PostgreSQL.

    Raises:
        ConfigError: the address is malformed.
        OutboxError: psycopg is missing.
    """
    if importlib.util.find_spec("psycopg") is None:
        raise OutboxError('psycopg is missing: pip install "tiktok-middleware[postgres]"')
    from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin  # noqa: PLC0415  # an extra

    return PostgresAdmin(url, time.time, spool_paths())
