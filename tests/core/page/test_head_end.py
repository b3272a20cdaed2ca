"""Where the head of a document ends, typed by hand: a bar marks the place; documents without one get no script."""

from __future__ import annotations

import pytest

from tests.strategies import fed
from tiktok_middleware.core.page.head_end import HEAD_LIMIT_BYTES, Injector, Search

D = b"<!doctype html>"

FOUND = [
    # plainly written
    D + b"<html><head><title>x</title>|</head><body></body></html>",
    b"\n<!DOCTYPE html>\n<HTML>\n<HEAD>\n<META charset=utf-8>\n|</HEAD\n></HTML>",
    b"\xef\xbb\xbf<!doctype html><head>|</head>",
    b"<!-- x --><!doctype html><head>|</head>",
    b"<?xml version='1.0'?><!doctype html><head>|</head>",
    b"<html><head>|</head>",
    b"<title>t</title>|</head>",
    # where its tags are left out
    D + b"|",
    D + b"<title>x</title>|",
    D + b"<title>x</title>\n|hello",
    D + b"<title>x</title>|<p>hello",
    D + b"|<body class='</head>'>",
    D + b"\n|\xc3\xa9",
    D + b"|\x0b",  # a vertical tab is no white space
    D + b"|&nbsp;",
    D + b"|<3",
    D + b"|<",
    D + b"|</",
    D + b"|<bod",
    D + b"<html><head>|</body></head>",
    D + b"|</br>",
    D + b"</p>|<p>",  # an end tag that means nothing here is dropped
    b"<body>|".replace(b"<body>|", b"|<body>"),
    D + b"<title>x</title>|<frameset>",
    D + b"|<abcdefghijklmnopqrstuvwxyz>",
    D + b"</abcdefghijklmnopqrstuvwxyz='x>|y'>",
    D + b"|<title\xc3\xa9>",
    # comments, and what is taken for them
    D + b"<!-- </head> -->|</head>",
    D + b"<!-->|</head>-->",
    D + b"<!--->|</head>-->",
    D + b"<!---->|</head>-->",
    D + b"<!--!></head>-->|</head>",
    D + b"<!---!></head>-->|</head>",
    D + b"<!----!>|</head>-->",
    D + b"<!--x--!>|</head>-->",
    D + b"<!--x--y--->|</head>-->",
    D + b"<!--x<!-->|</head>-->",
    D + b"<!--[if IE]><script></head></script><![endif]-->|</head>",
    D + b"<!x '>|</head>",
    D + b"<!-x>|</head>",
    D + b"<!>|</head>",
    D + b"<?php </head>|</head>",
    D + b"</>|</head>",
    D + b"</ </head>|</head>",
    D + b"<![CDATA[ </head>|</head> ]]>",
    # attributes
    D + b"<meta content='</head>'>|</head>",
    D + b'<meta content="</head>">|</head>',
    D + b'<meta content="it\'s </head>">|</head>',
    D + b"<meta content = '</head>'/>|</head>",
    D + b"<meta content=a</head>|</head>",
    D + b'<meta ="</head>|</head>">',  # a name that begins with "=" has no value
    D + b'<meta a="b"c="</head>">|</head>',
    D + b'<meta a=b"c="</head>|</head>">',  # a quote inside an unquoted value is a letter
    D + b'<meta a==">|</head>">',
    D + b'<meta a"=">">|</head>',
    D + b'<meta/a=">"/>|</head>',
    D + b"<meta a=>|</head>",
    D + b'<meta a="x=">|</head>',
    D + b'<meta a="x ">|</head>',
    D + b'<meta a=">" b="c">|</head>',
    D + b'<meta a=" >" b="c">|</head>',
    D + b'<meta a=">\n<meta b="c">|</head>',
    D + b"<html lang='>'><head prefix='>'>|</head>",
    # raw text
    D + b"<title></head></title>|</head>",
    D + b"<title><!-- </title>|</head> -->",
    D + b"<title></titlee></head></TITLE x='>'>|</head>",
    D + b"<style></head></style >|</head>",
    D + b"<style><!-- </style>|</head> -->",
    D + b"<noscript></head></noscript>|</head>",
    D + b"<noframes></head></noframes>|</head>",
    D + b"<script>'</head>'</script>|</head>",
    D + b"<script/></head></script>|</head>",
    D + b"<script src='>'></script\n>|</head>",
    D + b"<script><!-- </script>|</head>",
    D + b"<script><!-- <script></head></script> </head></script>|</head>",
    D + b"<script><!-- <script> --></script>|</head>",
    D + b"<script><!--><script></script>|</head>",
    D + b"<script><!---><script></script>|</head>",
    D + b"<script><!-- <script></script> <SCRIPT\t</script/ --></script>|</head>",
    D + b"<script><!-- <scripts></script>|</head>",
    D + b"<script>a<!-b; c<d</script>|</head>",
    # templates
    D + b"<template></head><p>x</p>< 3 </template>|</head>",
    D + b"<template><template></template></head></template>|</head>",
    D + b"<template><script>'</template>'</script></template>|</head>",
    D + b"<template><textarea></template></textarea></template>|</head>",
    D + b"<template><!-- </template> --></template>|</head>",
    D + b"<template/></head></template>|</head>",
    D + b"</template>|</head>",
]

