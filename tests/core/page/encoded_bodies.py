"""Coded bodies for the tests, made and read by the codecs themselves and by nothing of ours."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from tiktok_middleware.core.page.codings import layers_of
from tiktok_middleware.core.page.encoded_body import CodedInjector
from tiktok_middleware.core.page.head_end import Injector, Search

brotli: Any = import_module("brotli")
zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

SCRIPT = b"<script>/* ours */</script>"
PAGE = (
    b"<!doctype html><html><head><meta charset=utf-8><title>Shoes</title></head><body>"
    + b"".join(b"<p class=item>Shoe number %d</p>" % number for number in range(200))
    + b"</body></html>"
)
PLACE = PAGE.index(b"</head>")
WITH_SCRIPT = PAGE[:PLACE] + SCRIPT + PAGE[PLACE:]


class Body(NamedTuple):
    """How an app codes its body: each part is readable as soon as its coded piece has come."""

    header: str
    encode: Callable[[Sequence[bytes], int], list[bytes]]
    decode: Callable[[bytes], bytes]  # refuses what is not complete


def _zlib(wbits: int) -> Callable[[Sequence[bytes], int], list[bytes]]:
    def encode(parts: Sequence[bytes], level: int) -> list[bytes]:
        stream = zlib.compressobj(level, zlib.DEFLATED, wbits)
        return [*(stream.compress(part) + stream.flush(zlib.Z_SYNC_FLUSH) for part in parts), stream.flush()]

    return encode


def _gzip_members(parts: Sequence[bytes], level: int) -> list[bytes]:
    return [gzip.compress(part, level) for part in parts]


def _brotli(parts: Sequence[bytes], level: int) -> list[bytes]:
    stream = brotli.Compressor(quality=level)
    return [*(stream.process(part) + stream.flush() for part in parts), stream.finish()]


def _zstd(parts: Sequence[bytes], level: int) -> list[bytes]:
    stream = zstd.ZstdCompressor(level)
    return [*(stream.compress(part, stream.FLUSH_BLOCK) for part in parts), stream.flush()]


def _zstd_frames(parts: Sequence[bytes], level: int) -> list[bytes]:
    skippable = b"\x55\x2a\x4d\x18\x03\x00\x00\x00abc"
    return [skippable + zstd.compress(part, level) for part in parts]


def _gzip_in_brotli(parts: Sequence[bytes], level: int) -> list[bytes]:
    return _brotli(_zlib(31)(parts, level), level)


def _unzlib(wbits: int) -> Callable[[bytes], bytes]:
    def decode(data: bytes) -> bytes:
        stream = zlib.decompressobj(wbits)
        plain = stream.decompress(data)
        assert stream.eof
        assert not stream.unused_data
        return plain

    return decode


BODIES = {
    "gzip": Body("gzip", _zlib(31), gzip.decompress),
    "gzip members": Body("x-gzip", _gzip_members, _unzlib(31)),  # written as one: not every browser reads on
    "deflate": Body("deflate", _zlib(15), _unzlib(15)),
    "raw deflate": Body("deflate", _zlib(-15), _unzlib(-15)),
    "br": Body("br", _brotli, brotli.decompress),
    "zstd": Body("zstd", _zstd, zstd.decompress),
    "zstd frames": Body("zstd", _zstd_frames, zstd.decompress),
    "gzip in br": Body("GZip , identity, Br", _gzip_in_brotli, lambda data: gzip.decompress(brotli.decompress(data))),
    "none": Body("identity", lambda parts, _level: list(parts), lambda data: data),
}


class _Decoder:
    """One coding, read byte by byte so that nothing before a fault is lost; members and frames follow one another."""

    def __init__(self, new: Callable[[], Any]) -> None:
        self._new = new
        self._stream = new()
        self.is_broken = False

    def read(self, coded: bytes) -> bytes:
        plain = b""
        for index in range(len(coded)):
            if self.is_broken:
                break
            if getattr(self._stream, "eof", False):
                self._stream = self._new()
            step = getattr(self._stream, "decompress", None) or self._stream.process
            try:
                plain += step(coded[index : index + 1])
            except (zlib.error, brotli.error, zstd.ZstdError):
                self.is_broken = True
        return plain


_DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "x-gzip": lambda: zlib.decompressobj(31),
    "deflate": zlib.decompressobj,
    "raw": lambda: zlib.decompressobj(-15),
    "br": brotli.Decompressor,
    "zstd": zstd.ZstdDecompressor,
}


class Reader:
    """A browser: what it can read of a body at any time."""

    def __init__(self, name: str) -> None:
        codings = [coding.strip().lower() for coding in BODIES[name].header.split(",")]
        if name == "raw deflate":
            codings = ["raw"]
        self._decoders = [_Decoder(_DECODERS[coding]) for coding in reversed(codings) if coding != "identity"]

    def read(self, coded: bytes) -> bytes:
        for decoder in self._decoders:
            coded = decoder.read(coded)
        return coded


class Ran(NamedTuple):
    """What became of a body: one output for each piece, and how the search ended."""

    outputs: list[bytes]
    search: Search
    injector: CodedInjector

    @property
    def body(self) -> bytes:
        return b"".join(self.outputs)


def run(header: str, pieces: Sequence[bytes], *, releases: bool = False, script: bytes = SCRIPT) -> Ran:
    """Drive an injector as a response does.

    Args:
        releases: whether bytes leave before the search has ended, as in a page without a promised length.
    """
    injector = CodedInjector(layers_of(header))
    search = Search.MORE
    outputs = []
    for index, piece in enumerate(pieces):
        last = index == len(pieces) - 1
        if search is not Search.MORE:
            outputs.append(injector.more(piece, last=last))
            continue
        search = injector.feed(piece, last=last)
        if search is Search.FOUND:
            outputs.append(injector.splice(script))
        elif search is Search.NEVER:
            outputs.append(injector.surrender())
        else:
            outputs.append(injector.release() if releases and injector.is_document else b"")
    return Ran(outputs, search, injector)


def plain_result(document: bytes, script: bytes = SCRIPT) -> bytes:
    """What the search in plain bytes makes of a document."""
    place = Injector().feed(document, last=True)
    if place.search is Search.FOUND:
        return place.data[: place.cut] + script + place.data[place.cut :]
    return document


def slices(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)] or [b""]
