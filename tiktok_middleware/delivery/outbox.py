"""The promise that every outbox keeps, and how much it may hold; it knows neither files nor networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import msgspec

from tiktok_middleware.core.event import Claim, Record, Submission

__all__ = ["PAGE_VIEW", "Leased", "Limits", "Outbox", "Room", "claim_of"]

PAGE_VIEW = "Pageview"
"""The event that goes first when an outbox runs full."""


class Leased(msgspec.Struct, frozen=True, gc=False):
    """One row of an outbox that its holder, and nobody else, may send until the lease expires.

    Attributes:
        id: the row's number; later rows have higher ones.
        tries: how often sending it has failed so far.
        record: what to send.
    """

    id: int
    tries: int
    record: Record


class Limits(msgspec.Struct, frozen=True):
    """How much an outbox keeps.

    Attributes:
        rows: waiting records.
        bytes: their bodies, in bytes.
        dead: dead letters; the oldest make room.
    """

    rows: int
    bytes: int
    dead: int


class Outbox(Protocol):
    """Records that wait for TikTok, leased rather than drained, and the ledger of what is counted once.

    Safe to share between threads. Every method but `close` may raise `OutboxError`.

    Attributes:
        dropped: records lost to overflow, by reason: ``overflow_page_view`` or ``overflow``;
            and ``overflow_dead`` for dead letters.
    """

    dropped: Counter[str]

    def put(self, submissions: Sequence[Submission], now: float) -> list[Claim]:
        """What each submission won: its records are stored and its claims made in one transaction, or neither is."""

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        now: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[Leased]:
        """Due rows of one pixel and one source, at least one if there is any, held until ``now + for_s``.

        Args:
            owner: random id of who leases; `ack`, `retry`, `bury` and `release` want the same.
            limit: rows at most.
            limit_bytes: bodies at most, in bytes, where it is more than one row.
            for_s: seconds after which others may take the rows.
            now: Unix seconds.
            pixels_blocked: pixels whose rows stay where they are.
        """

    def ack(self, owner: str, ids: Collection[int]) -> int:
        """How many rows are gone because they are delivered; rows that ``owner`` lost meanwhile do not count."""

    def retry(self, owner: str, ids: Collection[int], at: float) -> int:
        """How many rows go back, one try older, and are due at Unix second ``at``."""

    def release(self, owner: str, ids: Collection[int], at: float) -> int:
        """How many rows go back as they were, because nobody tried to send them."""

    def bury(self, owner: str, ids: Collection[int], reason: str, now: float) -> int:
        """How many rows are dead letters now, kept with their reason."""

    def next_due(self, pixels_blocked: Collection[str] = ()) -> float | None:
        """When the next row is due or its lease expires, in Unix seconds; None when nothing waits."""

    def last_id(self) -> int:
        """The number of the newest row ever stored, 0 before the first."""

    def holds(self, up_to: int, pixels_blocked: Collection[str] = ()) -> bool:
        """Whether a row not newer than ``up_to`` still waits."""

    def counts(self) -> dict[str, int]:
        """Rows by state: ``waiting`` (leased ones among them), ``bytes`` of their bodies, ``dead``."""

    def tidy(self, now: float) -> None:
        """House-keeping that nobody waits for: the relay calls it after sending."""

    def close(self) -> None:
        """Let go of what the outbox holds open; the rows stay where they are."""


_CLAIMS = {(browser, server): Claim(browser, server) for browser in (False, True) for server in (False, True)}


def claim_of(browser: bool, server: bool) -> Claim:
    """The claim with these two answers, one object for all equal ones."""
    return _CLAIMS[browser, server]


class Room:
    """What still fits into an outbox while one `put` runs, page views giving way to conversions.

    Args:
        rows: rows that fit.
        size: bytes that fit.
        dropped: where losses are counted.
    """

    __slots__ = ("_dropped", "rows", "size")

    def __init__(self, rows: int, size: int, dropped: Counter[str]) -> None:
        self.rows = rows
        self.size = size
        self._dropped = dropped

    def missing(self, submissions: Iterable[Submission]) -> tuple[int, int]:
        """Rows and bytes that conversions among ``submissions`` need beyond what is free; page views ask for none."""
        wanted = [r for s in submissions for r in s.records if r.event != PAGE_VIEW]
        return max(0, len(wanted) - self.rows), max(0, sum(len(r.body) for r in wanted) - self.size)

    def admits(self, records: tuple[Record, ...]) -> bool:
        """Whether all of ``records`` fit; counts them as lost where they do not."""
        if len(records) <= self.rows and sum(len(r.body) for r in records) <= self.size:
            return True
        for record in records:
            self.lost(record.event)
        return False

    def take(self, records: tuple[Record, ...]) -> None:
        """Use up the room of ``records``."""
        self.rows -= len(records)
        self.size -= sum(len(r.body) for r in records)

    def lost(self, event: str, count: int = 1) -> None:
        """Count ``count`` records named ``event`` as lost."""
        self._dropped["overflow_page_view" if event == PAGE_VIEW else "overflow"] += count
