"""Estimate of the rows and bytes that a pixel uses. No row that every host would update counts them.

A table that is small against the limits is only measured. A small table, and one that may be full, is counted; this
process's own puts are added until the next look.
"""

from __future__ import annotations

import time

import msgspec

from tiktok_middleware.delivery.outbox.admission import Space
from tiktok_middleware.delivery.outbox.base import Limits
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db

__all__ = ["Usage"]

_COUNT = """SELECT count(*), coalesce(sum(octet_length(body)), 0)::bigint FROM {schema}.event
    WHERE environment = %s AND pixel = %s"""
_MEASURE = "SELECT pg_relation_size('{schema}.event')"
_MIN_ROW_BYTES = 200
_QUICK_BYTES = 16 * 1024 * 1024  # a table of this size is counted in milliseconds
_COUNT_EVERY_S = 10.0
_COUNT_SHARE = 20.0  # counting may take one part of so many of the time
_QUICK_S = 0.02  # a count that is faster is taken at each put that needs one
_ENOUGH = 4  # times the room that a put may need, above which an estimate is good enough


class _Count(msgspec.Struct, gc=False):
    rows: int
    size: int
    at: float
    took_s: float


class Usage:
    """Estimated usage of each pixel of an environment.

    Args:
        environment: name of the environment.
        limits: size limits.
    """

    def __init__(self, environment: str, limits: Limits) -> None:
        self._environment = environment
        self._limits = limits
        self._counts: dict[str, _Count] = {}

    def space(self, connection: Connection, db: Db, pixel: str, entries: int, monotonic: float) -> Space:
        """Return the room that is left for a pixel.

        Args:
            connection: connection of the transaction.
            db: the transaction.
            pixel: the pixel.
            entries: number of entries of the put.
            monotonic: monotonic seconds.
        """
        known = self._counts.get(pixel)
        if known is None or self._is_look_due(known, entries, monotonic):
            known = self._counts[pixel] = self._look(connection, db, pixel, monotonic)
        return Space(self._limits, known.rows, known.size)

    def _look(self, connection: Connection, db: Db, pixel: str, monotonic: float) -> _Count:
        [size] = db.execute(connection.sql(_MEASURE)).fetchone() or (0,)
        rows = size // _MIN_ROW_BYTES
        if _QUICK_BYTES < size < self._limits.bytes // 2 and rows < self._limits.rows // 2:
            return _Count(rows, size, monotonic, 0.0)
        began = time.monotonic()
        row = db.execute(connection.sql(_COUNT), (self._environment, pixel)).fetchone() or (0, 0)
        return _Count(row[0], row[1], monotonic, time.monotonic() - began)

    def add(self, pixel: str, rows: int, size: int) -> None:
        """Note committed rows of this process; negative numbers for removed rows."""
        if known := self._counts.get(pixel):
            known.rows += rows
            known.size += size

    def forget(self, pixel: str) -> None:
        """Count the pixel's rows again at its next put."""
        self._counts.pop(pixel, None)

    def _is_look_due(self, known: _Count, entries: int, monotonic: float) -> bool:
        age_s = monotonic - known.at
        if age_s < 0 or age_s >= max(_COUNT_EVERY_S, known.took_s * _COUNT_SHARE):
            return True
        rows, size = self._limits.rows - known.rows, self._limits.bytes - known.size
        is_short = rows < self._limits.rows // 10 + _ENOUGH * entries or size < self._limits.bytes // 10
        return is_short and (known.took_s < _QUICK_S or age_s >= known.took_s * _COUNT_SHARE)