REFUSED = [
    (b"", "not_a_document"),
    (b" \n", "not_a_document"),
    (b"hello <!doctype html>", "not_a_document"),
    (b"<p>x</p>", "not_a_document"),
    (b"<link rel=x><html>", "not_a_document"),
    (b"<script></script>", "not_a_document"),
    (b"<template></template>", "not_a_document"),
    (b"<!-- x -->", "not_a_document"),
    (b"</head>", "not_a_document"),
    (b"<head", "not_a_document"),
    (b"\xef\xbb", "not_a_document"),
    (b"\xef\xbb\xbf\xef\xbb\xbf<html>", "not_a_document"),
    (b"\xff\xfe<\x00h\x00t\x00m\x00l\x00>\x00", "charset"),
    (b"<!doctyp", "not_a_document"),
    (b"<!doctype", "head_unfinished"),
    (b"<!doctype html", "head_unfinished"),
    (D + b"<title>x</titl", "head_unfinished"),
    (D + b"<script><!-- <script></script>", "head_unfinished"),
    (D + b"<!-", "head_unfinished"),
    (D + b"<!-- x --", "head_unfinished"),
    (D + b"<meta content='</head>", "head_unfinished"),
    (D + b"<template></head><body>", "head_unfinished"),
    (D + b"<template><svg><style></template></style></svg></template>", "unclear_template"),
    (D + b"<template><select><style></template>", "unclear_template"),
    (D + b"<template><plaintext></template>", "unclear_template"),
    (D + b"\x00<p>", "nul_byte"),
    (D + b" " * HEAD_LIMIT_BYTES + b"<p>", "head_too_long"),
    (D + b"<title>" + b"x" * HEAD_LIMIT_BYTES + b"</title><p>", "head_too_long"),
]


def every_split_in_two(data: bytes) -> list[list[bytes]]:
    return [[data[:at], data[at:]] for at in range(len(data) + 1)]


@pytest.mark.parametrize("marked", FOUND)
def test_the_place_is_the_end_of_the_head_however_the_bytes_come(marked: bytes) -> None:
    before, bar, after = marked.partition(b"|")
    assert bar
    data = before + after
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))], *every_split_in_two(data)):
        for empty_end in (False, True):
            injector, out, place = fed(pieces, empty_end=empty_end)
            assert (out, place, injector.reason) == (data, len(before), ""), pieces
            assert injector.is_document is True


@pytest.mark.parametrize(("data", "reason"), REFUSED)
def test_without_a_place_every_byte_comes_back_and_the_reason_is_said(data: bytes, reason: str) -> None:
    splits = every_split_in_two(data) if len(data) < 1000 else []
    start = max(0, len(data) - 20_000)  # byte by byte, of a megabyte only around the bound
    by_bytes = [data[:start]] * bool(start) + [data[i : i + 1] for i in range(start, len(data))]
    for pieces in ([data], by_bytes or [b""], *splits):
        injector, out, place = fed(pieces)
        assert (out, place, injector.reason) == (data, -1, reason)
        assert injector.is_document is (reason != "not_a_document")


def test_the_bound_is_a_place_in_the_document_and_not_in_a_piece() -> None:
    for length in range(HEAD_LIMIT_BYTES - 9, HEAD_LIMIT_BYTES + 3):
        data = (D + b" " * HEAD_LIMIT_BYTES)[:length] + b"</head><body>"
        places = {
            fed(pieces)[2] for pieces in ([data], [data[:-4], data[-4:]], [data[:-9], *map(bytes, zip(data[-9:]))])
        }
        assert places == {length if length + len(b"</head>") <= HEAD_LIMIT_BYTES else -1}


@pytest.mark.parametrize(
    ("piece", "held"),
    [
        (D + b"<title>a", b""),
        (D + b"<title>a</tit", b"</tit"),
        (D + b"<!-- a", b" a"),
        (D + b"<meta content='", b""),
        (D + b"<meta", b"<meta"),
        (D + b"<!", b"<!"),
        (D + b"<script>a<b", b"<b"),
        (b"\xef", b"\xef"),
    ],
)
def test_no_more_is_held_than_what_is_unfinished(piece: bytes, held: bytes) -> None:
    injector = Injector()
    place = injector.feed(piece, last=False)
    assert place.search is Search.MORE
    assert injector.held.endswith(held)
    assert len(injector.held) <= max(len(held), 3)
