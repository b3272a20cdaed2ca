"""A coded page through a whole exchange: the same story as a plain one, with headers that stay true."""

from __future__ import annotations

import re

import pytest

from tests.core.core_world import FETCH, NAVIGATION, counts
from tests.core.page.encoded_bodies import BODIES, Reader
from tests.core.response.test_exchange import HEAD, HTML, PAGE, Headers, Story
from tiktok_middleware.core.page.encoded_body import CodedInjector
from tiktok_middleware.core.response.exchange import Phase

CODED = sorted(name for name in BODIES if name != "none")
FRAGMENT = b"<p>a fragment</p>"


def coded_headers(name: str, length_bytes: int | None = None) -> Headers:
    length = [] if length_bytes is None else [(b"content-length", str(length_bytes).encode())]
    return [*HTML, (b"content-encoding", BODIES[name].header.encode()), (b"etag", b'"1"'), *length]


def plain_body() -> bytes:
    return Story().answer(200, HTML, PAGE).body


@pytest.mark.parametrize("name", CODED)
def test_a_whole_coded_page_keeps_a_promised_length_true(name: str) -> None:
    coded = b"".join(BODIES[name].encode([PAGE], 6))
    story = Story().answer(200, coded_headers(name, len(coded)), coded)
    assert BODIES[name].decode(story.body) == plain_body()
    assert int(story.header(b"content-length")) == len(story.body)
    assert re.fullmatch(rb'W/"1-s[0-9a-f]{8}"', story.header(b"etag"))


@pytest.mark.parametrize("name", CODED)
def test_a_coded_page_in_pieces_promises_no_length(name: str) -> None:
    pieces = BODIES[name].encode([PAGE[:60], PAGE[60:]], 6)
    story = Story().answer(200, coded_headers(name, sum(map(len, pieces))), *pieces)
    assert BODIES[name].decode(story.body) == plain_body()
    assert story.header(b"content-length") == b""
    assert story.header(b"content-encoding") == BODIES[name].header.encode()


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("body", [FRAGMENT, b"", b"<!--", b"{}"])
def test_what_has_no_place_keeps_its_bytes_and_its_length(name: str, body: bytes) -> None:
    pieces = BODIES[name].encode([body], 6)
    headers = coded_headers(name, sum(map(len, pieces)))
    story = Story(headers=FETCH).answer(200, headers, *pieces)
    assert story.body == b"".join(pieces)
    assert story.header(b"content-length") == str(len(story.body)).encode()
    assert story.header(b"etag") == b'"1"'


@pytest.mark.parametrize("name", CODED)
def test_a_coded_stream_streams_and_takes_late_events_at_its_end(name: str) -> None:
    parts = [HEAD, b"</head><body>", b"<p>now</p>", b"</body></html>"]
    pieces = BODIES[name].encode(parts, 6)
    pieces[3:] = [b"".join(pieces[3:])]
    story, reader = Story(), Reader(name)
    story.start(200, coded_headers(name))
    read, left = [], 0
    for index, piece in enumerate(pieces):
        if index == 2:
            late = story.track("ViewContent")
        story.feed(piece, last=index == 3)
        read.append(reader.read(story.body[left:]))
        left = len(story.body)
    assert read[0] == HEAD
    assert read[1].startswith(b"<script>")
    assert read[1].endswith(b"</script></head><body>")
    assert read[2] == b"<p>now</p>"
    assert read[3].startswith(b"</body></html><script>")
    assert late.event_id.encode() in read[3]
    assert BODIES[name].decode(story.body) == b"".join(read)
    assert story.is_in(Phase.DONE)


def test_an_end_that_is_missing_takes_no_late_event() -> None:
    pieces = BODIES["gzip"].encode([HEAD + b"</head>", b"<body>"], 6)
    story = Story()
    story.start(200, coded_headers("gzip"))
    story.feed(pieces[0], last=False)
    story.track("ViewContent")
    story.feed(pieces[1], last=True)
    story.finish()
    assert Reader("gzip").read(story.body).endswith(b"</head><body>")
    assert [submission.browser for submission in story.submissions] == [False]
    assert counts(story.runtime)["late"] == 1


@pytest.mark.parametrize("name", CODED)
def test_an_app_that_fails_leaves_what_it_sent(name: str) -> None:
    pieces = BODIES[name].encode([HEAD, b"</head>"], 6)
    story = Story()
    headers = coded_headers(name, sum(map(len, pieces)))
    story.start(200, headers)
    story.feed(pieces[0], last=False)
    story.do(story.exchange.give_up())
    story.feed(*pieces[1:], last=True)
    assert story.body == b"".join(pieces)
    assert story.headers == headers


@pytest.mark.swallows
@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("part", ["feed", "splice"])
def test_an_error_of_ours_leaves_the_bytes_as_they_came(name: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(CodedInjector, part, fail)
    pieces = BODIES[name].encode([PAGE], 6)
    headers = coded_headers(name, sum(map(len, pieces)))
    story = Story("/", NAVIGATION).answer(200, headers, *pieces)
    assert story.body == b"".join(pieces)
    assert story.headers == headers
