"""What is wrong with a coded body stays wrong in the same place, and nothing is made worse."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.page.encoded_bodies import BODIES, PAGE, SCRIPT, WITH_SCRIPT, Reader, brotli, run, slices, zstd
from tests.strategies import examples
from tiktok_middleware.core.page.codings import layers_of
from tiktok_middleware.core.page.encoded_body import CodedInjector
from tiktok_middleware.core.page.head_end import HEAD_LIMIT_BYTES, Injector, Search

CODED = sorted(name for name in BODIES if name != "none")
GARBAGE = b"\xff\xfe<p>not of this coding</p>"
LONG = PAGE[:-14] + bytes(range(256)) * 600 + b"</body></html>"


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("body", [PAGE, b"\xff" * 40, b"\x1f", b"\x1f\x8bno", b"\x78", b"\x28\xb5\x2f\xfdno", b"<"])
def test_a_body_that_was_never_coded_leaves_untouched(name: str, size: int, body: bytes) -> None:
    ran = run(BODIES[name].header, slices(body, size), releases=True)
    assert ran.body == body
    assert ran.search is Search.NEVER


@pytest.mark.parametrize("name", CODED)
def test_a_fault_in_the_first_part_leaves_untouched(name: str) -> None:
    coded = bytearray(b"".join(BODIES[name].encode([PAGE[:1000]], 6)))
    coded[len(coded) // 2 :] = b"\xff" * (len(coded) // 2)
    ran = run(BODIES[name].header, [bytes(coded)])
    assert ran.body == bytes(coded)
    assert ran.search is Search.NEVER


@pytest.mark.parametrize("name", ["gzip", "deflate", "gzip members"])
def test_a_wrong_checksum_is_not_mended(name: str) -> None:
    coded = bytearray(b"".join(BODIES[name].encode([PAGE], 6)))
    coded[-5 if name != "deflate" else -1] ^= 1
    whole = run(BODIES[name].header, [bytes(coded)])
    assert whole.body == bytes(coded)
    cut = run(BODIES[name].header, [bytes(coded[:-6]), bytes(coded[-6:])])
    assert cut.search is Search.FOUND
    with pytest.raises((zlib.error, EOFError, AssertionError)):
        BODIES[name].decode(cut.body)
    assert Reader(name).read(cut.outputs[0]) == WITH_SCRIPT


INCOMPLETE = (zlib.error, EOFError, AssertionError, brotli.error, zstd.ZstdError)


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("releases", [False, True])
def test_a_stream_that_was_cut_off_stays_cut_off(name: str, releases: bool) -> None:
    """All that could be read of it can be read; no end is made up."""
    body = BODIES[name]
    pieces = body.encode([PAGE[:500], PAGE[500:]], 6)
    coded = b"".join(pieces)[:-3]
    for cut in (60, len(pieces[0]), len(coded)):
        ran = run(body.header, [coded[:cut], coded[cut:]], releases=releases)
        assert ran.search is Search.FOUND
        assert not ran.injector.is_open
        with pytest.raises(INCOMPLETE):
            body.decode(ran.body)
        assert Reader(name).read(ran.body).replace(SCRIPT, b"", 1) == Reader(name).read(coded)


@pytest.mark.parametrize("name", CODED)
def test_a_stream_that_was_cut_off_takes_no_late_script(name: str) -> None:
    body = BODIES[name]
    coded = b"".join(body.encode([PAGE[:500], PAGE[500:]], 6))[:-3]
    injector = CodedInjector(layers_of(body.header))
    assert injector.feed(coded, last=False) is Search.FOUND
    out = injector.splice(SCRIPT)
    assert not injector.is_open
    out += injector.end(b"<script>late</script>")
    assert Reader(name).read(out).replace(SCRIPT, b"", 1) == Reader(name).read(coded)


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("releases", [False, True])
def test_bytes_after_the_end_follow_the_end(name: str, releases: bool) -> None:
    body = BODIES[name]
    pieces = [*body.encode([PAGE[:500], PAGE[500:]], 6), GARBAGE, b"more"]
    ran = run(body.header, pieces, releases=releases)
    assert ran.body.endswith(GARBAGE + b"more")
    assert body.decode(ran.body[: -len(GARBAGE + b"more")]) == WITH_SCRIPT


@pytest.mark.parametrize("name", ["gzip", "gzip members", "deflate", "raw deflate", "zstd", "zstd frames"])
def test_bytes_after_the_end_in_one_piece_with_it_follow_the_end(name: str) -> None:
    body = BODIES[name]
    coded = b"".join(body.encode([PAGE], 6))
    for tail in (GARBAGE, b"\x1f", b"\x28\xb5"):
        ran = run(body.header, [coded + tail])
        assert ran.search is Search.FOUND
        assert ran.body.endswith(tail)
        assert body.decode(ran.body[: -len(tail)]) == WITH_SCRIPT


def test_bytes_after_the_end_of_brotli_in_one_piece_with_it_leave_untouched() -> None:
    """Its decoder calls the whole piece wrong."""
    coded = brotli.compress(PAGE) + GARBAGE
    assert run("br", [coded]).body == coded


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_bytes_after_an_inner_end_stay_in_the_outer_coding(size: int) -> None:
    coded = brotli.compress(gzip.compress(PAGE) + GARBAGE)
    inner = brotli.decompress(run("gzip, br", slices(coded, size)).body)
    assert inner.endswith(GARBAGE)
    assert gzip.decompress(inner[: -len(GARBAGE)]) == WITH_SCRIPT


def test_an_inner_fault_stays_in_the_outer_coding() -> None:
    """The checksum's last byte is wrong, which is where reading ends."""
    inner = bytearray(gzip.compress(LONG))
    inner[-5] ^= 1
    out = brotli.decompress(run("gzip, br", slices(brotli.compress(bytes(inner)), 1000)).body)
    assert out.endswith(inner[-5:])
    assert zlib.decompressobj(31).decompress(out[:-5]).replace(SCRIPT, b"") == LONG


