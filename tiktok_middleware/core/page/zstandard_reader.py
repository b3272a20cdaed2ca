"""The package ``zstandard`` with the face of Python 3.14's ``compression.zstd`` decoder; it knows nothing of bodies.

That package's decoder cannot be told how much to give at once. A block needs at least 4 bytes and holds at most 128 KiB
(RFC 8878 section 3.1.1.2.4), so that 32 bytes at a time give at most 1 MiB; it costs 30 us in a page of 20 KB.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ZstandardReader"]

_STEP_BYTES = 32


class ZstandardReader:
    """A decoder of one frame.

    Args:
        decompressor: a ``zstandard.ZstdDecompressor``.

    Attributes:
        eof: whether the frame has come to its end.
    """

    __slots__ = ("_data", "_position", "_stream", "eof")

    def __init__(self, decompressor: Any) -> None:
        self._stream = decompressor.decompressobj(write_size=_STEP_BYTES * 128)
        self._data = b""
        self._position = 0
        self.eof: Any = False

    @property
    def needs_input(self) -> bool:
        """Whether all that was given has been read."""
        return self._position >= len(self._data)

    @property
    def unused_data(self) -> bytes:
        """What was given and is not of this frame."""
        return bytes(self._stream.unused_data) + self._data[self._position :]

    def decompress(self, data: bytes, limit_bytes: int) -> bytes:
        """About so many bytes, or all that can be read; a step of 32 bytes of input is never divided.

        Args:
            data: the next bytes of input; empty as long as not ``needs_input``.
            limit_bytes: after how much to stop.

        Raises:
            zstandard.ZstdError: the input makes no sense.
        """
        if data:
            self._data, self._position = data, 0
        parts: list[bytes] = []
        size = 0
        while size < limit_bytes and not self.eof and not self.needs_input:
            start, self._position = self._position, self._position + _STEP_BYTES
            plain = self._stream.decompress(self._data[start : self._position])
            self.eof = self._stream.eof
            parts.append(plain)
            size += len(plain)
        return b"".join(parts)
