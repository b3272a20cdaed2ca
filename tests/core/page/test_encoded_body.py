"""A coded page reads as the page with the script in its place, however it was coded and cut, and streams as it did."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.page.encoded_bodies import BODIES, PAGE, PLACE, SCRIPT, WITH_SCRIPT, Reader, plain_result, run, slices
from tests.strategies import examples
from tiktok_middleware.core.page.codings import layers_of
from tiktok_middleware.core.page.encoded_body import CodedInjector
from tiktok_middleware.core.page.head_end import Search

CODINGS = sorted(BODIES)
CODED = [name for name in CODINGS if name != "none"]
FRAGMENT = b"<div>no document</div>" * 50
XML = b"<?xml version='1.0'?><feed>" + b"<entry/>" * 50 + b"</feed>"
DOCUMENTS = {
    "page": PAGE,
    "marked": b"\xef\xbb\xbf<!-- </head> --><!DOCTYPE html>\n<title></head></title><p>text",
    "head alone": b"<html><head><title>Never ends</title>",
    "in a script": b"<!doctype html><script>'</head>'</script></HEAD  ><body>",
    "no tags": b"<!doctype html>just text",
    "not closed": b"<!doctype html><title>Never ends",
    "foreign": b"<!doctype html><template><svg></template></head><body>",
    "fragment": FRAGMENT,
    "xml": XML,
    "text": b"just text",
    "empty": b"",
}


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_a_whole_body_gets_the_script_or_leaves_untouched(name: str, kind: str) -> None:
    body, document = BODIES[name], DOCUMENTS[kind]
    coded = b"".join(body.encode([document], 6))
    ran = run(body.header, [coded])
    wanted = plain_result(document)
    if wanted == document:
        assert ran.search is Search.NEVER
        assert ran.body == coded
        assert ran.injector.reason
    else:
        assert ran.search is Search.FOUND
        assert body.decode(ran.body) == wanted


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("releases", [False, True])
def test_every_cut_gives_the_same(name: str, releases: bool) -> None:
    body = BODIES[name]
    page = PAGE[:200]
    coded = b"".join(body.encode([page[:30], page[30:90], page[90:]], 6))
    wanted = plain_result(page)
    for cut in range(len(coded) + 1):
        ran = run(body.header, [coded[:cut], coded[cut:]], releases=releases)
        assert body.decode(ran.body) == wanted
    for size in (1, 2, 3, 7):
        ran = run(body.header, slices(coded, size), releases=releases)
        assert body.decode(ran.body) == wanted


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_what_gets_no_script_leaves_byte_for_byte_from_any_cut(name: str, size: int) -> None:
    body = BODIES[name]
    for document in (FRAGMENT, XML, b"text", b"", b"<!doctype html><template><svg></template></head>"):
        coded = b"".join(body.encode([document[:40], document[40:]], 9))
        ran = run(body.header, slices(coded, size))
        assert ran.body == coded
        assert ran.injector.is_untouched


@pytest.mark.parametrize("name", CODED)
def test_pieces_may_be_views_of_memory(name: str) -> None:
    pieces = [memoryview(piece) for piece in BODIES[name].encode([PAGE[:500], PAGE[500:]], 6)]
    assert BODIES[name].decode(run(BODIES[name].header, pieces).body) == WITH_SCRIPT  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CODINGS)
def test_a_fragment_is_let_go_as_soon_as_it_is_known_to_be_one(name: str) -> None:
    pieces = BODIES[name].encode([b"<div>first</div>", b"<div>second</div>"], 6)
    assert run(BODIES[name].header, pieces).outputs == pieces


@pytest.mark.parametrize("name", CODINGS)
def test_what_the_app_made_readable_is_readable_in_the_same_step(name: str) -> None:
    body = BODIES[name]
    parts = [PAGE[:PLACE], PAGE[PLACE : PLACE + 50], *slices(PAGE[PLACE + 50 :], 97)]
    pieces = body.encode(parts, 6)
    ran = run(body.header, pieces, releases=True)
    reader = Reader(name)
    read = [reader.read(output) for output in ran.outputs]
    assert read[0] == parts[0]
    assert read[1] == SCRIPT + parts[1]
    assert read[2 : len(parts)] == parts[2:]


@pytest.mark.parametrize("name", CODINGS)
def test_a_head_that_comes_in_parts_leaves_in_parts(name: str) -> None:
    """Before the place is known, all but an unfinished construct leaves; nothing while it may be a fragment."""
    body = BODIES[name]
    parts = [
        b"<!-- who knows -->",
        b"<!doctype html><head>",
        b"<meta charset=utf-8><titl",
        b"e>A</title></head>",
        b"end",
    ]
    ran = run(body.header, body.encode(parts, 6), releases=True)
    reader = Reader(name)
    assert [reader.read(output) for output in ran.outputs][:5] == [
        b"",
        b"<!-- who knows --><!doctype html><head>",
        b"<meta charset=utf-8>",
        b"<title>A</title>" + SCRIPT + b"</head>",
        b"end",
    ]


def test_nothing_is_written_anew_before_something_can_leave() -> None:
    coded = gzip.compress(FRAGMENT)
    injector = CodedInjector(layers_of("gzip"))
    assert injector.feed(coded[:12], last=False) is Search.MORE
    assert injector.release() == b""
    assert injector.is_untouched
    assert injector.feed(coded[12:], last=True) is Search.NEVER
    assert injector.surrender() == coded


@pytest.mark.parametrize("name", CODINGS)
def test_a_search_that_fails_after_bytes_have_left_goes_on_without_a_script(name: str) -> None:
    body = BODIES[name]
    parts = [b"<!doctype html><meta name=a>", b"<template><svg>", b"</template></head>"]
    ran = run(body.header, body.encode(parts, 6), releases=True)
    assert ran.search is Search.NEVER
    assert ran.injector.reason
    assert ran.injector.is_document
    assert not ran.injector.is_untouched
    assert body.decode(ran.body) == b"".join(parts)


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("releases", [False, True])
def test_a_response_given_up_in_the_search_leaves_without_a_script(name: str, releases: bool) -> None:
    body = BODIES[name]
    pieces = body.encode([b"<!doctype html><meta name=a><titl", b"e>A</title></head>"], 6)
    injector = CodedInjector(layers_of(body.header))
    assert injector.feed(pieces[0], last=False) is Search.MORE
    first = injector.release() if releases else b""
    outputs = [
        first,
        injector.surrender(),
        *(injector.more(piece, last=False) for piece in pieces[1:]),
        injector.end(b""),
    ]
    if releases:
        assert body.decode(b"".join(outputs)) == b"<!doctype html><meta name=a><title>A</title></head>"
    else:
        assert outputs == [b"", *pieces, b""]


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("releases", [False, True])
def test_a_response_given_up_at_the_place_leaves_without_a_script(name: str, releases: bool) -> None:
    body = BODIES[name]
    pieces = body.encode([b"<!doctype html><meta name=a>", b"<title>A</title></head>rest"], 6)
    injector = CodedInjector(layers_of(body.header))
    assert injector.feed(pieces[0], last=False) is Search.MORE
    first = injector.release() if releases else b""
    assert injector.feed(b"".join(pieces[1:]), last=True) is Search.FOUND
    out = first + injector.surrender()
    if releases:
        assert body.decode(out) == b"<!doctype html><meta name=a><title>A</title></head>rest"
    else:
        assert out == b"".join(pieces)


@pytest.mark.parametrize("name", CODED)
def test_a_late_script_stands_at_the_end_of_the_page(name: str) -> None:
    body = BODIES[name]
    pieces = body.encode([PAGE[:500], PAGE[500:]], 6)
    injector = CodedInjector(layers_of(body.header))
    assert injector.feed(pieces[0], last=False) is Search.FOUND
    assert not injector.is_open
    outputs = [injector.splice(SCRIPT), *(injector.more(piece, last=False) for piece in pieces[1:])]
    reader = Reader(name)
    assert b"".join(map(reader.read, outputs)) == WITH_SCRIPT
    assert injector.is_open
    outputs.append(injector.end(b"<script>late</script>"))
    assert not injector.is_open
    assert body.decode(b"".join(outputs)) == WITH_SCRIPT + b"<script>late</script>"


@pytest.mark.parametrize("name", CODED)
def test_an_end_without_a_late_script_is_the_end(name: str) -> None:
    body = BODIES[name]
    injector = CodedInjector(layers_of(body.header))
    assert injector.feed(b"".join(body.encode([PAGE], 6)), last=False) is Search.FOUND
    assert body.decode(injector.splice(SCRIPT) + injector.end(b"")) == WITH_SCRIPT


def test_an_untouched_body_takes_no_late_script() -> None:
    coded = gzip.compress(FRAGMENT)
    injector = CodedInjector(layers_of("gzip"))
    assert injector.feed(coded, last=False) is Search.NEVER
    assert not injector.is_open
    assert [injector.surrender(), injector.more(b"", last=False), injector.end(SCRIPT)] == [coded, b"", b""]


@pytest.mark.parametrize("name", CODED)
def test_a_page_grows_by_little_more_than_its_script(name: str) -> None:
    """A page coded as frameworks do by default does not get a tenth longer by being written anew."""
    coded = b"".join(BODIES[name].encode([PAGE], 5))
    assert len(run(BODIES[name].header, [coded]).body) < 1.1 * len(coded) + 2 * len(SCRIPT)


NASTY = st.sampled_from(
    [
        b"<!doctype html>", b"<html>", b"<head>", b"</head>", b"<body>", b"<title>", b"</title>", b"<script>", b"</script>",
        b"<!--", b"-->", b"<meta a='</head>'>", b"<link rel=x>", b"<template>", b"</template>", b"<svg>", b" ", b"\n", b"text",
        b"<style>", b"</style", b">", b"<", b"\xef\xbb\xbf", b"\x00", b"<noscript>", b"</noscript>", b"x" * 300, b"<p>",
    ]
)  # fmt: skip
TEXTS = st.lists(NASTY, max_size=14).map(b"".join) | st.lists(NASTY, max_size=14).map(
    lambda parts: b"<!doctype html><head>" + b"".join(parts) + b"</head><body>"
)


@given(
    parts=st.lists(TEXTS, min_size=1, max_size=4),
    name=st.sampled_from(CODINGS),
    level=st.integers(1, 9),
    sizes=st.lists(st.integers(0, 80), max_size=12),
    releases=st.booleans(),
)
@settings(max_examples=examples(400))
def test_any_document_reads_as_the_search_in_plain_bytes_has_it(
    parts: list[bytes], name: str, level: int, sizes: list[int], releases: bool
) -> None:
    body = BODIES[name]
    coded = b"".join(body.encode(parts, level))
    pieces, start = [], 0
    for size in sizes:
        pieces.append(coded[start : start + size])
        start += size
    pieces.append(coded[start:])
    document = b"".join(parts)
    ran = run(body.header, pieces, releases=releases)
    if ran.injector.is_untouched:
        assert ran.body == coded
        assert plain_result(document) == document
    else:
        assert body.decode(ran.body) == plain_result(document)
