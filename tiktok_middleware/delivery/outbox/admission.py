"""Decide, within one `put`, which records fit into the outbox and which channels each entry claims. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Protocol

from tiktok_middleware.core.events.event import PAGE_VIEW, Claim, OutboxEntry, Record
from tiktok_middleware.delivery.outbox.base import Limits, claim_of

__all__ = ["Admission", "Claims", "Space"]


_MAX_RECORDS = 8  # of one entry; an estimate, used where no exact count is needed
_MAX_RECORD_BYTES = 64 * 1024


class Claims(Protocol):
    """Claims of an outbox, within one transaction."""

    def wins(self, event_id: str, pixels: Sequence[str], channel: str, passing: bool, happened: float = inf) -> bool:
        """Claim an event for a channel of all ``pixels``. Return True if no pixel had a claim for this channel before.

        There are two other reasons to claim nothing and return False. First, the other channel's claim is older than
        `PAIRED_TTL_S`. Second, the event itself is older than that, and either channel was claimed before or the ledger
        shows that a copy was sent.

        Args:
            event_id: id of the event.
            pixels: its pixels.
            channel: ``browser`` or ``server``.
            passing: see `OutboxEntry`.
            happened: time of the event in Unix seconds; infinite if its age does not matter.
        """
        ...

    def wins_both(self, event_id: str, pixels: Sequence[str], passing: bool) -> tuple[bool, bool]:
        """Claim an event for the browser and for the server, each as `wins` does; return both results."""

    def first_at(self, event_id: str, pixels: Sequence[str], channel: str) -> float:
        """Return when the channel was claimed first, in Unix seconds; 0 if it was not."""
        ...


class Space:
    """Remaining room for one pixel.

    Attributes:
        rows: rows that still fit.
        size: bytes that still fit.
        kept_rows, kept_size: a fifth of the outbox, reserved for events that views track. Events that pages report can
            be forged by anyone, so they are dropped first.
    """

    __slots__ = ("kept_rows", "kept_size", "rows", "size")

    def __init__(self, limits: Limits, used_rows: int, used_size: int) -> None:
        self.rows: int = limits.rows - used_rows
        self.size: int = limits.bytes - used_size
        self.kept_rows: int = limits.rows // 5
        self.kept_size: int = limits.bytes // 5

    def is_short_of(self, entries: Sequence[OutboxEntry]) -> bool:
        """Return whether the entries may not all fit, if each had the largest possible number and size of records."""
        return self.rows < _MAX_RECORDS * len(entries) or self.size < _MAX_RECORD_BYTES * len(entries)


class Admission:
    """Decisions of one `put`.

    Args:
        space: remaining room of every pixel of the entries' records.
        pixels: pixels of a browser copy whose entry names none.

    Attributes:
        stored: records to store that may be sent at once.
        delayed: records to store that wait first, each with its delay in seconds.
        dropped: number of records that did not fit, by reason.
        duplicates: number of records whose event was already counted.
    """

    __slots__ = ("_pixels", "delayed", "dropped", "duplicates", "space", "stored")

    def __init__(self, space: Mapping[str, Space], pixels: tuple[str, ...]) -> None:
        self.space: Mapping[str, Space] = space
        self.stored: list[Record] = []
        self.delayed: list[tuple[float, Record]] = []
        self.dropped: dict[str, int] = {}  # a Counter takes a twentieth of a put
        self.duplicates: int = 0
        self._pixels = pixels

    def all_stored(self) -> list[Record]:
        """Return all records to store."""
        return self.stored + [record for _, record in self.delayed] if self.delayed else self.stored

    def missing(self, pixel: str, entries: Sequence[OutboxEntry]) -> tuple[int, int]:
        """Return how many rows and bytes of page views to remove so that the conversions in ``entries`` fit."""
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
        self._drop("overflow_page_view", views)

    def decide(self, entry: OutboxEntry, claims: Claims) -> Claim:
        """Return the claim of ``entry``; if it gets the server channel, add its records to `stored` or `delayed`."""
        records = entry.records
        browser, server = entry.browser, bool(records) and self._admits(records, is_reported=entry.reported)
        if not entry.once:  # most events
            if server:
                self._store(records, entry.delay_s)
            return claim_of(browser, server)
        fits = server
        browser, server = self._won(entry, browser, server, claims)
        if server:
            self._store(records, entry.delay_s)
        elif fits:
            self.duplicates += len(records)
        if browser != entry.browser or server != bool(records):
            return self._lost(entry, browser, server, claims)
        return claim_of(browser, server)

    def _won(self, entry: OutboxEntry, browser: bool, server: bool, claims: Claims) -> tuple[bool, bool]:
        """Claim the wanted channels of an entry, and return which of them it won."""
        of_server = _pixels_of(entry.records)
        of_browser = entry.pixels or self._pixels or of_server
        if browser and server and of_browser == of_server:  # most entries
            return claims.wins_both(entry.event_id, of_server, entry.passing)
        browser = browser and claims.wins(entry.event_id, of_browser, "browser", entry.passing)
        server = server and claims.wins(entry.event_id, of_server, "server", entry.passing, _happened(entry))
        return browser, server

    def _lost(self, entry: OutboxEntry, browser: bool, server: bool, claims: Claims) -> Claim:
        """Return the claim, with the time of the earlier claim of the lost channel."""
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
            self._drop("overflow_reported" if is_reported else reason, 1)
        return False

    def _drop(self, reason: str, records: int) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + records


def _pixels_of(records: tuple[Record, ...]) -> tuple[str, ...]:
    return tuple([record.pixel for record in records])


def _happened(entry: OutboxEntry) -> float:
    """Return when a web event without a browser copy happened, in Unix seconds; infinite for any other event.

    Its age tells whether TikTok would still drop a second copy. An imported event has no browser copy, ever.
    """
    record = entry.records[0]
    return inf if entry.browser or record.source != "web" else record.event_time
