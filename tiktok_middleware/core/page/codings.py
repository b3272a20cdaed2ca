"""Decode and encode content codings (RFC 9110 section 8.4.1): gzip and deflate, and br and zstd if installed.

The decoders of br and zstd do not report the position of the first invalid byte. For them the whole slice with that
byte, at most 16 KiB, counts as invalid.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from typing import Any

from tiktok_middleware.core.page.coding_stream import PART_BYTES, CodingStream, CodingWriter
from tiktok_middleware.core.page.zstandard_reader import ZstandardReader

__all__ = ["has_coding", "is_known", "layers_of", "missing_packages"]

# The levels are the best compromise between time and size, measured on 175 KB of real pages. gzip: level 4 takes
# 1.7 ms, 1 takes 1.3 and is 18% larger, 6 takes 3.7 and is 6% smaller. br: 4 takes 1.8 ms, 1 takes 0.5 and is 16%
# larger, 5 takes 2.7 and is 7% smaller. zstd: 3 takes 0.5 ms, 1 takes 0.4 and is 6% larger, 6 takes 1.7 and is 9%
# smaller.
_GZIP_LEVEL, _BROTLI_QUALITY, _ZSTD_LEVEL = 4, 4, 3
# 256 KiB. The default windows of br and zstd need megabytes for each stream and do not make pages smaller.
_WINDOW_BITS = 18
# RFC 9659: browsers refuse larger windows. The limit also bounds our memory.
_ZSTD_MAX_WINDOW_BITS = 23


class _Zlib(CodingStream):
    """Common part of gzip and deflate, which both contain a deflate stream."""

    __slots__ = ("_container",)
    _container: int  # zlib's wbits

    def _new_reader(self, data: bytes) -> Any:  # noqa: ARG002  # subclasses use it
        return zlib.decompressobj(self._container)

    def _new_writer(self) -> CodingWriter:
        stream = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, self._container)
        return CodingWriter(stream.compress, partial(stream.flush, zlib.Z_SYNC_FLUSH), stream.flush)

    def _read_stream(self, data: bytes) -> Generator[bytes, None, bytes]:
        stream = self._stream
        while True:
            before = stream.copy()  # 1 us; after an error, the bytes decoded in the same call are lost
            try:
                plain = stream.decompress(data, PART_BYTES)
            except zlib.error:
                plain, data = _salvage(before, data)
                self._break(data)
                yield plain
                return b""
            data = stream.unconsumed_tail
            if plain:
                yield plain
            if stream.eof:
                return self._end(stream.unused_data)
            if not data and len(plain) < PART_BYTES:
                return b""


def _salvage(stream: Any, data: bytes) -> tuple[bytes, bytes]:
    """Return the bytes decoded before the first invalid byte, and the input from that byte on."""
    parts: list[bytes] = []
    with suppress(zlib.error):
        parts.extend(stream.decompress(bytes((byte,))) for byte in data)
    return b"".join(parts), data[len(parts) :]


class _Gzip(_Zlib):
    """gzip with any number of members (RFC 1952 section 2.2). The output has one member."""

    __slots__ = ()
    _container = 16 + zlib.MAX_WBITS

    def _begins(self, data: bytes) -> bool | None:
        return None if data == b"\x1f" else data.startswith(b"\x1f\x8b")


class _Deflate(_Zlib):
    """deflate with its zlib header, or without it: some servers omit the header and all browsers accept that."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self._container = zlib.MAX_WBITS

    def _begins(self, data: bytes) -> bool | None:
        if self.is_complete:
            return False
        return None if len(data) < 2 else True

    def _new_reader(self, data: bytes) -> Any:
        is_wrapped = data[0] & 0x8F == 8 and int.from_bytes(data[:2], "big") % 31 == 0  # RFC 1950 section 2.2
        self._container = zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS
        return super()._new_reader(data)


class _Brotli(CodingStream):
    """br (RFC 7932)."""

    __slots__ = ()

    def _begins(self, data: bytes) -> bool | None:  # noqa: ARG002  # br streams have no magic number
        return not self.is_complete

    def _new_reader(self, data: bytes) -> Any:  # noqa: ARG002
        return _brotli().Decompressor()

    def _new_writer(self) -> CodingWriter:
        stream = _brotli().Compressor(quality=_BROTLI_QUALITY, lgwin=_WINDOW_BITS)
        return CodingWriter(stream.process, stream.flush, stream.finish)

    def _read_stream(self, data: bytes) -> Generator[bytes, None, bytes]:
        stream, coded = self._stream, data
        while True:
            try:
                plain = stream.process(coded, output_buffer_limit=PART_BYTES)
            except _brotli().error:
                return self._break(data)
            if plain:
                yield plain
            if stream.is_finished():
                return self._end(b"")  # this decoder raises an error for bytes after the end in the same slice
            if stream.can_accept_more_data():
                return b""
            coded = b""


