"""Bound the memory that all responses of a process hold while the ends of their heads are searched.

A response with a ``Content-Length`` must hold its head until the script is placed. One response may hold 1 MiB, but
many responses at once may not.
"""

from __future__ import annotations

__all__ = ["HELD_LIMIT_BYTES", "PageMemory", "Share"]

#: Limit for all responses together.
HELD_LIMIT_BYTES = 32 << 20

# A response checks the limit only after it has grown by this much.
_STEP_BYTES = 16_384


class PageMemory:
    """The memory that the responses of one client share.

    Args:
        limit_bytes: limit for all responses together.
    """

    __slots__ = ("_limit_bytes", "_taken")

    def __init__(self, limit_bytes: int = HELD_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._taken: dict[int, int] = {}  # by share; changing one entry needs no lock

    @property
    def taken_bytes(self) -> int:
        """How much is held now; each response may hold up to one step more."""
        return sum(list(self._taken.values()))

    def share(self) -> Share:
        """Return a share for one response. The share ends when the response drops it."""
        return Share(self)

    def take(self, share: int, held_bytes: int) -> bool:
        """Set the size of a share, and return whether all shares together are within the limit."""
        self._taken[share] = held_bytes
        return self.taken_bytes <= self._limit_bytes

    def give_back(self, share: int) -> None:
        """Remove a share that has ended."""
        self._taken.pop(share, None)


class Share:
    """The memory that one response holds."""

    __slots__ = ("_memory", "_noted_bytes")

    def __init__(self, memory: PageMemory) -> None:
        self._memory = memory
        self._noted_bytes = 0

    def holds(self, held_bytes: int) -> bool:
        """Record how much the response holds now. Return False if it must release its held bytes."""
        if held_bytes < self._noted_bytes + _STEP_BYTES:
            return True
        self._noted_bytes = held_bytes
        return self._memory.take(id(self), held_bytes)

    def __del__(self) -> None:
        self._memory.give_back(id(self))
