"""What the parts of one outbox share: its connections, its clock, and where its records and claims belong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tiktok_middleware.delivery.outbox.base import Limits
from tiktok_middleware.delivery.outbox.postgres.address import PostgresAddress
from tiktok_middleware.delivery.outbox.postgres.claims import ClaimScope
from tiktok_middleware.delivery.outbox.postgres.clock import DatabaseClock
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db
from tiktok_middleware.delivery.outbox.postgres.usage import Usage
from tiktok_middleware.delivery.outbox.store_clock import StoreClock

__all__ = ["SENT", "Store"]

_STATEMENT_MS = 2000

SENT = "environment = %(environment)s AND (%(all)s OR pixel = ANY(%(pixels)s))"
"""SQL for whether this process sends a row; its values are `Store.sent`."""


class Store:
    """Shared by the parts of one `PostgresOutbox`; nothing is opened before the first call.

    Args:
        address: the database.
        limits: size limits.
        environment: environment of this process's records and claims.
        pixels: pixels of this process's pages; if empty, all pixels count as one.
        sends: pixels whose records this process sends; empty for all of the environment.
        clock: returns Unix seconds; None for the database's clock.
        monotonic: returns seconds of a clock that is never set back.
        opened: called with each new connection, before its first use.

    Attributes:
        schema: schema of the tables.
        requests: connection for what requests wait for.
        relay: connection for what the relay does.
        clock: clock of the outbox.
        scope: where claims belong.
        usage: estimate of the rows that each pixel uses.
    """

    def __init__(
        self,
        address: PostgresAddress,
        *,
        limits: Limits,
        environment: str,
        pixels: Sequence[str],
        sends: Sequence[str],
        clock: Callable[[], float] | None,
        monotonic: Callable[[], float],
        opened: Callable[[Db], None],
    ) -> None:
        database_clock = DatabaseClock(monotonic)
        self.schema: str = address.schema
        self.limits = limits
        self.environment = environment
        self.sends: tuple[str, ...] = tuple(sends)
        self.scope: ClaimScope = ClaimScope(environment, tuple(pixels))
        self.clock: StoreClock = StoreClock(clock or database_clock, monotonic)
        self.monotonic = monotonic
        self.requests: Connection = Connection(address, _STATEMENT_MS, database_clock.saw, opened)
        self.relay: Connection = Connection(address, _STATEMENT_MS, database_clock.saw, opened)
        self.usage: Usage = Usage(environment, limits)

    def sent(self) -> dict[str, Any]:
        """Return the values of `SENT`."""
        return {"environment": self.environment, "all": not self.sends, "pixels": list(self.sends)}

    def close(self) -> None:
        """Close the connections."""
        self.requests.close()
        self.relay.close()
