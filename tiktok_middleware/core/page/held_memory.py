"""A bound on what all responses of a process hold while the ends of their heads are searched.

A response that promised its length must keep its head until the script is placed. One may hold 1 MiB; many at once may
not.
"""

from __future__ import annotations

__all__ = ["LIMIT_BYTES", "PageMemory", "Share"]

#: For all responses together.
LIMIT_BYTES = 32 << 20

# What a response may hold without asking, again and again.
_STEP_BYTES = 16_384


class PageMemory:
    """The memory that the responses of one client share.

    Args:
        limit_bytes: for all of them together.
    """

    __slots__ = ("_limit_bytes", "_taken")

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._taken: dict[int, int] = {}  # by share; a change of one entry needs no lock

    @property
    def taken_bytes(self) -> int:
        """How much is held now, but for less than a step of each response."""
        return sum(list(self._taken.values()))

    def share(self) -> Share:
        """Return a share for one response, which ends when the response lets go of it."""
        return Share(self)

    def take(self, share: int, held_bytes: int) -> bool:
        """Whether a share may grow to that much."""
        self._taken[share] = held_bytes
        return self.taken_bytes <= self._limit_bytes

    def give_back(self, share: int) -> None:
        """The share has ended."""
        self._taken.pop(share, None)


class Share:
    """What one response holds."""

    __slots__ = ("_memory", "_noted_bytes")

    def __init__(self, memory: PageMemory) -> None:
        self._memory = memory
        self._noted_bytes = 0

    def holds(self, held_bytes: int) -> bool:
        """Note what the response holds now; False where it must let go of it."""
        if held_bytes < self._noted_bytes + _STEP_BYTES:
            return True
        self._noted_bytes = held_bytes
        return self._memory.take(id(self), held_bytes)

    def __del__(self) -> None:
        self._memory.give_back(id(self))
