"""Bounded caches of frequent results."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["BoundedCache"]

_K = TypeVar("_K")
_V = TypeVar("_V")

_MAX_ENTRIES = 512
_MAX_CHARS = 1024


class BoundedCache(dict[_K, _V]):
    """Cache of results, keyed by all their inputs. It is bounded because visitors control part of the keys."""

    __slots__ = ()

    def keep(self, key: _K, answer: _V) -> None:
        """Store ``answer`` under ``key``, unless the texts of the key are long: such a key rarely repeats."""
        if _chars(key) <= _MAX_CHARS:
            if len(self) >= _MAX_ENTRIES:
                self.clear()
            self[key] = answer


def _chars(part: object) -> int:
    if isinstance(part, (str, bytes)):
        return len(part)
    return sum(map(_chars, part)) if isinstance(part, tuple) else 0
