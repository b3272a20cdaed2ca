"""Tables by header name, in any case of letters and in the types of both doors; it knows no header itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = ["ByHeaderName"]

_T = TypeVar("_T")

# Apps send few names, again and again; the bound is for the one that makes them up.
_MAX_NAMES = 4096


class ByHeaderName(dict["bytes | str", "_T | None"]):
    """What a table says of a header: one look-up for a name that was met before, however it is written.

    Args:
        table: by lower-case name.
        otherwise: what to say of a lower-case name that is not in the table.
    """

    __slots__ = ("_otherwise", "_table")

    def __init__(self, table: Mapping[str, _T], otherwise: Callable[[str], _T | None] = lambda _: None) -> None:
        super().__init__(table.items())
        self._table = table
        self._otherwise = otherwise

    def __missing__(self, name: bytes | str) -> _T | None:
        text = (name if isinstance(name, str) else name.decode("latin-1")).lower()
        found = self._table[text] if text in self._table else self._otherwise(text)
        if len(self) < _MAX_NAMES:
            self[name] = found
        return found
