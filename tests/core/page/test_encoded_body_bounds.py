"""Whatever a body reads as, little of it is in memory at a time."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tracemalloc
import zlib

import pytest

from tests.core.page.encoded_bodies import SCRIPT, brotli, run, zstd
from tiktok_middleware.core.page.codings import layers_of
from tiktok_middleware.core.page.encoded_body import CodedInjector
from tiktok_middleware.core.page.head_end import Search

MIB = 1 << 20
START = b"<!doctype html><html><head><title>A</title></head><body>"
PAGE_BOMB = START + b"a" * 64 * MIB
BOMBS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda plain: brotli.compress(plain, quality=4),
    "zstd": zstd.compress,
}


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    found = {name: encode(PAGE_BOMB) for name, encode in BOMBS.items()}
    return {**found, "gzip, br": brotli.compress(found["gzip"], quality=4)}


@pytest.mark.parametrize("name", [*BOMBS, "gzip, br"])
def test_a_bomb_is_read_in_small_parts(name: str, bombs: dict[str, bytes]) -> None:
    """64 MiB in one piece: no more than two MiB of Python memory at any time, the piece and its answer aside."""
    bomb = bombs[name]
    tracemalloc.start()
    ran = run(name, [bomb])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ran.search is Search.FOUND
    assert peak_bytes < 2 * MIB + 3 * len(ran.body)


@pytest.mark.parametrize("name", BOMBS)
def test_no_part_is_larger_than_a_mebibyte(name: str, bombs: dict[str, bytes]) -> None:
    (layer,) = layers_of(name)
    sizes = [len(part) for part in layer.read(bombs[name])]
    assert sum(sizes) == len(PAGE_BOMB)
    assert max(sizes) <= MIB


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_the_head_ends_the_search(name: str) -> None:
    bomb = BOMBS[name](b"<!doctype html><head><!--" + b"a" * 8 * MIB)
    ran = run(name, [bomb])
    assert ran.search is Search.NEVER
    assert ran.injector.reason == "head_too_long"
    assert ran.body == bomb


def test_a_window_that_no_browser_takes_is_refused() -> None:
    """RFC 9659 allows 8 MiB."""
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 24})
    coded = stream.compress(PAGE_BOMB) + stream.flush()
    ran = run("zstd", [coded])
    assert ran.body == coded
    assert ran.injector.reason == "malformed"


def test_nothing_of_a_piece_is_kept_once_it_has_left() -> None:
    coded = gzip.compress(START + b"rest")
    injector = CodedInjector(layers_of("gzip"))
    assert injector.feed(coded, last=True) is Search.FOUND
    injector.splice(SCRIPT)
    injector.forget()
    assert injector.surrender() == b""


def test_what_was_spliced_can_still_be_taken_back_until_it_has_left() -> None:
    coded = gzip.compress(START + b"rest")
    injector = CodedInjector(layers_of("gzip"))
    assert injector.feed(coded, last=False) is Search.FOUND
    assert injector.splice(SCRIPT) != coded
    assert injector.surrender() == coded
    assert injector.more(b"more of it", last=True) == b"more of it"


STREAM = """
import resource, sys
from tests.core.page.encoded_bodies import BODIES
from tiktok_middleware.core.page.codings import layers_of
from tiktok_middleware.core.page.encoded_body import CodedInjector
name = sys.argv[1]
chunk = bytes(range(32, 127)) * 680
parts = [b"<!doctype html><title>A</title><body>", *[b"<!-- %d -->" % n + chunk for n in range(80)]]
pieces = BODIES[name].encode(parts, 4)
injector = CodedInjector(layers_of(name))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
injector.feed(pieces[0], last=False)
injector.splice(b"<script></script>")
for piece in pieces[1:-1]:
    injector.more(piece, last=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_stream_needs_no_more_memory_than_its_codecs(name: str) -> None:
    """5 MiB of page; brotli's and zstd's decoders keep the window that the app chose, up to 4 MiB here."""
    done = subprocess.run([sys.executable, "-c", STREAM, name], check=True, capture_output=True, text=True, timeout=60)
    grown_kib = int(done.stdout)
    assert grown_kib < (2048 if name in {"gzip", "deflate"} else 8192)
