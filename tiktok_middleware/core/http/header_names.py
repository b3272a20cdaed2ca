"""Look up values by header name: in any letter case, as ASGI's bytes or WSGI's text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = ["ByHeaderName"]

_T = TypeVar("_T")

# Apps repeat few names. The bound protects against an app that generates header names.
_MAX_NAMES = 4096


class ByHeaderName(dict["bytes | str", "_T | None"]):
    """A table by header name. A spelling of a name that was looked up before costs one dictionary look-up.

    Args:
        table: values by lower-case name.
        otherwise: returns the value for a lower-case name that is not in the table.
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
