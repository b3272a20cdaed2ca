"""The outbox on disk while it works, and memory while it does not, as one place to put events."""

from __future__ import annotations

import logging
import time
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

_DISK_AGAIN_S = 30.0  # how soon a disk that could not be written is tried again
_PART = 1000  # rows that go to the disk with one commit
_MAX_NAMED = 100


class FallbackOutbox:
    """One process's view of where its events wait.

    An event that counts once is *undecided* while a disk that this process has used does not answer: its claims are on
    that disk. A process that never had the disk decides for itself, as with ``memory://``.

    Args:
        disk: the outbox on disk; None where there is to be none.
        memory: makes an outbox in memory.
        undecided: keeps what the disk has to decide.
    """

    def __init__(self, disk: SqliteOutbox | None, memory: Callable[[], MemoryOutbox], undecided: UndecidedPuts) -> None:
        self.disk = disk
        self._make_memory = memory
        self._memory: MemoryOutbox | None = None
        self._undecided = undecided
        self._disk_again_at = 0.0
        self._is_loss_said = False
        self._is_disk_used = False

    @property
    def undecided(self) -> int:
        """Server copies that wait for the disk's decision."""
        return self._undecided.rows

    def outboxes(self) -> list[Outbox]:
        """Those in use; the disk only while it works."""
        disk = self.disk if self._is_disk_up() else None
        return [outbox for outbox in (disk, self._memory) if outbox is not None]

    def put(
        self,
        entries: Sequence[OutboxEntry],
        put_id: bytes,
        holder: LeaseHolder | None,
        hand: Callable[[Outbox, LeaseHolder], None],
    ) -> list[Claim]:
        """The claims, from the disk or else from memory.

        Args:
            entries: in order.
            put_id: see `Outbox.put`.
            holder: who would lease new rows on disk at once.
            hand: takes them.
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
            put_id = b""  # the disk was not asked
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
        """How many decided records are in memory alone after a last try to store all; for the process's end."""
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
        """Let the disk decide a part of what is undecided; False where nothing is."""
        taken = self._undecided.take(_PART)
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
        """Whether a part of what came into memory while the disk failed is on disk now."""
        if self._memory is None:
            return False
        records, claims = self._memory.unload(_PART)
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
        """The deferred payload of a reference; None where there is none, or the disk does not answer."""
        found = None
        if self.disk and self._is_disk_up():
            try:
                found = self.disk.take(ref)
            except OutboxError as error:
                self.lose_disk(error)
        return found if found is not None or self._memory is None else self._memory.take(ref)

    def cancel(self, event_id: str) -> bool:
        """Keep an event's server copies from being sent, wherever they wait.

        Raises:
            OutboxError: the disk does not answer, so that nobody knows whether the event was sent.
        """
        if self.disk is None and self._memory is None:
            self._memory = self._make_memory()
        found = [outbox.cancel(event_id) for outbox in (self.disk, self._memory) if outbox is not None]
        return all(found)

    def tidy(self) -> None:
        """House-keeping, where no relay calls for it."""
        try:
            for outbox in self.outboxes():
                outbox.tidy()
        except OutboxError as error:  # only a disk fails so
            self.lose_disk(error)

    def lose_disk(self, error: OutboxError) -> None:
        """Do without the disk for a while; said once."""
        self._disk_again_at = time.monotonic() + _DISK_AGAIN_S
        if not self._is_loss_said:
            self._is_loss_said = True
            log.error("Events wait in memory until the disk can be written, and are lost with the process: %s", error)

    def marks(self) -> list[tuple[Outbox, int]]:
        """The outboxes, each with its newest row."""
        try:
            return [(outbox, outbox.last_id()) for outbox in self.outboxes()]
        except OutboxError as error:
            self.lose_disk(error)
            return [(outbox, outbox.last_id()) for outbox in self.outboxes()]

    @property
    def is_whole(self) -> bool:
        """False while rows of ours are on a disk that does not answer."""
        return not self._is_disk_used or self._is_disk_up()

    def _is_disk_up(self) -> bool:
        return time.monotonic() >= self._disk_again_at