def test_an_outer_end_ends_the_inner_coding_too() -> None:
    coded = brotli.compress(gzip.compress(PAGE))
    ran = run("gzip, br", [coded, GARBAGE, b"more", b""])
    body = ran.body
    assert body.endswith(GARBAGE + b"more")
    assert gzip.decompress(brotli.decompress(body[: -len(GARBAGE + b"more")])) == WITH_SCRIPT


@pytest.mark.parametrize("name", CODED)
def test_a_fault_behind_the_place_leaves_what_was_good_and_then_the_bytes_as_they_came(name: str) -> None:
    body = BODIES[name]
    pieces = body.encode([PAGE[:500], PAGE[500:]], 6)
    injector = CodedInjector(layers_of(body.header))
    assert injector.feed(pieces[0], last=False) is Search.FOUND
    reader = Reader(name)
    assert reader.read(injector.splice(SCRIPT)).replace(SCRIPT, b"") == PAGE[:500]
    faulty = b"\xff" * 60
    out = injector.more(faulty, last=False)
    assert not injector.is_open
    assert out.endswith(b"\xff" * 30)
    assert injector.more(b"as it came", last=False) == b"as it came"
    assert injector.more(b"", last=True) == b""


def test_gzip_is_read_up_to_the_very_byte_that_is_wrong() -> None:
    coded = gzip.compress(LONG, 1)
    wrong = coded[:-300] + b"\xff" * 300
    reference = zlib.decompressobj(31)
    readable = b""
    for index in range(len(wrong)):
        try:
            readable += reference.decompress(wrong[index : index + 1])
        except zlib.error:
            break
    ran = run("gzip", [coded[:200], wrong[200:]])
    rest = wrong[index:]
    assert ran.body.endswith(rest)
    assert Reader("gzip").read(ran.body[: -len(rest)]).replace(SCRIPT, b"", 1) == readable


@pytest.mark.parametrize("name", CODED)
def test_a_fault_in_a_search_whose_first_bytes_have_left(name: str) -> None:
    body = BODIES[name]
    pieces = body.encode([b"<!doctype html><meta name=a><titl", b"e>A</title></head>"], 6)
    ran = run(body.header, [pieces[0], b"\xff" * 60, b"rest"], releases=True)
    assert ran.search is Search.NEVER
    assert ran.injector.reason == "malformed"
    assert Reader(name).read(ran.body).startswith(b"<!doctype html><meta name=a><titl")
    assert ran.body.endswith(b"\xff" * 30 + b"rest")


