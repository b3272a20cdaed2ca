"""Decide within one `put` what fits into the outbox and which channels each entry wins; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from tiktok_middleware.core.events.event import PAGE_VIEW, Claim, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.base import Limits, claim_of

__all__ = ["Admission", "Claims", "Space"]


_MAX_RECORDS = 8  # of one entry, as far as no exact count is needed
_MAX_RECORD_BYTES = 64 * 1024


class Claims(Protocol):
    """The claims of a store, within one transaction."""

    def wins(self, event_id: str, pixels: Sequence[str], channel: str, passing: bool) -> bool:
        """Claim an event for a channel of all ``pixels``, and return whether this was the first claim of each.

        A channel is also lost where the other channel's claim is older than `PAIRED_TTL_S`.
        """

    def first_at(self, event_id: str, pixels: Sequence[str], channel: str) -> float:
        """When the channel was claimed first, in Unix seconds; 0 where it was not."""


class Space:
    """What still fits for one pixel.

    Attributes:
        rows: rows that fit.
        size: bytes that fit.
        kept_rows, kept_size: the last fifth of the outbox, which is kept for events of views: reports of pages, which
            strangers can make up, are dropped first.
    """

    __slots__ = ("kept_rows", "kept_size", "rows", "size")

    def __init__(self, limits: Limits, used_rows: int, used_size: int) -> None:
        self.rows: int = limits.rows - used_rows
        self.size: int = limits.bytes - used_size
        self.kept_rows: int = limits.rows // 5
        self.kept_size: int = limits.bytes // 5

    def is_short_of(self, entries: Sequence[OutboxEntry]) -> bool:
        """Whether the entries may not all fit, with the largest record that there can be."""
        return self.rows < _MAX_RECORDS * len(entries) or self.size < _MAX_RECORD_BYTES * len(entries)


class Admission:
    """The decisions of one `put`.

    Args:
        space: what fits, for every pixel of the entries' records.
        pixels: the pixels that a browser copy goes to where its entry names none.

    Attributes:
        stored: records that are to be stored and may be sent at once.
        delayed: records that are to be stored and wait, each with its delay in seconds.
        dropped: records for which there was no room, by reason.
        duplicates: records whose event is already counted.
    """

    __slots__ = ("_pixels", "delayed", "dropped", "duplicates", "space", "stored")

    def __init__(self, space: Mapping[str, Space], pixels: tuple[str, ...]) -> None:
        self.space: Mapping[str, Space] = space
        self.stored: list[Record] = []
        self.delayed: list[tuple[float, Record]] = []
        self.dropped: Counter[str] = Counter()
        self.duplicates: int = 0
        self._pixels = pixels

    def all_stored(self) -> list[Record]:
        """All records that are to be stored."""
        return self.stored + [record for _, record in self.delayed] if self.delayed else self.stored

    def missing(self, pixel: str, entries: Sequence[OutboxEntry]) -> tuple[int, int]:
        """Rows and bytes that page views of ``pixel`` must give up for its conversions among ``entries``."""
        wanted = [
            len(r.body)
            for s in entries
            if not s.reported
            for r in s.records
            if r.pixel == pixel and r.event != PAGE_VIEW
        ]
        return len(wanted) - self.space[pixel].rows, sum(wanted) - self.space[pixel].size

    def freed(self, pixel: str, views: int, size: int) -> None:
        """Note that ``views`` page views of ``size`` bytes in all were removed."""
        self.space[pixel].rows += views
        self.space[pixel].size += size
        self.dropped["overflow_page_view"] += views

    def decide(self, entry: OutboxEntry, claims: Claims) -> Claim:
        """What ``entry`` wins; its records are added to `stored` or `delayed` where the server channel is won."""
        once, records = entry.once, entry.records
        browser = entry.browser and (not once or self._wins_browser(entry, claims))
        server = bool(records) and self._admits(records, is_reported=entry.reported)
        if not once:  # most events
            if server:
                self._store(records, entry.delay_s)
            return claim_of(browser, server)
        if server and not claims.wins(entry.event_id, _pixels_of(records), "server", entry.passing):
            self.duplicates += len(records)
            server = False
        if server:
            self._store(records, entry.delay_s)
        if (browser, server) != (entry.browser, bool(records)):
            return self._lost(entry, browser, server, claims)
        return claim_of(browser, server)

    def _wins_browser(self, entry: OutboxEntry, claims: Claims) -> bool:
        pixels = entry.pixels or self._pixels or _pixels_of(entry.records)
        return claims.wins(entry.event_id, pixels, "browser", entry.passing)

    def _lost(self, entry: OutboxEntry, browser: bool, server: bool, claims: Claims) -> Claim:
        """The claim with the time of the earlier one, for the channel that was lost."""
        pixels = entry.pixels or self._pixels or _pixels_of(entry.records)
        channels = [name for name, won in (("browser", browser), ("server", server)) if not won]
        times = [at for name in channels if (at := claims.first_at(entry.event_id, pixels, name))]
        return Claim(browser, server, first_at=min(times)) if times else claim_of(browser, server)

    def _store(self, records: tuple[Record, ...], delay_s: float) -> None:
        for record in records:
            space = self.space[record.pixel]
            space.rows -= 1
            space.size -= len(record.body)
        if delay_s > 0:
            self.delayed += [(delay_s, record) for record in records]
        else:
            self.stored += records

    def _admits(self, records: tuple[Record, ...], *, is_reported: bool) -> bool:
        for record in records:
            space = self.space[record.pixel]
            rows, size = space.rows, space.size
            if is_reported:
                rows, size = rows - space.kept_rows, size - space.kept_size
            if rows < 1 or size < len(record.body):
                break
        else:
            return True
        for record in records:
            reason = "overflow_page_view" if record.event == PAGE_VIEW else "overflow"
            self.dropped["overflow_reported" if is_reported else reason] += 1
        return False


def _pixels_of(records: tuple[Record, ...]) -> tuple[str, ...]:
    return tuple([record.pixel for record in records])
