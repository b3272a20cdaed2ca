"""Known heads give the place that the search finds, also where tokens differ, and forget at their bounds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import documents, examples
from tiktok_middleware.core.page.body import PlainBody
from tiktok_middleware.core.page.head_end import Search
from tiktok_middleware.core.page.known_heads import KnownHeads

HEAD = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop %b</title>'
    b'<meta name="csrf-token" content="%b"><script nonce="%b">window.id="%b"</script></head><body><p>%b</p>'
)


def searched(page: bytes) -> int:
    """The place that the search finds in a page that comes at once; -1 where there is none."""
    body = PlainBody()
    return body.place if body.feed(page, last=True) is Search.FOUND else -1


def learned(*pages: bytes) -> KnownHeads:
    heads = KnownHeads()
    for page in pages:
        heads.learn("/", page, searched(page))
    return heads


def test_head_is_known_from_the_third_request_on() -> None:
    page = HEAD % ((b"x",) * 5)
    heads = learned(page)
    assert heads.place("/", page) == -1
    heads.learn("/", page, searched(page))
    assert heads.place("/", page) == searched(page) == page.index(b"</head>")
    assert heads.place("/other", page) == -1


def test_tokens_that_differ_on_every_request_are_known_after_two_of_them() -> None:
    pages = [HEAD % (b"%d" % n, b"a+/%d==" % n, b"nonce%d_-" % n, b"id%d" % (n * 7), b"body") for n in range(6)]
    heads = learned(*pages[:3])
    for page in pages[3:]:
        assert heads.place("/", page) == page.index(b"</head>")


@pytest.mark.parametrize(
    "token",
    [
        *(b"", b"a b", b'"', b'">', b"<", b"a>b", b"</script>", b"--", b"\x00", b"'", b"a\nb", b"&quot;", b"\xc3\xa9"),
        *(b"</head><body>", b"<!--", b"x</title></head>", b"script", b"a" * 300),
    ],
)
@pytest.mark.parametrize("place", range(4))
def test_token_of_other_characters_is_searched(place: int, token: bytes) -> None:
    heads = learned(*(HEAD % ((b"%d" % n,) * 5) for n in range(3)))
    parts = [b"ok"] * 5
    parts[place] = token
    page = HEAD % tuple(parts)
    assert heads.place("/", page) in {-1, searched(page)}


@pytest.mark.parametrize(
    "markup",
    [
        *(b"<%b></%b>", b"<!%b>", b"<?%b>", b"</%b>", b"<meta %b>", b"<meta a=%b>", b"<script>%b</script>"),
        *(b"<script>a='<%b'</script>", b"<script>a='</%b'</script>", b"<title><%b</title>", b"<style>%b</style>"),
    ],
)
@pytest.mark.parametrize("word", [b"script", b"style", b"title", b"head", b"body", b"div", b"template", b"x1"])
def test_word_that_names_an_element_is_never_taken_for_a_token(markup: bytes, word: bytes) -> None:
    def page(name: bytes) -> bytes:
        filled = markup.replace(b"%b", name)
        return b"<!doctype html><html><head><title>t</title>" + filled + b"</head><body>x</head>"

    heads = learned(*(page(b"y%d" % n) for n in range(4)))
    assert heads.place("/", page(word)) in {-1, searched(page(word))}


@settings(max_examples=examples(300))
@given(data=st.data(), document=documents())
def test_known_place_is_the_searched_place(data: st.DataObject, document: bytes) -> None:
    """Whatever is written into words and quoted values of a document, and whatever else is changed."""
    word = st.from_regex(rb"[A-Za-z0-9_+/=.<>\"' -]{0,12}", fullmatch=True)

    def changed() -> bytes:
        return re.sub(
            rb"[A-Za-z0-9]+", lambda m: data.draw(word) if data.draw(st.integers(0, 9)) == 0 else m[0], document
        )

    pages = [document, document, *(changed() for _ in range(4))]
    heads = KnownHeads()
    for page in pages:
        place = searched(page)
        known = heads.place("/", page)
        assert known in {-1, place}
        if place >= 0:
            heads.learn("/", page, place)


def test_heads_that_always_differ_are_given_up() -> None:
    heads = KnownHeads()
    for number in range(30):
        page = b"<!doctype html><head>" + b"<meta name=a>" * number + b"</head>"
        heads.learn("/", page, searched(page))
    assert heads.place("/", page) == -1
    assert 0 < heads.size_bytes < 1000  # the path is kept, and counts, but no head


def test_paths_whose_heads_are_given_up_are_bounded_too() -> None:
    heads = KnownHeads()
    for path in range(30_000):
        heads._keep(f"/{path}", None)
    assert heads.size_bytes <= 4_194_304
    assert heads.place("/0", b"<head></head>") == -1
    assert len(heads._heads) < 20_000


def test_memory_is_bounded_by_bytes() -> None:
    heads = KnownHeads()
    page = b"<!doctype html><head>" + b"<meta name=a>" * 5000 + b"</head>"
    for number in range(200):
        for _ in range(2):
            heads.learn(number, page, searched(page))
        assert heads.size_bytes <= 4_194_304
    assert heads.place(199, page) > 0


def test_head_with_a_policy_is_known_only_as_a_whole() -> None:
    """Else a policy with another nonce would get the script of the first."""
    head = b"<!doctype html><head><meta http-equiv=Content-Security-Policy content=\"x 'nonce-%b'\"></head>"
    tags = ("x 'nonce-a'",)
    heads = KnownHeads()
    for name in (b"a", b"b", b"a", b"a"):
        page = head % name
        heads.learn("/", page, searched(page), (f"x 'nonce-{name.decode()}'",))
    assert heads.place("/", head % b"a") > 0
    assert heads.tags("/") == tags
    assert heads.place("/", head % b"b") == -1


def test_oldest_heads_are_dropped_first() -> None:
    heads = KnownHeads()
    page = b"<!doctype html><head>" + b"<meta name=a>" * 50_000 + b"</head>"
    for number in range(8):
        for _ in range(2):
            heads.learn(number, page, searched(page))
    known = [number for number in range(8) if heads.place(number, page) > 0]
    assert known == [2, 3, 4, 5, 6, 7]
    assert heads.size_bytes <= 4_194_304
