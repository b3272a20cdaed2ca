"""Ids of puts, by which a repeated put is recognised."""

from __future__ import annotations

__all__ = ["PutIds"]


class PutIds:
    """Ids of one writer's puts, one after the other.

    Args:
        writer: eight random bytes.
    """

    def __init__(self, writer: bytes) -> None:
        self._writer = writer
        self._count = 0

    def __call__(self) -> bytes:
        """The next id."""
        self._count += 1
        return self._writer + self._count.to_bytes(8, "big")
