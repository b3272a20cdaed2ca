"""The promise that every outbox keeps, and how much it may hold; it knows neither files nor networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

import msgspec

from tiktok_middleware.core.events.event import PAGE_VIEW, Claim, OutboxEntry, Record

__all__ = ["PAIRED_TTL_S", "LeaseHolder", "LeasedRecord", "Limits", "Outbox", "Room", "claim_of"]

PAIRED_TTL_S = 47 * 3600
"""An hour before TikTok forgets one copy of an event and would count the other one anew (TikTok, 4)."""


class LeasedRecord(msgspec.Struct, frozen=True, gc=False):
    """One row of an outbox that its holder, and nobody else, may send until the lease expires.

    Attributes:
        id: the row's number; later rows have higher ones.
        tries: how often sending it has failed so far.
        record: what to send.
    """

    id: int
    tries: int
    record: Record


class LeaseHolder(msgspec.Struct, gc=False):
    """A lease taken while storing: the rows go from the writer to the relay without being read again.

    Attributes:
        owner: as for `Outbox.lease`.
        until: Unix seconds, when others may take the rows.
        rows: what was stored and leased.
    """

    owner: str
    until: float
    rows: list[LeasedRecord] = msgspec.field(default_factory=list)


class Limits(msgspec.Struct, frozen=True):
    """How much an outbox keeps.

    Attributes:
        rows: waiting records.
        bytes: their bodies, in bytes.
        dead: dead letters; the oldest make room.
        claims: what was counted once, a channel each; the oldest are forgotten first.
    """

    rows: int
    bytes: int
    dead: int
    claims: int = 5_000_000


class Outbox(Protocol):
    """Records that wait for TikTok, leased rather than drained, and the ledger of what is counted once.

    Safe to share between threads. Every method but `close` may raise `OutboxError`.

    Attributes:
        dropped: records lost to overflow, by reason: ``overflow_page_view`` or ``overflow``;
            and ``overflow_dead`` for dead letters.
        duplicates: records that were not stored because an earlier submission had claimed their event.
    """

    dropped: Counter[str]
    duplicates: int

    def put(self, submissions: Sequence[OutboxEntry], now: float, taker: LeaseHolder | None = None) -> list[Claim]:
        """What each submission won: its records are stored and its claims made in one transaction, or neither is.

        Args:
            submissions: in order.
            now: Unix seconds.
            taker: who would lease the new rows at once; an outbox where leasing is cheap may ignore it.
        """

    def take(self, ref: str, now: float) -> bytes | None:
        """The copy that is kept under a reference, any number of times for a day; None where there is none."""

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        now: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[LeasedRecord]:
        """Due rows of one pixel and one source, at least one if there is any, held until ``now + for_s``.

        A record is ``paired`` as soon as a browser's copy of its event was handed out, by whichever submission.

        Args:
            owner: random id of who leases; `ack` and the like want the same.
            limit: rows at most.
            limit_bytes: bodies at most, in bytes, where it is more than one row.
            for_s: seconds after which others may take the rows.
            now: Unix seconds.
            pixels_blocked: pixels whose rows stay where they are.
        """

    def ack(self, owner: str, ids: Collection[int]) -> int:
        """How many rows are gone because they are delivered; rows that ``owner`` lost meanwhile do not count."""

    def retry(self, owner: str, ids: Collection[int], at: float, reason: str = "") -> int:
        """How many rows go back, one try older, and are due at Unix second ``at``; ``reason`` is for listings."""

    def renew(self, owner: str, ids: Collection[int], until: float) -> int:
        """How many rows are still ours, and stay so until Unix second ``until``."""

    def release(self, owner: str, ids: Collection[int], at: float, reason: str = "") -> int:
        """How many rows go back as they were, because nobody sent them; ``reason`` is for listings."""

    def bury(self, owner: str, ids: Collection[int], reason: str, now: float) -> int:
        """How many rows are dead letters now, kept with their reason."""

    def next_due(self, pixels_blocked: Collection[str] = ()) -> float | None:
        """When the next row is due or its lease expires, in Unix seconds; None when nothing waits."""

    def last_id(self) -> int:
        """The number of the newest row ever stored; before the first a number below it."""

    def holds(self, up_to: int, pixels_blocked: Collection[str] = ()) -> bool:
        """Whether a row not newer than ``up_to`` still waits."""

    def counts(self) -> dict[str, int]:
        """Rows by state: ``waiting`` (leased ones among them), ``bytes`` of their bodies, ``dead``."""

    def oldest(self) -> int | None:
        """When the event happened that has waited longest, in Unix seconds; None when nothing waits."""

    def resumes(self) -> int:
        """How often an operator has asked so far to try again what is halted."""

    def tidy(self, now: float) -> None:
        """House-keeping that nobody waits for: the relay calls it after sending."""

    def close(self) -> None:
        """Let go of what the outbox holds open; the rows stay where they are, and later calls still work."""


_CLAIMS = {(browser, server): Claim(browser, server) for browser in (False, True) for server in (False, True)}


def claim_of(browser: bool, server: bool) -> Claim:
    """The claim with these two answers, one object for all equal ones."""
    return _CLAIMS[browser, server]


class Room:
    """What still fits into an outbox while one `put` runs, and what each submission wins of it.

    Args:
        rows: rows that fit.
        size: bytes that fit.

    Attributes:
        stored: records that are to be stored.
        dropped: records for which there was no room, by reason.
        duplicates: records whose event is already counted.
    """

    __slots__ = ("dropped", "duplicates", "rows", "size", "stored")

    def __init__(self, rows: int, size: int) -> None:
        self.rows = rows
        self.size = size
        self.stored: list[Record] = []
        self.dropped: Counter[str] = Counter()
        self.duplicates = 0

    def missing(self, submissions: Iterable[OutboxEntry]) -> tuple[int, int]:
        """Rows and bytes that page views must give up for the conversions among ``submissions``."""
        wanted = [len(r.body) for s in submissions for r in s.records if r.event != PAGE_VIEW]
        return len(wanted) - self.rows, sum(wanted) - self.size

    def freed(self, views: int, size: int) -> None:
        """Take note that ``views`` page views of ``size`` bytes in all gave way."""
        self.rows += views
        self.size += size
        self.dropped["overflow_page_view"] += views

    def decide(self, submission: OutboxEntry, wins: Callable[[str, str, bool], bool]) -> Claim:
        """What ``submission`` wins; its records go to `stored` where the server's copy is among it.

        Args:
            submission: one event.
            wins: claims an ``event_id`` for a channel, for good or in passing, and says whether it was the first to do
                so, and no more than `PAIRED_TTL_S` after the other channel.
        """
        once, event_id, records = submission.once, submission.event_id, submission.records
        browser = submission.browser and (not once or wins(event_id, "browser", submission.passing))
        if not records or not self._admits(records):
            return _CLAIMS[browser, False]
        if once and not wins(event_id, "server", submission.passing):
            self.duplicates += len(records)
            return _CLAIMS[browser, False]
        self.rows -= len(records)
        self.size -= sum([len(record.body) for record in records])
        self.stored += records
        return _CLAIMS[browser, True]

    def _admits(self, records: tuple[Record, ...]) -> bool:
        if len(records) <= self.rows and sum([len(record.body) for record in records]) <= self.size:
            return True
        for record in records:
            self.dropped["overflow_page_view" if record.event == PAGE_VIEW else "overflow"] += 1
        return False
