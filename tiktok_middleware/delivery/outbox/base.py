"""The contract that every outbox keeps: stored events, leases, claims, deferred payloads.

Every time in this contract is a duration against the outbox's own clock, because the clocks of hosts differ. Records
and claims belong to an environment and a pixel: the environment is the outbox's, the pixel the record's.
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
]

PAIRED_TTL_S = 47 * 3600
"""An hour before TikTok forgets one copy of an event and would count the other one anew (TikTok, 4)."""

DELAYED = "delayed"
"""The reason under which a row is listed that waits because of ``TIKTOK_DELAY``."""

MAX_DELAY_S = 86_400.0
"""The longest delay, in seconds."""


class LeasedRecord(msgspec.Struct, frozen=True, gc=False):
    """One row of an outbox that its holder, and nobody else, may send until the lease expires.

    Attributes:
        id: the row's number; later rows have higher ones.
        tries: how often sending it has failed so far.
        record: what to send.
        age_s: seconds since the event's time when the row was leased, by the outbox's clock.
    """

    id: int
    tries: int
    record: Record
    age_s: float = 0.0


class LeaseHolder(msgspec.Struct, gc=False):
    """A lease taken while storing: the rows go from the writer to the relay without being read again.

    Attributes:
        owner: as for `Outbox.lease`.
        for_s: seconds after which others may take the rows.
        until: when this process must have renewed the lease, in seconds of its monotonic clock.
        rows: what was stored and leased.
    """

    owner: str
    for_s: float
    until: float = 0.0
    rows: list[LeasedRecord] = msgspec.field(default_factory=list)


class Limits(msgspec.Struct, frozen=True):
    """How much an outbox keeps of each environment and pixel.

    Attributes:
        rows: waiting records.
        bytes: their bodies, in bytes.
        dead: dead letters of the whole outbox; the oldest are removed first.
        claims: claims of the whole outbox, one for each channel; the oldest are removed first.
        ledger: entries of the ledger; the oldest are removed first.
    """

    rows: int
    bytes: int
    dead: int
    claims: int = 5_000_000
    ledger: int = 2_000_000


class Retention(msgspec.Struct, frozen=True):
    """How long an outbox keeps what is done.

    Attributes:
        dead_s: dead letters, in seconds.
        ledger_s: entries of the ledger, in seconds; 0 to keep none.
    """

    dead_s: float = 90 * 86400.0
    ledger_s: float = 400 * 86400.0


class Switches(msgspec.Struct, frozen=True):
    """What an operator has stopped for every process that uses the outbox.

    Attributes:
        paused_at: Unix seconds since when nothing is sent, or 0.
        off_at: Unix seconds since when nothing is sent and no page is changed, or 0.
    """

    paused_at: float = 0.0
    off_at: float = 0.0

    @property
    def is_off(self) -> bool:
        """Whether everything is stopped."""
        return bool(self.off_at)

    @property
    def is_sending(self) -> bool:
        """Whether waiting events are sent."""
        return not (self.paused_at or self.off_at)


RUNNING = Switches()
"""Nothing is stopped."""


class Outbox(Protocol):
    """Events that wait for TikTok, leased rather than drained, and the claims of what is counted once.

    Safe to share between threads. Every method but `close` and `switches` may raise `OutboxError`.

    Attributes:
        dropped: records lost to overflow, by reason: ``overflow_page_view`` or ``overflow``;
            and ``overflow_dead`` for dead letters.
        duplicates: records that were not stored because an earlier entry had claimed their event.
    """

    dropped: Counter[str]
    duplicates: int

    def put(
        self, entries: Sequence[OutboxEntry], *, put_id: bytes = b"", holder: LeaseHolder | None = None
    ) -> list[Claim]:
        """Store the records and make the claims in one transaction, and return what each entry won.

        Args:
            entries: in order.
            put_id: 16 bytes, 8 of the writer and 8 that count its puts. Repeating a writer's last put changes nothing
                and returns the same claims. Empty for a put that is never repeated.
            holder: who leases the new rows at once; an outbox where leasing is cheap may ignore it.
        """

    def stored(self, put_id: bytes) -> list[Claim] | None:
        """The claims of an earlier put, None where no such put was committed: for a commit whose answer was lost."""

    def take(self, ref: str) -> bytes | None:
        """The deferred payload of a reference, any number of times for a day; None where there is none."""

    def lease(
        self,
        owner: str,
        limit: int,
        *,
        limit_bytes: int,
        for_s: float,
        pixels_blocked: Collection[str] = (),
    ) -> list[LeasedRecord]:
        """Due rows of one pixel and one source, at least one if there is any, held for ``for_s`` seconds.

        Only rows of the outbox's environment and pixels are leased. A record is ``paired`` as soon as a browser copy
        of its event was handed out, by whichever entry.

        Args:
            owner: random id of who leases; `ack` and the like want the same.
            limit: rows at most.
            limit_bytes: bodies at most, in bytes, where it is more than one row.
            for_s: seconds after which others may take the rows.
            pixels_blocked: pixels whose rows stay where they are.
        """

    def ack(self, owner: str, rows: Sequence[LeasedRecord], request_id: str = "") -> int:
        """Remove delivered rows, enter them in the ledger, and return how many were still held by ``owner``.

        Args:
            owner: of the lease.
            rows: rows of one pixel.
            request_id: TikTok's id of the request that delivered them.
        """

    def retry(self, owner: str, ids: Collection[int], after_s: float, reason: str = "") -> int:
        """Put rows back, one try older and due after ``after_s`` seconds; ``reason`` is for listings."""

    def renew(self, owner: str, ids: Collection[int], for_s: float) -> int:
        """Hold rows for ``for_s`` more seconds, and return how many are still held."""

    def release(self, owner: str, ids: Collection[int], reason: str = "") -> int:
        """Put rows back as they were, due now, because nobody sent them; ``reason`` is for listings."""

    def bury(self, owner: str, rows: Sequence[LeasedRecord], reason: str) -> int:
        """Turn rows of one pixel into dead letters, kept with their reason."""

    def cancel(self, event_id: str) -> bool:
        """Keep an event's server copies from ever being sent; False where one was sent or is being sent now.

        The event stays claimed for the server channel, so that a repetition is not sent either.
        """

    def due_in_s(self, pixels_blocked: Collection[str] = ()) -> float | None:
        """Seconds until the next row is due or its lease expires, 0 or less for now; None when nothing waits."""

    def last_id(self) -> int:
        """The number of the newest row ever stored; before the first a number below it."""

    def holds(self, up_to: int, pixels_blocked: Collection[str] = (), within_s: float | None = None) -> bool:
        """Whether a row not newer than ``up_to`` still waits.

        Args:
            up_to: a number of `last_id`.
            pixels_blocked: pixels whose rows do not count.
            within_s: rows count only if they are leased, or due within so many seconds.
        """

    def counts(self) -> dict[str, int]:
        """Rows of the environment by state: ``waiting`` (with leased ones), ``bytes`` of their bodies, ``dead``."""

    def oldest_s(self) -> float | None:
        """Seconds since the event that has waited longest; None when nothing waits."""

    def resumes(self) -> int:
        """How often an operator has asked so far to try again what is halted."""

    def switches(self) -> Switches:
        """What an operator has stopped. Cheap enough for every request; at most a second old."""

    def tidy(self) -> None:
        """House-keeping that nobody waits for: the relay calls it after sending and every few seconds."""

    def close(self) -> None:
        """Close what the outbox holds open; the rows stay where they are, and later calls still work."""


_CLAIMS = {(browser, server): Claim(browser, server) for browser in (False, True) for server in (False, True)}


def claim_of(browser: bool, server: bool) -> Claim:
    """The claim with these two answers, one object for all equal ones."""
    return _CLAIMS[browser, server]
