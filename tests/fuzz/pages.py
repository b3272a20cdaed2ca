"""A document, how it is cut and coded: the search, the bodies and two parsers must agree on what becomes of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from itertools import cycle, pairwise
from typing import Any, NamedTuple

from tests.core.page.encoded_bodies import BODIES, Reader
from tests.strategies import OPENINGS, PIECES, TEMPLATES, fed
from tests.trees import SCRIPT, outline, parsed, without_ours
from tiktok_middleware.core.page.body import Body, open_body
from tiktok_middleware.core.page.head_end import HEAD_LIMIT_BYTES, Injector, Search

lexbor: Any = import_module("selectolax.lexbor")

WORDS = [*PIECES, *TEMPLATES]

_CODINGS = ["none", *sorted(set(BODIES) - {"none"})]
_SETTINGS_BYTES = 8
_MAX_DOCUMENT_BYTES = 2_048
_SINGLE_BYTES = 512  # documents up to this size are fed byte by byte too
# Few inputs are as long as the search may be: each costs as much as many others.
_PADS = 0xF8
_PADDING = (b" ", b"<!--" + b"-" * 2_000 + b"->", b"<meta a='" + b"b" * 1_000 + b"'>", b"x<b")
# A name and what may follow it, or the end of raw text: nothing longer is ever held inside a document.
_MOST_HELD_BYTES = 16
# html5lib takes a millisecond, lexbor some microseconds.
_ONE_IN = 8


class Case(NamedTuple):
    """One input, read.

    Attributes:
        document: what the app made.
        cuts: places between pieces, as 256ths of whatever is cut.
        coding: a name of ``BODIES``.
        level: how hard the coder works.
        releases: whether bytes leave before the search has ended.
        fault: what happens to the coded bytes: where, in 256ths, and which byte; None where they stay whole.
    """

    document: bytes
    cuts: tuple[int, ...]
    coding: str
    level: int
    releases: bool
    fault: tuple[int, int] | None

    @classmethod
    def read(cls, data: bytes) -> Case:
        """Any bytes: some that set how, and the document."""
        settings = data[:_SETTINGS_BYTES].ljust(_SETTINGS_BYTES, b"\0")
        document = data[_SETTINGS_BYTES : _SETTINGS_BYTES + _MAX_DOCUMENT_BYTES]
        coding, flags, *cuts, at, wrong = settings
        if flags >= _PADS:
            document = _padded(document, cuts[0], _PADDING[cuts[1] % len(_PADDING)])
        return cls(
            document,
            tuple(sorted(cuts)),
            _CODINGS[coding % len(_CODINGS)],
            1 + flags % 9,
            bool(flags & 0x10),
            (at, wrong) if wrong else None,
        )


Splits = Callable[[Case], Iterable[list[bytes]]]


def _padded(document: bytes, at: int, padding: bytes) -> bytes:
    """The document with so much in its middle that what follows lies around the bound of the search."""
    cut = len(document) * at // 256
    room = HEAD_LIMIT_BYTES - len(document) // 2
    return document[:cut] + padding * (room // len(padding)) + document[cut:]


def seeds() -> Iterator[bytes]:
    """Every nasty piece in the middle of a document."""
    openings = cycle(OPENINGS)
    for number, piece in enumerate(WORDS):
        coding, flags = number % len(_CODINGS), (number * 37) % _PADS
        settings = bytes([coding, flags, 40, 90, 150, 220, 0, 0])
        others = [WORDS[(number * step + step) % len(WORDS)] for step in (7, 29, 53)]
        yield settings + next(openings) + piece + b"<title>t</title>" + others[0] + b"</head><p>x"
        yield settings + next(openings) + others[1] + piece + b"".join(others) + b"</head><p>x"
    for number in range(8):
        yield bytes([number, _PADS + number, 200, number, 128, 255, 100 * (number % 2), 77]) + b"<!doctype html></head>"
    for number in range(1, 4 * len(_CODINGS)):
        settings = bytes([number % len(_CODINGS), number, 60, 120, 180, 240, 0xF0 + number // 3, 0x1F + number % 3])
        yield settings + b"<!doctype html><title>t</title><meta name=a></head><p>x</p>"


def check(data: bytes, *, make: type[Injector] = Injector, splits: Splits | None = None) -> None:
    """Raises where a promise is broken.

    Args:
        data: the input.
        make: the search to check.
        splits: ways to cut the document; by default, at the places that the input names and byte by byte.

    Raises:
        AssertionError: any split gives the same place; outside our script every byte is the app's; what is held is
            bounded; a coded body reads as the plain one, and a damaged one as far as it did; parsers see one script
            more, in the head, and nothing else; without a place there is nothing behind the head.
    """
    case = Case.read(data)
    document = case.document
    injector, out, place = fed([document], make=make)
    assert out == document
    outcome = place, injector.is_document, injector.reason
    wanted = document if place < 0 else document[:place] + SCRIPT + document[place:]
    for pieces in (splits or _splits)(case):
        assert _searched(pieces, make) == outcome, pieces
        assert (
            b"".join(_sent(open_body("", is_charset_named=True, is_page=False), pieces, releases=case.releases))
            == wanted
        )
    _check_coded(case, wanted)
    if place >= 0 and len(document) <= _MAX_DOCUMENT_BYTES:
        _check_trees(document, wanted)
    elif injector.reason == "head_unfinished":
        assert _tree(document).body.html == "<body></body>"


def _splits(case: Case) -> Iterator[list[bytes]]:
    yield _cut(case.document, case.cuts)
    if len(case.document) <= _SINGLE_BYTES:
        yield [case.document[index : index + 1] for index in range(len(case.document))] or [b""]


def _cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *(len(data) * cut // 255 for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def _searched(pieces: Sequence[bytes], make: type[Injector]) -> tuple[int, bool | None, str]:
    """Place, whether it is a document, and reason, as ``fed`` has them; nothing is held without need."""
    injector, seen = make(), 0
    for index, piece in enumerate(pieces):
        found = injector.feed(piece, last=index == len(pieces) - 1)
        if found.search is Search.MORE:
            assert not injector.is_document or len(injector.held) <= _MOST_HELD_BYTES, injector.held
            seen += found.cut
            continue
        place = seen + found.cut if found.search is Search.FOUND else -1
        return place, injector.is_document, injector.reason
    raise AssertionError("the search never ended")


def _sent(body: Body, pieces: Sequence[bytes], *, releases: bool) -> Iterator[bytes]:
    """What leaves for each piece, as an exchange has it."""
    search = Search.MORE
    for index, piece in enumerate(pieces):
        last = index == len(pieces) - 1
        if search is not Search.MORE:
            yield body.more(piece, last=last)
            continue
        search = body.feed(piece, last=last)
        if search is Search.FOUND:
            yield body.splice(SCRIPT)
        elif search is Search.NEVER:
            yield body.surrender()
        elif releases and body.is_document:
            yield body.release()


def _check_coded(case: Case, wanted: bytes) -> None:
    kind = BODIES[case.coding]
    coded = b"".join(kind.encode(_cut(case.document, case.cuts[::2]), case.level))
    damaged = _damaged(coded, *case.fault) if case.fault is not None and case.coding != "none" else coded
    body = open_body(kind.header, is_charset_named=True, is_page=False)
    out = b"".join(_sent(body, _cut(damaged, case.cuts), releases=case.releases))
    if damaged != coded:
        _check_damaged(case, damaged, out)
        assert not damaged.startswith(coded) or out.endswith(damaged[len(coded) :])
    elif out != coded:
        assert kind.decode(out) == wanted
    else:
        assert wanted == case.document


def _damaged(coded: bytes, at: int, byte: int) -> bytes:
    """With one byte replaced, with some behind its end, or cut off."""
    if at >= 0xF8:
        return coded + bytes([byte]) * (at - 0xF7)
    cut = len(coded) * at // 0xF8
    return coded[:cut] + bytes([byte]) + coded[cut + 1 :] if byte < 0xF8 else coded[:cut]


def _check_damaged(case: Case, coded: bytes, out: bytes) -> None:
    """A damaged body leaves as it came; or what was good reads as before, and from the fault on all is as it came."""
    if SCRIPT in case.document or " in " in case.coding:  # the rest of an inner coding is coded by the outer one
        return
    rest = _common_end_bytes(coded, out)
    read, before = Reader(case.coding).read(out[: len(out) - rest]), Reader(case.coding).read(coded)
    place = read.find(SCRIPT)
    if place < 0:  # it may be cut off itself
        place = next((len(read) - n for n in range(len(SCRIPT), -1, -1) if read.endswith(SCRIPT[:n])), len(read))
    assert (before[:place] + SCRIPT + before[place:]).startswith(read) or before.startswith(read), (read, before)


def _common_end_bytes(one: bytes, other: bytes) -> int:
    return next((n for n, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False)) if a != b), len(one))


def _check_trees(document: bytes, wanted: bytes) -> None:
    before, after = _serialised(document), _serialised(wanted)
    assert after.count(_SERIALISED) == 1 + before.count(_SERIALISED), (before, after)
    if _SERIALISED not in before:
        assert after.replace(_SERIALISED, "") == before, (before, after)
        assert len(_tree(wanted).css("html > head > script[data-x]")) == 1, after
    # html5lib is older than templates.
    if zlib.crc32(document) % _ONE_IN == 0 and b"<template" not in document.lower() and b"data-x" not in document:
        old, new = parsed(document), parsed(wanted)
        assert (without_ours(old), without_ours(new)) == ([], ["head"])
        assert outline(new) == outline(old)


_SERIALISED = '<script data-x=""></script>'


def _serialised(document: bytes) -> str:
    return str(_tree(document).html)


def _tree(document: bytes) -> Any:
    """The tree of a current parser, as a browser with scripting makes it; it takes a byte order mark for text."""
    return lexbor.LexborHTMLParser(document.removeprefix(b"\xef\xbb\xbf"), scripting=True)
