"""What was decided once and holds for whatever is alike; bounded, since visitors write part of the keys."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["BoundedCache"]

_K = TypeVar("_K")
_V = TypeVar("_V")

_MAX_ENTRIES = 512
_MAX_CHARS = 1024


class BoundedCache(dict[_K, _V]):
    """Answers by all that they depend on. A site has few kinds of answers, to few kinds of requests."""

    __slots__ = ()

    def keep(self, key: _K, answer: _V) -> None:
        """Remember this answer, but for a key whose texts are so long that it is seldom met again."""
        if _chars(key) <= _MAX_CHARS:
            if len(self) >= _MAX_ENTRIES:
                self.clear()
            self[key] = answer


def _chars(part: object) -> int:
    if isinstance(part, (str, bytes)):
        return len(part)
    return sum(map(_chars, part)) if isinstance(part, tuple) else 0
