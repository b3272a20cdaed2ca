"""Puts that wait on this host while the shared outbox does not answer.

A put keeps one id until the shared outbox has it, also where two processes of the host try it at the same time. That
id is the last one of its writer, so the shared outbox recognises it for as long as it waits.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.delivery.outbox.deferred import MemoryDeferred
from tiktok_middleware.delivery.outbox.put_ids import PutIds

__all__ = ["MemorySpool", "Spool", "SpooledPut"]

_MAX_DEFERRED = 500


class SpooledPut(NamedTuple):
    """Put that waits.

    Attributes:
        key: number of the put in its spool.
        put_id: its id; see `Outbox.put`.
        entries: its entries.
        fault: why it cannot be read; empty if it can.
    """

    key: int
    put_id: bytes
    entries: list[OutboxEntry]
    fault: str = ""


class Spool(Protocol):
    """Store of waiting puts. All methods may raise `OutboxError`."""

    def keep(self, entries: Sequence[OutboxEntry], put_id: bytes) -> None:
        """Store a put.

        Args:
            entries: its entries.
            put_id: its id if it was tried, so that the shared outbox may have it; else empty.
        """

    def oldest(self, most: int) -> SpooledPut | None:
        """Return the oldest put, or several that were never tried as one put of about ``most`` entries."""

    def remove(self, put: SpooledPut) -> None:
        """Remove a put that the shared outbox has."""

    def set_aside(self, put: SpooledPut) -> int:
        """Let a put that cannot be read wait no longer; return how many server copies it has."""
        ...

    def take(self, ref: str) -> bytes | None:
        """Return the deferred payload of a reference among the puts; None if there is none."""

    @property
    def rows(self) -> int:
        """Return the number of server copies that wait."""
        ...

    @property
    def is_empty(self) -> bool:
        """Return whether no put waits. A put without server copies may complete a draft, or claim a browser copy."""
        ...

    def expire(self) -> None:
        """Remove what is kept beside the puts and has expired."""


class MemorySpool:
    """Implements `Spool` in the process's memory.

    Args:
        clock: returns Unix seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._puts: deque[tuple[bytes, list[OutboxEntry]]] = deque()
        self._deferred = MemoryDeferred(_MAX_DEFERRED)
        self._key = 0

    def keep(self, entries: Sequence[OutboxEntry], put_id: bytes) -> None:
        self._puts.append((put_id, list(entries)))
        self._deferred.keep((entry.deferred for entry in entries if entry.deferred is not None), self._clock())

    def oldest(self, most: int) -> SpooledPut | None:
        if not self._puts:
            return None
        put_id, entries = self._puts.popleft()
        if not put_id:
            while self._puts and not self._puts[0][0] and len(entries) < most:
                entries = entries + self._puts.popleft()[1]
            put_id = PutIds(secrets.token_bytes(8))()
        self._puts.appendleft((put_id, entries))
        return SpooledPut(self._key, put_id, entries)

    def remove(self, put: SpooledPut) -> None:
        if self._puts and self._puts[0][0] == put.put_id:
            self._puts.popleft()

    def set_aside(self, put: SpooledPut) -> int:
        self.remove(put)
        return sum(len(entry.records) for entry in put.entries)

    def take(self, ref: str) -> bytes | None:
        return self._deferred.take(ref, self._clock())

    @property
    def rows(self) -> int:
        return sum(len(entry.records) for _, entries in list(self._puts) for entry in entries)

    @property
    def is_empty(self) -> bool:
        return not self._puts

    def expire(self) -> None:
        """Do nothing: payloads are few, and expire when they are taken."""

    def entries(self) -> list[OutboxEntry]:
        """Return all entries that wait, oldest first."""
        return [entry for _, entries in list(self._puts) for entry in entries]
