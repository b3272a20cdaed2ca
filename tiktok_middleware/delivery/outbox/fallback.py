"""Combined outbox: the disk while it works, and memory while it fails."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.base import LeaseHolder, Outbox
from tiktok_middleware.delivery.outbox.memory import MemoryOutbox
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.delivery.outbox.undecided import UndecidedPuts
from tiktok_middleware.errors import OutboxError

__all__ = ["FallbackOutbox"]

log: logging.Logger = own_logger(__name__)

_DISK_AGAIN_S = 30.0  # wait before a failed disk is tried again
_MAX_NAMED = 100


class FallbackOutbox:
    """Stores one process's events on disk, or in memory while the disk fails.

    A ``once`` event is *undecided* while a disk that this process has used does not answer, since its claims are on
    that disk. A process that has never used the disk decides in memory, as with ``memory://``.

    Args:
        disk: outbox on disk; None for ``memory://``.
        memory: makes an outbox in memory.
        undecided: keeps the entries that the disk has to decide.
        monotonic: returns seconds of a clock that is never set back.
        part: number of rows that are moved to the disk in one commit.
    """

    def __init__(
        self,
        disk: SqliteOutbox | None,
        memory: Callable[[], MemoryOutbox],
        undecided: UndecidedPuts,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        part: int = 1000,
    ) -> None:
        self.disk = disk
        self._monotonic = monotonic
        self._part = part
        self.dropped: Counter[str] = Counter()
        self._make_memory = memory
        self._memory: MemoryOutbox | None = None
        self._undecided = undecided
        self._disk_again_at = 0.0
        self._is_loss_said = False
        self._is_disk_used = False

    @property
    def undecided(self) -> int:
        """Return the number of server copies that wait for the disk's decision."""
        return self._undecided.rows

    @property
    def unsaved(self) -> int:
        """Return the number of these server copies that are lost if this process ends now."""
        return self._undecided.rows

    def outboxes(self) -> list[Outbox]:
        """Return the outboxes in use; the disk only while it works."""
        disk = self.disk if self._is_disk_up() else None
        return [outbox for outbox in (disk, self._memory) if outbox is not None]

    def put(
        self,
        entries: Sequence[OutboxEntry],
        put_id: bytes,
        holder: LeaseHolder | None,
        hand: Callable[[Outbox, LeaseHolder], None],
    ) -> list[Claim]:
        """Store entries on disk, or in memory if the disk fails, and return their claims.

        Args:
            entries: entries to store, in order.
            put_id: see `Outbox.put`.
            holder: lease for new rows on disk, or None.
            hand: called with the disk and ``holder`` once the rows are stored and leased.
        """
        if self.disk and self._is_disk_up():
            try:
                self._bring_undecided(self.disk)
                claims = self.disk.put(entries, put_id=put_id, holder=holder)
            except OutboxError as error:
                self.lose_disk(error)
            else:
                self._is_disk_used = True
                if holder:
                    hand(self.disk, holder)
                self._bring_home(self.disk)
                return claims
        else:
            put_id = b""  # the put was not tried on disk
        return self._put_in_memory(entries, put_id)

    def _put_in_memory(self, entries: Sequence[OutboxEntry], put_id: bytes) -> list[Claim]:
        if self._memory is None:
            self._memory = self._make_memory()
        if not self._is_disk_used:
            return self._memory.put(entries)
        once = [entry for entry in entries if entry.once]
        held = iter(self._undecided.put(once, put_id))
        others = iter(self._memory.put([entry for entry in entries if not entry.once]))
        claims = [next(held if entry.once else others) for entry in entries]
        self._memory.put(
            [
                msgspec.structs.replace(entry, records=(), once=False)
                for entry, claim in zip(entries, claims, strict=True)
                if entry.once and entry.deferred is not None and claim.browser
            ]
        )
        return claims

    def settle(self) -> int:
        """Try a last time to store all on disk; return how many decided records are still only in memory.

        Called at the end of the process.
        """
        if self.disk and (self._memory is not None or self._undecided.rows):
            try:
                while self._bring_undecided(self.disk):
                    pass
            except OutboxError as error:
                self.lose_disk(error)
            if self._memory is not None:
                self._memory.recall()
                while self._bring_home(self.disk):
                    pass
        for name in self._undecided.names()[:_MAX_NAMED]:
            log.error("%s: the disk never said whether it was counted before, so its server copy is not sent", name)
        return self._memory.counts()["waiting"] if self._memory else 0

    def _bring_undecided(self, disk: SqliteOutbox) -> bool:
        """Let the disk decide a part of the undecided entries; return False if there are none."""
        taken = self._undecided.take(self._part)
        if taken is None:
            return False
        put_id, entries = taken
        try:
            disk.put(entries, put_id=put_id)
        except OutboxError:
            self._undecided.put_back(put_id, entries)
            raise
        self._disk_again_at = 0.0
        log.info("%d event(s) that count once waited for the disk and are decided", len(entries))
        return True

    def _bring_home(self, disk: SqliteOutbox) -> bool:
        """Move a part of the records and claims from memory to the disk; return whether something was moved."""
        if self._memory is None:
            return False
        records, claims = self._memory.unload(self._part)
        if not records and not claims:
            return False
        try:
            disk.adopt(records, claims)
        except OutboxError as error:
            self._memory.load(records, claims)
            self.lose_disk(error)
            return False
        self._disk_again_at = 0.0
        log.info("%d event(s) that waited in memory are on disk", len(records))
        return True

    def take(self, ref: str) -> bytes | None:
        """Return the deferred payload of a reference; None if there is none, or the disk does not answer."""
        found = None
        if self.disk and self._is_disk_up():
            try:
                found = self.disk.take(ref)
            except OutboxError as error:
                self.lose_disk(error)
        return found if found is not None or self._memory is None else self._memory.take(ref)

    def cancel(self, event_id: str) -> bool:
        """Prevent an event's server copies, on disk and in memory, from being sent.

        Raises:
            OutboxError: the disk does not answer, so it is unknown whether the event was sent.
        """
        if self.disk is None and self._memory is None:
            self._memory = self._make_memory()
        found = [outbox.cancel(event_id) for outbox in (self.disk, self._memory) if outbox is not None]
        return all(found)

    def tidy(self) -> None:
        """Do housekeeping; called where there is no relay that does it."""
        try:
            for outbox in self.outboxes():
                outbox.tidy()
        except OutboxError as error:  # only the disk raises this
            self.lose_disk(error)

    def lose_disk(self, error: OutboxError) -> None:
        """Use memory instead of the disk for `_DISK_AGAIN_S`; log that once."""
        self._disk_again_at = self._monotonic() + _DISK_AGAIN_S
        if not self._is_loss_said:
            self._is_loss_said = True
            log.error("Events wait in memory until the disk can be written, and are lost with the process: %s", error)

    def readable(self, deadline: float) -> list[Outbox]:  # noqa: ARG002 - a file answers in time
        """Return the outboxes to read from."""
        return self.outboxes()

    def is_ready(self) -> bool:
        """Return whether events are stored where they were configured to be. Never waits."""
        return self.disk is None or self._is_disk_up()

    def marks(self, deadline: float) -> list[tuple[Outbox, int]]:  # noqa: ARG002 - as above
        """Return the outboxes in use, each with the number of its newest row."""
        try:
            return [(outbox, outbox.last_id()) for outbox in self.outboxes()]
        except OutboxError as error:
            self.lose_disk(error)
            return [(outbox, outbox.last_id()) for outbox in self.outboxes()]

    @property
    def is_whole(self) -> bool:
        """Return False while this process has rows on a disk that does not answer."""
        return not self._is_disk_used or self._is_disk_up()

    def come_home(self, deadline: float) -> None:
        """Do nothing: the next put stores what waits."""

    def close(self) -> None:
        """Close the disk."""
        if self.disk:
            self.disk.close()

    def _is_disk_up(self) -> bool:
        return self._monotonic() >= self._disk_again_at
