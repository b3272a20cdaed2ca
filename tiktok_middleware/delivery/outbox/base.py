"""Contract of an outbox: stored events, leases, claims, deferred payloads.

The contract's times are durations, measured by the outbox's own clock, because the clocks of hosts differ. Records and
claims belong to an environment and a pixel: the environment of the outbox, the pixel of the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from tiktok_middleware.core.events.event import Claim, OutboxEntry, Record

__all__ = [
    "DELAYED",
    "MAX_DELAY_S",
    "PAIRED_TTL_S",
    "RUNNING",
    "LeaseHolder",
    "LeasedRecord",
    "Limits",
    "Outbox",
    "Retention",
    "Switches",
    "claim_of",
    "uncommitted",
]

PAIRED_TTL_S = 47 * 3600
"""One hour less than TikTok's deduplication window; after that window TikTok counts both copies (TikTok, 4)."""

DELAYED = "delayed"
"""Reason of rows that wait because of ``TIKTOK_DELAY``."""

MAX_DELAY_S = 86_400.0
"""Longest delay, in seconds."""


class LeasedRecord(msgspec.Struct, frozen=True, gc=False):
    """Row of an outbox that only the lease's owner may send until the lease expires.

    Attributes:
        id: number of the row; later rows have higher numbers.
        tries: how often sending has failed so far.
        record: record to send.
        age_s: age of the event when the row was leased, in seconds of the outbox's clock.
    """

    id: int
    tries: int
    record: Record
    age_s: float = 0.0


class LeaseHolder(msgspec.Struct, gc=False):
    """Lease that is taken while storing, so that the writer passes rows to the relay without reading them again.

    Attributes:
        owner: as for `Outbox.lease`.
        for_s: seconds after which other owners may take the rows.
        until: when the lease ends if it is not renewed, in seconds of this process's monotonic clock.
        rows: the stored and leased rows.
    """

    owner: str
    for_s: float
    until: float = 0.0
    rows: list[LeasedRecord] = msgspec.field(default_factory=list)


class Limits(msgspec.Struct, frozen=True):
    """Size limits of an outbox.

    Attributes:
        rows: waiting records of each environment and pixel.
        bytes: total size of their bodies, in bytes.
        dead: dead letters of the whole outbox; the oldest are removed first.
        claims: claims of the whole outbox, one per channel; the oldest are removed first.
        ledger: entries of the ledger; the oldest are removed first.
        deferred: deferred payloads; the oldest are removed first. Each has up to 64 KB, most have a tenth of that.
    """

    rows: int
    bytes: int
    dead: int
    claims: int = 5_000_000
    ledger: int = 2_000_000
    deferred: int = 20_000


class Retention(msgspec.Struct, frozen=True):
    """How long an outbox keeps finished events.

    Attributes:
        dead_s: seconds that dead letters are kept.
        ledger_s: seconds that ledger entries are kept; 0 for no ledger.
    """

    dead_s: float = 90 * 86400.0
    ledger_s: float = 400 * 86400.0


class Switches(msgspec.Struct, frozen=True):
    """Operator's switches for all processes that use the outbox.

    Attributes:
        paused_at: Unix seconds since when nothing is sent, or 0.
        off_at: Unix seconds since when nothing is sent and no page is changed, or 0.
    """

    paused_at: float = 0.0
    off_at: float = 0.0

    @property
    def is_off(self) -> bool:
        """Return whether everything is switched off."""
        return bool(self.off_at)

    @property
    def is_sending(self) -> bool:
        """Return whether waiting events are sent."""
        return not (self.paused_at or self.off_at)


RUNNING = Switches()
"""The switches when nothing is stopped."""


