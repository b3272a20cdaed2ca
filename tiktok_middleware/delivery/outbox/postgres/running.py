"""Which of our transactions are running: each holds an advisory lock whose key is the time at which it began."""

from __future__ import annotations

import time

from tiktok_middleware.delivery.outbox.postgres.migrate import lock_key

__all__ = ["SELECT_RUNNING", "Running", "begin_lock", "lock_class"]

_PER_S = 10  # resolution of the times
_TIMES = 1_000_000_000  # a key is a time modulo this, about three years

SELECT_RUNNING = f"""SELECT {{schema}}.clock(), max(mod(mod(floor({{schema}}.clock() * {_PER_S})::bigint, {_TIMES})
    - objid::bigint + {_TIMES}, {_TIMES})) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND classid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""  # noqa: S608 - constants
"""Query for the database's time, and the age of our oldest transaction; its value is `lock_class`."""


def lock_class(schema: str) -> int:
    """Return the first half of the keys; the second half is the time."""
    return lock_key(schema, "running") & 0x7FFFFFFF


def begin_lock(schema: str) -> str:
    """Return the statement that notes the beginning of a transaction; its first column is the database's time.

    It contains ``{schema}``, which `in_schema` replaces.
    """
    return f"""SELECT begun.at, pg_advisory_xact_lock_shared({lock_class(schema)},
        mod(floor(begun.at * {_PER_S})::bigint, {_TIMES})::int) FROM (SELECT {{schema}}.clock() AS at) AS begun"""  # noqa: S608


class Running:
    """What was read about running transactions.

    Args:
        at: the database's time, in Unix seconds.
        age: age of our oldest transaction, in tenths of a second; None if there is none.

    Attributes:
        oldest: all of our transactions that began before this time have ended, in Unix seconds.
    """

    __slots__ = ("_offset", "oldest")

    def __init__(self, at: float, age: int | None) -> None:
        self._offset = at - time.monotonic()
        self.oldest: float = at - ((age or 0) + 1) / _PER_S

    def now(self) -> float:
        """Return the database's time now, in Unix seconds."""
        return self._offset + time.monotonic()
