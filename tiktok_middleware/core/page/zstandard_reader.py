"""Wrap the decoder of the package ``zstandard`` in the interface of Python 3.14's ``compression.zstd`` decoder.

That package's decoder has no limit for its output. A block needs at least 4 bytes of input and decodes to at most
128 KiB (RFC 8878 section 3.1.1.2.4). The wrapper passes 32 bytes at a time, so each step decodes to at most 1 MiB. This
costs 30 us for a page of 20 KB.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ZstandardReader"]

_STEP_BYTES = 32


class ZstandardReader:
    """Decodes one frame.

    Args:
        decompressor: a ``zstandard.ZstdDecompressor``.

    Attributes:
        eof: whether the frame has ended.
    """

    __slots__ = ("_data", "_position", "_stream", "eof")

    def __init__(self, decompressor: Any) -> None:
        self._stream = decompressor.decompressobj(write_size=_STEP_BYTES * 128)
        self._data = b""
        self._position = 0
        self.eof: Any = False

    @property
    def needs_input(self) -> bool:
        """Whether all input has been read."""
        return self._position >= len(self._data)

    @property
    def unused_data(self) -> bytes:
        """The input after the end of this frame."""
        return bytes(self._stream.unused_data) + self._data[self._position :]

    def decompress(self, data: bytes, limit_bytes: int) -> bytes:
        """Return about ``limit_bytes`` decoded bytes, or all that can be decoded.

        The result can be longer, because a step of 32 bytes of input is never divided.

        Args:
            data: the next bytes of input; must be empty while ``needs_input`` is False.
            limit_bytes: number of decoded bytes after which to stop.

        Raises:
            zstandard.ZstdError: the input is invalid.
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
