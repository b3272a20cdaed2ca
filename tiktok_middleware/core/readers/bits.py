"""Bit fields of the IAB's strings, read with a length check before every slice; it knows no field."""

from __future__ import annotations

import binascii
import re

__all__ = ["Bits"]

_WORD = re.compile(r"[A-Za-z0-9_-]+")
_TO_STANDARD = str.maketrans("-_", "+/")


class Bits:
    """The bits of a base64url text without padding, six a character, most significant first.

    Published readers that slice without asking find empty slices past the end, and read them as consent.

    Args:
        text: one segment of a TC or GPP string.

    Raises:
        ValueError: the text is empty or holds a foreign character.
    """

    __slots__ = ("_data", "count")

    def __init__(self, text: str) -> None:
        if not _WORD.fullmatch(text):
            raise ValueError("not base64url")
        self.count = 6 * len(text)
        self._data = binascii.a2b_base64(text.translate(_TO_STANDARD) + "A" * (-len(text) % 4))

    def need(self, end: int) -> None:
        """Make sure that the bits before ``end`` are there.

        Raises:
            ValueError: the text was cut before.
        """
        if end > self.count:
            raise ValueError("cut short")

    def take(self, offset: int, width: int) -> int:
        """The unsigned number in ``width`` bits from ``offset``.

        Raises:
            ValueError: the text was cut before its end.
        """
        end = offset + width
        self.need(end)
        last = (end + 7) >> 3
        return (int.from_bytes(self._data[offset >> 3 : last], "big") >> (last * 8 - end)) & ((1 << width) - 1)
