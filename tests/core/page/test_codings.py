"""Which codings are known depends on the header, and on the packages that are there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.core.page.encoded_bodies import BODIES, PAGE, WITH_SCRIPT, run, slices
from tiktok_middleware.core.page import codings
from tiktok_middleware.core.page.codings import has_coding, is_known, layers_of, missing_packages

ZSTD = ("compression.zstd", "backports.zstd", "zstandard")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """What was found in one test is looked for again in the next."""
    yield
    codings._brotli.cache_clear()
    codings._zstd.cache_clear()


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the imports of packages fail."""

    def hide(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        codings._brotli.cache_clear()
        codings._zstd.cache_clear()

    return hide


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("", True),
        ("identity", True),
        (" Identity ,", True),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate", True),
        ("br", True),
        ("zstd", True),
        ("gzip, br", True),
        ("gzip,identity,zstd", True),
        ("compress", False),
        ("dcb", False),
        ("aws-chunked", False),
        ("gzip, compress", False),
        ("gzip;q=1", False),
    ],
)
def test_known_codings(header: str, known: bool) -> None:
    assert is_known(header) is known
    assert missing_packages(header) == []


@pytest.mark.parametrize("header", ["", "identity", " Identity ,identity"])
def test_a_body_without_a_coding_has_no_layers(header: str) -> None:
    assert layers_of(header) == []
    assert not has_coding(header)


@pytest.mark.parametrize("header", ["gzip", "identity, br", "compress"])
def test_a_body_with_a_coding_has_one_known_or_not(header: str) -> None:
    assert has_coding(header)


@pytest.mark.parametrize(
    ("gone", "header", "missing"),
    [
        ({"brotli", "brotlicffi"}, "br", ["brotli"]),
        ({"brotli", "brotlicffi", *ZSTD}, "gzip, br, zstd", ["brotli", "backports.zstd"]),
        (set(ZSTD), "zstd", ["backports.zstd"]),
    ],
)
def test_a_coding_whose_package_is_absent_is_not_known(
    absent: Callable[..., None], gone: set[str], header: str, missing: list[str]
) -> None:
    absent(*gone)
    assert not is_known(header)
    assert missing_packages(header) == missing
    assert is_known("gzip")
    assert is_known("deflate")


@pytest.mark.parametrize("size", [1, 10, 100_000])
def test_brotlicffi_serves_where_brotli_is_absent(absent: Callable[..., None], size: int) -> None:
    absent("brotli")
    assert is_known("br")
    coded = b"".join(BODIES["br"].encode([PAGE], 5))
    assert codings._brotli().__name__ == "brotlicffi"
    assert BODIES["br"].decode(run("br", slices(coded, size)).body) == WITH_SCRIPT


def test_a_brotli_that_cannot_bound_what_it_gives_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Decompressor:
        """As it was before 1.2."""

        def process(self, data: bytes) -> bytes:
            raise AssertionError(data)

    class Old(ModuleType):
        Decompressor: Any

    old = Old("brotli")
    old.Decompressor = Decompressor
    for name in ("brotli", "brotlicffi"):
        monkeypatch.setitem(sys.modules, name, old)
    codings._brotli.cache_clear()
    assert missing_packages("br") == ["brotli"]


@pytest.mark.parametrize("name", ["zstd", "zstd frames"])
@pytest.mark.parametrize("size", [1, 33, 100_000])
def test_the_package_zstandard_serves_where_the_backport_is_absent(
    absent: Callable[..., None], name: str, size: int
) -> None:
    absent("compression.zstd", "backports.zstd")
    body = BODIES[name]
    pieces = slices(b"".join(body.encode([PAGE[:100], PAGE[100:]], 5)), size)
    assert codings._zstd().__name__ == "zstandard"
    ran = run("zstd", pieces, releases=True)
    assert body.decode(ran.body) == WITH_SCRIPT


def test_the_package_zstandard_reads_a_bomb_in_small_parts(absent: Callable[..., None]) -> None:
    absent("compression.zstd", "backports.zstd")
    bomb = BODIES["zstd"].encode([b"a" * (32 << 20)], 5)
    (layer,) = layers_of("zstd")
    sizes = [len(part) for part in layer.read(b"".join(bomb) + b"tail")]
    assert sum(sizes) == 32 << 20
    assert max(sizes) <= 1 << 20
    assert layer.is_complete
    assert layer.pause(is_end=True).endswith(b"tail")


def test_the_package_zstandard_refuses_what_makes_no_sense(absent: Callable[..., None]) -> None:
    absent("compression.zstd", "backports.zstd")
    coded = b"\x28\xb5\x2f\xfd" + b"\xff" * 40
    assert run("zstd", [coded]).body == coded


def test_nothing_is_imported_before_a_coding_asks_for_it() -> None:
    code = (
        "import sys, tiktok_middleware.core.page.encoded_body, tiktok_middleware.core.page.codings as c\n"
        "assert c.is_known('gzip')\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'brotli', 'zstandard', 'backports', 'compression'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
