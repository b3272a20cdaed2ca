"""Decode and re-encode one content coding of one body: the common part of gzip, deflate, br and zstd.

It never holds more than one bounded part of the decoded bytes. Decoding ends at the first invalid byte. That byte and
all bytes after it are ``rest``, which is sent unchanged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

__all__ = ["PART_BYTES", "CodingStream", "CodingWriter"]

#: Limit for one part of decoded bytes, so that a decompression bomb is decoded in parts (br exceeds it by up to half).
PART_BYTES = 65_536
# Limit for the input of one decoder call, because the unread input is copied at every part.
_SLICE_BYTES = 16_384


class CodingWriter(NamedTuple):
    """The three functions of an encoder."""

    write: Callable[[bytes], bytes]
    flush: Callable[[], bytes]
    finish: Callable[[], bytes]


class CodingStream(ABC):
    """One coding of one body.

    Attributes:
        is_complete: whether the input's last stream has ended. If it has not, the output is not ended either.
        is_broken: whether the input is invalid. Bytes after a complete stream do not make it invalid.
    """

    __slots__ = ("_ahead", "_is_closed", "_is_dirty", "_rest", "_stream", "_writer", "is_broken", "is_complete")

    def __init__(self) -> None:
        self.is_complete: bool = False
        self.is_broken: bool = False
        self._stream: Any = None  # the decoder, between the start of a stream and its end
        self._ahead = b""  # too few bytes to decide whether a stream begins here
        self._rest: list[bytes] = []
        self._writer: CodingWriter | None = None
        self._is_dirty = False
        self._is_closed = False

    @property
    def has_rest(self) -> bool:
        """Whether bytes have arrived that do not belong to this coding."""
        return bool(self._rest) or self._is_closed

    def read(self, coded: bytes) -> Iterator[bytes]:
        """Yield the bytes that can be decoded with this input, in bounded parts."""
        for start in range(0, len(coded), _SLICE_BYTES):
            data = self._ahead + coded[start : start + _SLICE_BYTES]
            self._ahead = b""
            while data:
                if self.has_rest:
                    self._rest.append(data)
                    break
                if self._stream is None and not self._begin(data):
                    break
                data = yield from self._read_stream(data)

    def write(self, plain: bytes) -> bytes:
        """Return encoded bytes. The encoder may keep some of them until ``pause``."""
        if not plain:
            return b""
        self._is_dirty = True
        return self._encoder.write(plain)

    def pause(self, *, is_end: bool) -> bytes:
        """Return the bytes that make everything written so far decodable, followed by the input's undecodable bytes.

        Args:
            is_end: whether no more will be written. The stream then ends if the input's stream has ended.
        """
        coded = b""
        if is_end and not self._is_closed:
            if self._ahead:
                self._rest.append(self._ahead)
                self._ahead = b""
            coded = self._encoder.finish() if self.is_complete else self._flush()
            self._is_closed = True
        elif self._is_dirty and not self._is_closed:
            coded = self._flush()
        rest, self._rest = self._rest, []
        return b"".join((coded, *rest))

    def _flush(self) -> bytes:
        self._is_dirty = False
        return self._encoder.flush()

    @property
    def _encoder(self) -> CodingWriter:
        if self._writer is None:
            self._writer = self._new_writer()
        return self._writer

    def _begin(self, data: bytes) -> bool:
        begins = self._begins(data)
        if begins is None:
            self._ahead = data
        elif begins:
            self._stream, self.is_complete = self._new_reader(data), False
        else:
            self.is_broken = not self.is_complete
            self._rest.append(data)
        return bool(begins)

    def _end(self, unused: bytes) -> bytes:
        self._stream, self.is_complete = None, True
        return unused

    def _break(self, data: bytes) -> bytes:
        self.is_broken = True
        self._rest.append(data)
        return b""

    @abstractmethod
    def _begins(self, data: bytes) -> bool | None:
        """Return whether a stream begins with these bytes; None while they are too few to decide."""

    @abstractmethod
    def _new_reader(self, data: bytes) -> Any:
        """Return a decoder for the stream that begins with these bytes."""

    @abstractmethod
    def _new_writer(self) -> CodingWriter:
        """Return an encoder."""

    @abstractmethod
    def _read_stream(self, data: bytes) -> Generator[bytes, None, bytes]:
        """Yield the decoded bytes up to the end of the stream; return the bytes after that end."""
