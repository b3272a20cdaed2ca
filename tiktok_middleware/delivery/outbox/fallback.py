"""The disk while it works and memory while it does not, as one place to put events; it knows nothing of sending."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.delivery.outbox.base import LeaseHolder, Limits, Outbox
from tiktok_middleware.delivery.outbox.memory import MemoryOutbox
from tiktok_middleware.delivery.outbox.sqlite import SqliteOutbox
from tiktok_middleware.errors import OutboxError

__all__ = ["FallbackOutbox"]

log = logging.getLogger(__name__)

_DISK_AGAIN_S = 30.0  # how soon a disk that could not be written is tried again
_PART = 1000  # rows that go home from memory with one commit


class FallbackOutbox:
    """One process's view of where its events wait.

    Args:
        disk: the outbox on disk; None where there is to be none.
        memory_limits: how much memory may hold.
    """

    def __init__(self, disk: SqliteOutbox | None, memory_limits: Limits) -> None:
        self.disk = disk
        self._memory_limits = memory_limits
        self._memory: MemoryOutbox | None = None
        self._disk_again_at = 0.0
        self._is_loss_said = False
        self._is_disk_used = False

    def outboxes(self) -> list[Outbox]:
        """Those in use; the disk only while it works."""
        disk = self.disk if self._is_disk_up() else None
        return [outbox for outbox in (disk, self._memory) if outbox is not None]

    def put(
        self,
        submissions: Sequence[OutboxEntry],
        now: float,
        taker: LeaseHolder | None,
        hand: Callable[[Outbox, LeaseHolder], None],
    ) -> list[Claim]:
        """The claims, from the disk or else from memory.

        Args:
            submissions: in order.
            now: Unix seconds.
            taker: who would lease new rows on disk at once.
            hand: takes them.
        """
        if self.disk and self._is_disk_up():
            try:
                claims = self.disk.put(submissions, now, taker)
            except OutboxError as error:
                self.lose_disk(error)
            else:
                self._is_disk_used = True
                if taker:
                    hand(self.disk, taker)
                self._bring_home(self.disk, now)
                return claims
        if self._memory is None:
            self._memory = MemoryOutbox(self._memory_limits)
        return self._memory.put(submissions, now)

    def settle(self, now: float) -> int:
        """How many records are in memory alone after a last try to store them; for the process's end."""
        if self._memory is None:
            return 0
        if self.disk:
            self._memory.recall()
            while self._bring_home(self.disk, now):
                pass
        return self._memory.counts()["waiting"]

    def _bring_home(self, disk: SqliteOutbox, now: float) -> bool:
        """Whether a part of what came into memory while the disk failed is on disk now."""
        if self._memory is None:
            return False
        records, claims = self._memory.unload(_PART)
        if not records and not claims:
            return False
        try:
            disk.adopt(records, claims, now)
        except OutboxError as error:
            self._memory.load(records, claims)
            self.lose_disk(error)
            return False
        self._disk_again_at = 0.0
        log.info("%d event(s) that waited in memory are on disk", len(records))
        return True

    def take(self, ref: str, now: float) -> bytes | None:
        """The copy that is kept under a reference; None where there is none, or the disk does not answer."""
        found = None
        if self.disk and self._is_disk_up():
            try:
                found = self.disk.take(ref, now)
            except OutboxError as error:
                self.lose_disk(error)
        return found if found is not None or self._memory is None else self._memory.take(ref, now)

    def tidy(self, now: float) -> None:
        """House-keeping, where no relay calls for it."""
        try:
            for outbox in self.outboxes():
                outbox.tidy(now)
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
