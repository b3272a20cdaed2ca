"""Room in an outbox file: admit entries, remove page views to make room for conversions, and count what is stored."""

# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from tiktok_middleware.core.events.event import PAGE_VIEW, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.admission import Admission, Space
from tiktok_middleware.delivery.outbox.base import Limits
from tiktok_middleware.delivery.outbox.sqlite import usage
from tiktok_middleware.delivery.outbox.sqlite.rows import for_each
from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes

__all__ = ["FileSpace"]

_VIEWS = f"SELECT id, length(body) FROM waiting WHERE event = '{PAGE_VIEW}' AND pixel = ? AND owner IS NULL LIMIT ?"
_EVICT_SHARE = 100  # page views are evicted by a hundredth of the limit, so that one query serves many puts


class FileSpace:
    """Admits entries to one file, and counts rows.

    Args:
        scopes: scopes of this process's pixels.
        limits: size limits.
        note_removed: called after rows were deleted.
    """

    def __init__(self, scopes: Scopes, limits: Limits, note_removed: Callable[[], None]) -> None:
        self._scopes = scopes
        self._limits = limits
        self._note_removed = note_removed

    def admission(self, db: sqlite3.Connection, entries: Sequence[OutboxEntry], at_home: Space) -> Admission:
        """Return the admission of a put, after page views were removed to make room for conversions."""
        space: dict[str, Space] = {}
        for entry in entries:
            for record in entry.records:
                if record.pixel not in space:
                    space[record.pixel] = self._space(db, record.pixel, at_home)
        admission = Admission(space, self._scopes.pixels)
        for pixel, left in space.items():
            if left.is_short_of(entries):
                self._make_room(db, admission, pixel, entries)
        return admission

    def _space(self, db: sqlite3.Connection, pixel: str, at_home: Space) -> Space:
        """Return the remaining room for a pixel."""
        scope = self._scopes.of(pixel)
        if self._scopes.home in {None, scope}:
            return at_home
        return Space(self._limits, *usage.used(db, scope))

    def _make_room(
        self, db: sqlite3.Connection, admission: Admission, pixel: str, entries: Sequence[OutboxEntry]
    ) -> None:
        rows, size = admission.missing(pixel, entries)
        share = max(1, self._limits.rows // _EVICT_SHARE)
        scope = self._scopes.of(pixel)
        while rows > 0 or size > 0:
            views = db.execute(
                _VIEWS,
                (scope, max(rows, share)),
            ).fetchall()
            if not views:
                return
            freed = sum(length for _, length in views)
            for_each(db, "DELETE FROM waiting WHERE id", (), [id_ for id_, _ in views])
            usage.add(db, scope, self._scopes.home, -len(views), -freed)
            self._note_removed()
            admission.freed(pixel, len(views), freed)
            rows, size = rows - len(views), size - freed

    def count(
        self, db: sqlite3.Connection, records: Sequence[Record], claims: int, now: float, puts: bytes | None = None
    ) -> None:
        """Count new rows and claims."""
        if len(records) == 1:  # most puts
            scope = self._scopes.of(records[0].pixel)
            size = len(records[0].body)
            usage.add(db, scope, self._scopes.home, 1, size, claims=claims, clock=now, puts=puts)
            return
        pixels = {record.pixel for record in records}
        if not pixels and (claims or puts is not None):
            pixels = {""}
        for pixel in pixels:
            sizes = [len(record.body) for record in records if record.pixel == pixel]
            scope, home = self._scopes.of(pixel), self._scopes.home
            usage.add(db, scope, home, len(sizes), sum(sizes), claims=claims, clock=now, puts=puts)
            claims = 0
