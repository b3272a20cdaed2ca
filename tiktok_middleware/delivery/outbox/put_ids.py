"""Ids of puts, by which an outbox recognises a repeated put."""

from __future__ import annotations

__all__ = ["PutIds"]


class PutIds:
    """Generates consecutive ids for one writer's puts.

    Args:
        writer: eight random bytes.
    """

    def __init__(self, writer: bytes) -> None:
        self._writer = writer
        self._count = 0

    def __call__(self) -> bytes:
        """Return the next id."""
        self._count += 1
        return self._writer + self._count.to_bytes(8, "big")
