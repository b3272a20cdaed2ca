"""What holds of the injector for any document: splits change nothing, and parsers see one script more and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import documents, examples, fed, splits
from tests.trees import SCRIPT, outline, parsed, without_ours
from tiktok_middleware.core.page.head_end import HEAD_LIMIT_BYTES, Injector, Search


@settings(max_examples=examples(400))
@given(st.data())
def test_any_split_of_any_document_finds_the_same_place(data: st.DataObject) -> None:
    document = data.draw(documents())
    whole, out, place = fed([document])
    assert out == document
    for pieces in (data.draw(splits(document)), [document[i : i + 1] for i in range(len(document))] or [b""]):
        injector, out, found = fed(pieces, empty_end=data.draw(st.booleans()))
        assert (out, found, injector.is_document, injector.reason) == (document, place, whole.is_document, whole.reason)


@settings(max_examples=examples(500))
@given(documents(templates=False))  # html5lib is older than templates
def test_the_parsed_tree_is_the_original_and_one_script_in_its_head(document: bytes) -> None:
    injector, _, place = fed([document])
    if place < 0:
        assert injector.reason
        return
    before, after = parsed(document), parsed(document[:place] + SCRIPT + document[place:])
    assert without_ours(before) == []
    assert without_ours(after) == ["head"]
    assert outline(after) == outline(before)


@settings(max_examples=examples(300))
@given(documents(templates=False))
def test_a_document_is_refused_only_where_its_head_never_ends(document: bytes) -> None:
    injector, _, place = fed([document])
    if place >= 0 or injector.reason in {"not_a_document", "nul_byte"}:
        return
    assert injector.reason == "head_unfinished"
    body = parsed(document).getElementsByTagName("body")
    assert [node for found in body for node in found.childNodes] == []


# What a head begins with, and what follows again and again.
HOSTILE = [
    (b"<meta ", b"a="),
    (b"<meta ", b"a "),
    (b"<meta a", b" "),
    (b"<meta a=", b" "),
    (b"<meta ", b"a=b "),
    (b"<meta ", b'a="b" '),
    (b'<meta a="', b">"),
    (b'<meta a="', b"x="),
    (b"<meta a='", b'> <meta b="c">'),
    (b"<meta " + b'a="b"' * 100 + b"c='", b">"),
    (b"", b"<meta a='b'>"),
    (b"", b"<meta a=b c>"),
    (b"", b'<meta a="b>'),
    (b"", b"<"),
    (b"", b"<!"),
    (b"<!--", b"-"),
    (b"<!--", b"--!"),
    (b"", b"<!-->"),
    (b"<!--", b"a-"),
    (b"<?", b"<"),
    (b"", b"</"),
    (b"</", b"a"),
    (b"<title>", b"</titl"),
    (b"<title>", b"<"),
    (b"", b"<title>'</title>"),
    (b"<script>", b"<!--"),
    (b"<script>", b"<"),
    (b"<script>", b"</a"),
    (b"", b"<script></a</script>"),
    (b"<script><!--", b"<script </script "),
    (b"<noscript>", b"</noscrip"),
    (b"", b"<template>"),
    (b"<template>", b"< "),
    (b"", b"<template "),
    (b"", b" "),
    (b"", b"<!-- -- "),
    (b"", b"<script><!--</script>"),
    (b"", b"<script></scriptx</script>"),
    (b"<title>", b"</titlex"),
    (b"", b"<meta a=b='>"),
    (b"", b"<script a='\"'>"),
    (b"<script>", b"a<b;"),
    (b"", b"<!--->"),
    (b"<!--", b"-- "),
    (b"", b"<base a="),
    (b"<base a='", b"x"),
    (b"", b"<meta a-"),
]

# How much is fed at once, and how much of it byte by byte.
WHOLE_BYTES = HEAD_LIMIT_BYTES // 4
SINGLY_BYTES = HEAD_LIMIT_BYTES // 32


@pytest.mark.parametrize(("beginning", "again"), HOSTILE)
def test_hostile_heads_cost_linear_time_whole_and_byte_by_byte(beginning: bytes, again: bytes) -> None:
    start = b"<!doctype html>" + beginning
    data = (start + again * (WHOLE_BYTES // len(again) + 1))[:WHOLE_BYTES]
    whole_s, _ = timed([data])
    singly = [data[index : index + 1] for index in range(SINGLY_BYTES)]
    single_s, found = timed(singly)
    assert found == timed([data[:SINGLY_BYTES]])[1]
    # Four microseconds a byte whole, thirty fed singly, on a slow machine; what is quadratic takes minutes.
    assert whole_s < 1.0
    assert single_s < 1.0


def timed(pieces: list[bytes]) -> tuple[float, tuple[Search, str, int]]:
    """How long the search takes, and what it comes to: the reason, and how many bytes may leave."""
    injector, found, left = Injector(), Search.MORE, 0
    began = time.process_time()
    for piece in pieces:
        place = injector.feed(piece, last=False)
        found, left = place.search, left + place.cut
        if found is not Search.MORE:
            break
    return time.process_time() - began, (found, injector.reason, left)