class Outbox(Protocol):
    """Stores events until TikTok has them, and the claims of ``once`` events. A sender leases rows before it sends.

    Threads may share an outbox. Every method except `close` and `switches` may raise `OutboxError`.

    Attributes:
        dropped: number of records lost because a limit was reached, by reason: ``overflow_page_view``,
            ``overflow_reported`` or ``overflow``; ``overflow_dead`` for dead letters.
        duplicates: number of records that were not stored because an earlier entry had claimed their event.
    """

    dropped: Counter[str]
    duplicates: int

    def put(
        self, entries: Sequence[OutboxEntry], *, put_id: bytes = b"", holder: LeaseHolder | None = None
    ) -> list[Claim]:
        """Store the records and make the claims in one transaction, and return each entry's claim.

        Args:
            entries: entries to store, in order.
            put_id: 8 bytes of the writer's id and 8 bytes of its put counter. Repeating a writer's last put changes
                nothing and returns the same claims. Empty for a put that is never repeated.
            holder: lease for the new rows; an outbox in which leasing is cheap may ignore it.
        """
        ...

    def stored(self, put_id: bytes) -> list[Claim] | None:
        """Return the claims of an earlier put, None if it was not committed. For a commit whose result was lost."""

    def take(self, ref: str) -> bytes | None:
        """Return the deferred payload of a reference, for a day and any number of times; None if there is none."""

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[LeasedRecord]:
        """Lease due rows of one pixel and one source for ``for_s`` seconds; at least one row if any is due.

        Only rows of the outbox's environment and pixels are leased. A record is ``paired`` if a browser copy of its
        event was handed out, by this or any other entry.

        Args:
            owner: random id of the caller; pass the same to `ack`, `retry`, `renew`, `release` and `bury`.
            limit: largest number of rows.
            limit_bytes: largest total size of the bodies in bytes; a single row may be larger.
            for_s: seconds after which other owners may take the rows.
            pixels_blocked: pixels whose rows are not leased.
        """
        ...

    def ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str = "") -> int:
        """Remove delivered rows, enter them in the ledger, and return how many ``owner`` still held.

        Args:
            owner: owner of the lease.
            rows: rows of one pixel.
            request_id: TikTok's id of the request that delivered them.
        """
        ...

    def retry(self, owner: str, ids: Collection[int], after_s: float, reason: str = "") -> int:
        """Put rows back with one more failed try, due after ``after_s`` seconds; ``reason`` is shown in listings."""
        ...

    def renew(self, owner: str, ids: Collection[int], for_s: float) -> int:
        """Extend the lease on rows to ``for_s`` seconds from now; return how many the owner still holds."""
        ...

    def release(self, owner: str, ids: Collection[int], reason: str = "") -> int:
        """Put rows that were not sent back unchanged, due now; ``reason`` is shown in listings."""
        ...

    def bury(self, owner: str, rows: Sequence[LeasedRecord], reason: str) -> int:
        """Turn rows of one pixel into dead letters, stored with ``reason``."""
        ...

    def cancel(self, event_id: str) -> bool:
        """Prevent an event's server copies from being sent; return False if one was sent or is in flight.

        The event stays claimed for the server channel, so that a repetition is not sent either.
        """
        ...

    def due_in_s(self, pixels_blocked: Collection[str] = ()) -> float | None:
        """Return the seconds until the next row is due or its lease expires; 0 or less for now, None without rows."""

    def last_id(self) -> int:
        """Return the number of the newest row ever stored; before the first row, a lower number."""
        ...

    def holds(self, up_to: int, pixels_blocked: Collection[str] = (), within_s: float | None = None) -> bool:
        """Return whether a row with a number up to ``up_to`` still waits.

        Args:
            up_to: a result of `last_id`.
            pixels_blocked: pixels whose rows are ignored.
            within_s: if given, only rows count that are leased or due within so many seconds.
        """
        ...

    def counts(self) -> dict[str, int]:
        """Count the environment's rows: ``waiting`` (including leased), ``bytes`` of their bodies, ``dead``."""
        ...

    def oldest_s(self) -> float | None:
        """Return the age of the event that has waited longest, in seconds; None if no event waits."""

    def resumes(self) -> int:
        """Return how often an operator has run `outbox retry`, which resumes halted pixels."""
        ...

    def switches(self) -> Switches:
        """Return the operator's switches, at most a second old. Fast enough for every request."""
        ...

    def tidy(self) -> None:
        """Do housekeeping. The relay calls this after sending and every few seconds."""

    def close(self) -> None:
        """Close open resources. Rows stay stored, and later calls still work."""


_CLAIMS = {(browser, server): Claim(browser, server) for browser in (False, True) for server in (False, True)}


def claim_of(browser: bool, server: bool) -> Claim:
    """Return the claim with these two results; equal claims are the same object."""
    return _CLAIMS[browser, server]


def uncommitted(entry: OutboxEntry) -> Claim:
    """Return the claim of an entry whose draft is not seen: nothing leaves before its transaction has committed."""
    return Claim(entry.browser, bool(entry.records), is_committed=False)
