"""What several tests draw from: nasty HTML, and ways to cut bytes into pieces."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st

from tiktok_middleware.core.page.head_end import HeadEnd, Injector, Search


def examples(count: int) -> int:
    """Return how many examples a property tries: ``count``, and a tenth of it in the fast tier."""
    return max(1, count * settings().max_examples // 100)


OPENINGS = [
    b"",
    b"<!doctype html>",
    b"<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN' \"http://www.w3.org/TR/html4/strict.dtd\">",
    b"<!DocType",
    b"<!doctypehtml>",
    b"<!doctype html><html lang=en><head>",
    b"<!doctype html>\n<html>\n<head>\n",
    b"\xef\xbb\xbf<!doctype html><html><head>",
    b"\xef\xbb\xbf",
    b" \n<!-- x --><?xml version='1.0'?><!doctype html>",
    b"<html><head><meta charset=utf-8>",
    b"<HEAD>",
    b"<title>t</title>",
]

PIECES = [
    # white space and text
    b" ", b"\n\t\f\r", b"x", b"\x0b", b"\x00", b"\xef\xbb\xbf", b"\xc3\xa9", b"&nbsp;", b"'", b'"', b">", b"<", b"< ", b"<3", b"=",
    # comments, doctypes and what is taken for comments
    b"<!-->", b"<!--->", b"<!---->", b"<!----->", b"<!--", b"-->", b"--!>", b"--", b"->", b"<!--!>", b"<!---!>", b"<!----!>",
    b"<!-- </head> -->", b"<!-- <script> --!>", b"<!--x--y-->", b"<!--x<!-->", b"<!-- a - b -- c --->", b"<!doctype html>", b"<!>",
    b"<!-", b"<!->", b"<!x </head>", b"<!x>", b"<?php </head> ?>", b"<?>", b"</>", b"</ x>", b"</1 </head>", b"<![CDATA[x]]>", b"<!D",
    # elements of a head
    b"<meta charset=utf-8>", b"<meta name=a content='</head>'>", b'<meta name="a" content="it\'s">', b'<meta a="" b=\'\' c>',
    b'<meta ="a>b">', b'<meta a=x"y z="b>c">', b'<meta a= "x>y" b>', b"<meta a = 'x>y'/>", b'<meta/a="x>y"/>', b"<meta a=/>", b"<meta a=>",
    b'<meta a"=">">', b'<meta a="x"b=\'>\'>', b'<meta a=x/ b=">">', b'<meta a="x=">', b'<meta a="x ">', b'<meta / =">">', b"<META\n>",
    b'<link rel="x" href="/a.css">', b"<link rel=x />", b'<link a="x" b crossorigin>', b'<base href="/">', b"<html lang=de>", b"<head>", b"<head x>",
    b"<meta", b"<meta ", b"<meta a", b"<meta a=", b'<meta a="', b"<meta a='", b"<met", b'" ', b"' ", b"' >", b'" >', b"/>", b"<meta\x00>", b"<metaa>",
    b"<basefont>", b"<bgsound>",
    # raw text
    b"<title>", b"</title>", b"<title></head></title>", b"<TITLE a='>'>x</Title >", b"</title x='>'>", b"</titl", b"</titlee>", b"</title/>",
    b"<style>", b"</style>", b'<style media="a">a>b</style>', b"<style><!-- </style>", b"</sty<", b"<noframes>", b"</noframes>",
    b"<noscript>", b"</noscript>", b"<noscript><img src=x></noscript>", b"<noscript></head><!-- </noscript>", b"</NoScript\t>",
    b"<script>", b"</script>", b"<script src='a' defer></script>", b'<script src="a" async></script>', b"<script>a<b;'</head>'</script>",
    b"<script><!-- <script> </script> --></script>", b"<script><!--</script>", b"<script><!--><script></script>",
    b"<script><!-- <script", b"<script><!-- </script\t>", b"<!--<script>", b"<script/>", b"</script ", b"</scrip", b"</SCRIPT>", b"<scripts>", b"<script\n",
    # what ends a head
    b"</head>", b"</HEAD >", b"</head", b"</head x=", b"</body>", b"</html>", b"</br>", b"</p>", b"</header>", b"</meta>", b"<body>", b"<body class='a>b'>",
    b"<p>", b"<div a=", b"<b>", b"<textarea>", b"</textarea>", b"<frameset>", b"<svg>", b"<img src=x>", b"<plaintext>", b"<abcdefghijklmnopqrstuv x>",
    b"</abcdefghijklmnopqrstuv='x>y'>", b"<abcdefghijkl", b"</abcdefghijkl",
]  # fmt: skip

TEMPLATES = [
    b"<template>", b"</template>", b"<template a='>'>", b"<template></head><p>x</template>", b"<template><template></template>", b"</template",
    b"<template><script>'</template>'</script></template>", b"<template><textarea></template></textarea>", b"<svg>", b"<math>", b"<template>&lt;",
    b"<xmp>", b"</xmp>", b"<iframe>", b"</iframe>", b"<noembed></template></noembed>", b"<select>", b"<col>", b"<style></template></style>", b"<table>",
    b"<tr><td>", b"<title></template></title>", b"<option>",
]  # fmt: skip

_anything = st.text(alphabet="<>/!-='\" \nabehtdmsciplrxHD\x00", max_size=12).map(str.encode)


def documents(*, templates: bool = True) -> st.SearchStrategy[bytes]:
    """Documents made of nasty pieces, most of them beginning like documents."""
    piece = st.sampled_from(PIECES + (TEMPLATES if templates else []))
    return st.tuples(
        st.sampled_from(OPENINGS),
        st.lists(st.one_of(piece, piece, piece, _anything), max_size=14).map(b"".join),
        st.sampled_from(
            [b"", b"</head><body>x</body></html>", b"<body>", b"text", b"</title></style></script>--></head>"]
        ),
    ).map(b"".join)


def splits(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """The bytes in pieces, some of them empty."""
    cuts = st.lists(st.integers(0, len(data)), max_size=12).map(sorted)
    return cuts.map(lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)])


def fed(
    pieces: Sequence[bytes],
    *,
    empty_end: bool = False,
    is_charset_named: bool = True,
    is_page: bool = False,
    make: type[Injector] = Injector,
) -> tuple[Injector, bytes, int]:
    """The injector at its end, all bytes that it gave back, and the index of the place in them or -1."""
    injector, out = make(is_charset_named=is_charset_named, is_page=is_page), b""
    pieces = [*pieces, b""] if empty_end else pieces
    for index, piece in enumerate(pieces):
        place = injector.feed(piece, last=index == len(pieces) - 1)
        assert place.search is not Search.MORE or index < len(pieces) - 1, "the last piece decides"
        assert injector.held == (place.data[place.cut :] if place.search is Search.MORE else b"")
        out += place.data[: place.cut]
        if place.search is not Search.MORE:
            rest = place.data[place.cut :] + b"".join(pieces[index + 1 :])
            return injector, out + rest, _index(place, len(out))
    raise AssertionError("the injector never ended")


def _index(place: HeadEnd, cut: int) -> int:
    return cut if place.search is Search.FOUND else -1