def test_good_bytes_before_a_fault_in_the_search_leave_too() -> None:
    """One piece holds readable bytes and the fault; the head has not ended and part of it has left."""
    stream = zlib.compressobj(6, zlib.DEFLATED, 31)
    first = stream.compress(b"<!doctype html><meta name=a><titl") + stream.flush(zlib.Z_SYNC_FLUSH)
    second = stream.compress(b"e>A") + stream.flush(zlib.Z_SYNC_FLUSH)
    ran = run("gzip", [first, second + b"\xff\xff", b""], releases=True)
    assert ran.search is Search.NEVER
    assert ran.body.endswith(b"\xff\xff")
    assert Reader("gzip").read(ran.body[:-2]) == b"<!doctype html><meta name=a><title>A"


def test_bytes_after_an_end_that_has_left_before_the_place_was_found() -> None:
    """The place would be at the end of the body, but the end of the stream has left already."""
    document = b"<!doctype html><head><meta name=a>"
    ran = run("gzip", [gzip.compress(document), GARBAGE, b""], releases=True)
    assert ran.search is Search.NEVER
    assert ran.body.endswith(GARBAGE)
    assert gzip.decompress(ran.body[: -len(GARBAGE)]) == document


def test_bytes_after_an_end_in_one_piece_before_the_place_was_found() -> None:
    document = b"<!doctype html><head><meta name=a>"
    ran = run("gzip", [gzip.compress(document) + GARBAGE, b"more", b""], releases=True)
    assert ran.search is Search.NEVER
    assert ran.body.endswith(GARBAGE + b"more")
    assert gzip.decompress(ran.body[: -len(GARBAGE + b"more")]) == document


@pytest.mark.parametrize(
    ("name", "empty"),
    [("gzip", gzip.compress(b"", mtime=0)), ("zstd", b"\x50\x2a\x4d\x18\x38\x00\x00\x00" + bytes(56))],
)
def test_coded_bytes_that_read_as_nothing_are_not_held_for_ever(name: str, empty: bytes) -> None:
    piece = empty * (HEAD_LIMIT_BYTES // len(empty) + 1)
    injector = CodedInjector(layers_of(name))
    assert injector.feed(piece, last=False) is Search.MORE
    assert injector.feed(piece, last=False) is Search.NEVER
    assert injector.reason == "head_too_long"
    assert injector.surrender() == piece * 2


@given(
    name=st.sampled_from(CODED),
    at=st.floats(0, 1),
    wrong=st.binary(min_size=1, max_size=8),
    size=st.integers(1, 400),
    releases=st.booleans(),
)
@settings(max_examples=examples(400))
def test_no_fault_raises_and_nothing_is_lost(name: str, at: float, wrong: bytes, size: int, releases: bool) -> None:
    """Wherever a body is damaged: it leaves untouched, or what a browser reads of it is still read."""
    body = BODIES[name]
    coded = b"".join(body.encode([PAGE[:300], PAGE[300:600]], 6))
    position = int(at * len(coded))
    damaged = coded[:position] + wrong + coded[position + len(wrong) :]
    ran = run(body.header, slices(damaged, size), releases=releases)
    if ran.injector.is_untouched:
        assert ran.body == damaged
    elif ran.search is Search.FOUND:
        assert SCRIPT in Reader(name).read(ran.body)


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("releases", [False, True])
@pytest.mark.parametrize("sees", [False, True])
def test_an_error_of_ours_in_the_search_loses_nothing(
    name: str, releases: bool, sees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not the failing piece has been read already."""
    body = BODIES[name]
    pieces = body.encode([b"<!doctype html><meta name=a><titl", b"e>A</title></head>", b"rest"], 6)
    injector = CodedInjector(layers_of(body.header))
    assert injector.feed(pieces[0], last=False) is Search.MORE
    outputs = [injector.release()] if releases else []

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError

    if sees:
        monkeypatch.setattr(Injector, "feed", fail)
        with pytest.raises(RuntimeError):
            injector.feed(pieces[1], last=False)
    outputs.append(injector.surrender(pieces[1]))
    outputs += [injector.more(piece, last=False) for piece in pieces[2:]]
    outputs.append(injector.end(b""))
    if releases:
        assert body.decode(b"".join(outputs)) == b"<!doctype html><meta name=a><title>A</title></head>rest"
    else:
        assert b"".join(outputs) == b"".join(pieces)