class _Zstd(CodingStream):
    """zstd (RFC 8878) with any number of frames. The output has one frame."""

    __slots__ = ()

    def _begins(self, data: bytes) -> bool | None:
        if len(data) < 4:
            return None
        is_skippable = data[0] & 0xF0 == 0x50 and data[1:4] == b"\x2a\x4d\x18"
        return is_skippable or data.startswith(b"\x28\xb5\x2f\xfd")

    def _new_reader(self, data: bytes) -> Any:  # noqa: ARG002
        module = _zstd()
        if module.__name__ == "zstandard":
            return ZstandardReader(module.ZstdDecompressor(max_window_size=1 << _ZSTD_MAX_WINDOW_BITS))
        return module.ZstdDecompressor(options={module.DecompressionParameter.window_log_max: _ZSTD_MAX_WINDOW_BITS})

    def _new_writer(self) -> CodingWriter:
        module = _zstd()
        if module.__name__ == "zstandard":
            level = module.ZstdCompressionParameters.from_level(_ZSTD_LEVEL, window_log=_WINDOW_BITS)
            stream = module.ZstdCompressor(compression_params=level).compressobj()
            return CodingWriter(stream.compress, partial(stream.flush, module.COMPRESSOBJ_FLUSH_BLOCK), stream.flush)
        of = module.CompressionParameter
        stream = module.ZstdCompressor(options={of.compression_level: _ZSTD_LEVEL, of.window_log: _WINDOW_BITS})
        return CodingWriter(stream.compress, partial(stream.flush, stream.FLUSH_BLOCK), stream.flush)

    def _read_stream(self, data: bytes) -> Generator[bytes, None, bytes]:
        stream, coded = self._stream, data
        while True:
            try:
                plain = stream.decompress(coded, PART_BYTES)
            except _zstd().ZstdError:
                return self._break(data)
            if plain:
                yield plain
            if stream.eof:
                return self._end(stream.unused_data)
            if stream.needs_input:
                return b""
            coded = b""


@cache
def _brotli() -> Any:
    """Return the first installed package that can bound its output (since version 1.2); None if there is none."""
    for name in ("brotli", "brotlicffi"):
        module = _module(name)
        if module is not None and hasattr(module.Decompressor, "can_accept_more_data"):
            return module
    return None


@cache
def _zstd() -> Any:
    """Return Python's own module (since 3.14), its backport, or the older package; None if there is none."""
    names = ("compression.zstd", "backports.zstd", "zstandard")
    return next((module for module in map(_module, names) if module is not None), None)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


_LAYERS: dict[str, Callable[[], CodingStream]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
_PACKAGES: dict[str, tuple[str, Callable[[], Any]]] = {"br": ("brotli", _brotli), "zstd": ("backports.zstd", _zstd)}


# Names of content codings: those of IANA's registry, and some that are in use but not registered.
_CODINGS = frozenset(
    "aes128gcm aws-chunked br bzip2 compress dcb dcz deflate exi gzip lz4 lzip lzma pack200-gzip peerdist sdch"  # noqa: SIM905
    " snappy x-bzip2 x-compress x-gzip xpress xz zstd".split()
)


def _names(content_encoding: str) -> list[str]:
    """Return the codings. If the header names no real coding, such as ``utf-8``, browsers ignore it: return none."""
    names = [name.strip() for name in content_encoding.lower().split(",")]
    if not any(name.partition(";")[0].rstrip() in _CODINGS for name in names):
        return []
    return [name for name in names if name not in {"", "identity"}]


def missing_packages(content_encoding: str) -> list[str]:
    """Return the packages that must be installed to decode these codings, such as ``brotli``.

    Args:
        content_encoding: the header's value.
    """
    wanted = (_PACKAGES[name] for name in _names(content_encoding) if name in _PACKAGES)
    return [package for package, module in wanted if module() is None]


def has_coding(content_encoding: str) -> bool:
    """Return whether the header names any coding. ``identity`` and unknown names do not count.

    Args:
        content_encoding: the header's value.
    """
    return bool(_names(content_encoding))


def is_known(content_encoding: str) -> bool:
    """Return whether a body with these codings can be decoded and encoded. A body without codings can.

    Args:
        content_encoding: the header's value: codings in the order in which they were applied (RFC 9110 section 8.4).
    """
    return all(name in _LAYERS for name in _names(content_encoding)) and not missing_packages(content_encoding)


def layers_of(content_encoding: str) -> list[CodingStream]:
    """Return the codings of a body, the outermost first.

    Args:
        content_encoding: the header's value; :func:`is_known` must be true for it.
    """
    return [_LAYERS[name]() for name in reversed(_names(content_encoding))]
