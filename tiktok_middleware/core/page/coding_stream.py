"""One content coding of one body, read and written anew; what gzip, deflate, br and zstd have in common. It knows
nothing of documents or scripts, and never holds more than one bounded part of what it reads.

Reading ends where the input stops making sense; from that byte on everything is ``rest`` and leaves as it came.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

__all__ = ["PART_BYTES", "CodingStream", "CodingWriter"]

#: How much a decoder may give at once, so that a bomb is read in parts (br gives up to half as much again).
PART_BYTES = 65_536
# How much a decoder gets at once: what it has not read yet is copied at every part.
_SLICE_BYTES = 16_384


class CodingWriter(NamedTuple):
    """The three verbs of an encoder."""

    write: Callable[[bytes], bytes]
    flush: Callable[[], bytes]
    finish: Callable[[], bytes]


class CodingStream(ABC):
    """One coding of one body.

    Attributes:
        is_complete: whether the input's last stream has come to its end; what is unfinished stays so.
        is_broken: whether the input makes no sense; what follows a complete stream does not break it.
    """

    __slots__ = ("_ahead", "_is_closed", "_is_dirty", "_rest", "_stream", "_writer", "is_broken", "is_complete")

    def __init__(self) -> None:
        self.is_complete: bool = False
        self.is_broken: bool = False
        self._stream: Any = None  # the decoder, between the begin of a stream and its end
        self._ahead = b""  # too few bytes to say whether a stream begins here
        self._rest: list[bytes] = []
        self._writer: CodingWriter | None = None
        self._is_dirty = False
        self._is_closed = False

    @property
    def has_rest(self) -> bool:
        """Whether bytes have come that are not of this coding."""
        return bool(self._rest) or self._is_closed

    def read(self, coded: bytes) -> Iterator[bytes]:
        """The bytes that become readable with these, in bounded parts."""
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
        """Coded bytes; the encoder may keep some until ``pause``."""
        if not plain:
            return b""
        self._is_dirty = True
        return self._encoder.write(plain)

    def pause(self, *, is_end: bool) -> bytes:
        """What makes all that was written readable now, then what could not be read.

        Args:
            is_end: no more will be written: the stream ends, if that of the input did.
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
        """Whether a stream begins with these bytes; None while they are too few to say."""

    @abstractmethod
    def _new_reader(self, data: bytes) -> Any:
        """A decoder for the stream that begins with these bytes."""

    @abstractmethod
    def _new_writer(self) -> CodingWriter:
        """An encoder."""

    @abstractmethod
    def _read_stream(self, data: bytes) -> Generator[bytes, None, bytes]:
        """What is in these bytes up to the end of the stream; returns the bytes after that."""
