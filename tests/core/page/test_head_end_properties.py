"""What holds of the injector for any document: splits change nothing, and parsers see one script more and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import documents, examples, fed, splits
from tests.trees import SCRIPT, outline, parsed, without_ours
from tiktok_middleware.core.page.head_end import LIMIT_BYTES, Injector, Search


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


HOSTILE = [
    b"<meta " + b"a=" * LIMIT_BYTES,
    b"<meta " + b"a " * LIMIT_BYTES,
    b"<meta a" + b" " * LIMIT_BYTES,
    b"<meta a=" + b" " * LIMIT_BYTES,
    b"<meta " + b"a=b " * LIMIT_BYTES,
    b"<meta " + b'a="b" ' * LIMIT_BYTES,
    b'<meta a="' + b">" * LIMIT_BYTES,
    b'<meta a="' + b"x=" * LIMIT_BYTES,
    b"<meta a='" + b'> <meta b="c">' * LIMIT_BYTES,
    b"<meta " + b'a="b"' * 100 + b"c='" + b">" * LIMIT_BYTES,
    b"<meta a='b'>" * LIMIT_BYTES,
    b"<meta a=b c>" * LIMIT_BYTES,
    b'<meta a="b>' * LIMIT_BYTES,
    b"<" * LIMIT_BYTES,
    b"<!" * LIMIT_BYTES,
    b"<!--" + b"-" * LIMIT_BYTES,
    b"<!--" + b"--!" * LIMIT_BYTES,
    b"<!-->" * LIMIT_BYTES,
    b"<!--" + b"a-" * LIMIT_BYTES,
    b"<?" + b"<" * LIMIT_BYTES,
    b"</" * LIMIT_BYTES,
    b"</" + b"a" * LIMIT_BYTES,
    b"<title>" + b"</titl" * LIMIT_BYTES,
    b"<title>" + b"<" * LIMIT_BYTES,
    b"<title>'</title>" * LIMIT_BYTES,
    b"<script>" + b"<!--" * LIMIT_BYTES,
    b"<script>" + b"<" * LIMIT_BYTES,
    b"<script>" + b"</a" * LIMIT_BYTES,
    b"<script></a</script>" * LIMIT_BYTES,
    b"<script><!--" + b"<script </script " * LIMIT_BYTES,
    b"<noscript>" + b"</noscrip" * LIMIT_BYTES,
    b"<template>" * LIMIT_BYTES,
    b"<template>" + b"< " * LIMIT_BYTES,
    b"<template " * LIMIT_BYTES,
    b" " * LIMIT_BYTES,
    b"<!-- -- " * LIMIT_BYTES,
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda data: data[:24].decode())
def test_hostile_heads_cost_linear_time_whole_and_byte_by_byte(hostile: bytes) -> None:
    data = (b"<!doctype html>" + hostile)[: LIMIT_BYTES + 1000]
    began = time.process_time()
    whole = Injector().feed(data, last=False)
    whole_s = time.process_time() - began
    began = time.process_time()
    injector, found = Injector(), Search.MORE
    for index in range(len(data)):
        found = injector.feed(data[index : index + 1], last=False).search
        if found is not Search.MORE:
            break
    single_s = time.process_time() - began
    assert found is whole.search is not Search.MORE
    # A microsecond a byte whole, fifteen fed singly, on a slow machine; what is quadratic takes minutes.
    assert whole_s < 0.25
    assert single_s < 2.0
