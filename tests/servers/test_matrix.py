"""Every kind of answer through every server: the app's own bytes, one script where one belongs, true framing."""

from __future__ import annotations

import hashlib
import secrets
import time
from itertools import pairwise

import pytest

from tests.servers.contents import CHUNKS, ETAG, UPLOAD_BYTES, WORDS, closed, sent_by_path
from tests.servers.pair import Pair
from tests.servers.visitor import NAVIGATION, SCRIPT, Answer, differences

pytestmark = pytest.mark.servers

IMAGE = {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image", "accept": "image/*,*/*;q=0.8"}


def both(pair: Pair, path: str, headers: dict[str, str] = NAVIGATION, method: str = "GET") -> tuple[Answer, Answer]:
    """The bare answer and ours, which may differ in our script and headers only."""
    bare, ours = pair.bare.ask(path, headers, method=method), pair.ours.ask(path, headers, method=method)
    assert differences(bare, ours) == []
    return bare, ours


@pytest.mark.parametrize("path", ["/page", "/plain", "/file.html", "/fresh"])
def test_a_page_carries_one_script(pair: Pair, path: str) -> None:
    bare, ours = both(pair, path)
    assert (bare.scripts, ours.scripts) == (0, 1)
    assert ours.header("content-length") in {None, str(len(ours.body))}


@pytest.mark.parametrize("path", ["/file", "/nothing"])
def test_what_is_no_page_is_the_apps(pair: Pair, path: str) -> None:
    bare, ours = both(pair, path)
    assert ours.body == bare.body
    assert ours.headers == bare.headers


@pytest.mark.parametrize(("path", "asked", "is_page"), [("/file.html", NAVIGATION, True), ("/file", IMAGE, False)])
def test_a_server_sends_files_by_path_unless_they_may_be_pages(
    pair: Pair, path: str, asked: dict[str, str], is_page: bool
) -> None:
    bare, ours = secrets.token_hex(8), secrets.token_hex(8)
    pages = pair.bare.ask(f"{path}?token={bare}", asked), pair.ours.ask(f"{path}?token={ours}", asked)
    assert differences(*pages) == []
    assert sent_by_path(pair.folder, bare).exists() is pair.entry.sends_paths
    assert sent_by_path(pair.folder, ours).exists() is (pair.entry.sends_paths and not is_page)


def test_a_landing_sets_its_cookies(pair: Pair) -> None:
    ours = both(pair, "/page?ttclid=E.C.P.abc-123")[1]
    assert any(name == "set-cookie" and value.startswith("ttclid=E.C.P.abc-123") for name, value in ours.headers)


def test_a_head_is_the_apps(pair: Pair) -> None:
    bare, ours = both(pair, "/page", method="HEAD")
    assert ours.headers == bare.headers
    assert ours.body == b""


def test_a_page_that_is_fresh_stays_fresh(pair: Pair) -> None:
    bare, ours = both(pair, "/fresh", {**NAVIGATION, "if-none-match": ETAG})
    assert (ours.status, ours.body) == (304, b"")
    assert ours.headers == bare.headers
    tag = dict(both(pair, "/fresh")[1].headers)["etag"]
    assert tag != ETAG
    assert pair.ours.ask("/fresh", {**NAVIGATION, "if-none-match": tag}).status == 304


def test_a_streamed_page_streams(pair: Pair) -> None:
    """Each piece is made only when the client has the one before it; the event's script is in the first of them."""
    token = secrets.token_hex(8)
    bare, _ = pair.bare.read_gated("/stream", "bare" + token, CHUNKS)
    ours, times = pair.ours.read_gated("/stream", token, CHUNKS)
    assert bare.body == b"".join(CHUNKS)
    assert differences(bare, ours) == []
    assert ours.scripts == 1
    assert len(times) == len(CHUNKS)
    assert pair.sink.names_for(token, 1) == ["ViewContent"]


def test_server_sent_events_arrive_as_they_are_sent(pair: Pair) -> None:
    token = secrets.token_hex(8)
    bare, _ = pair.bare.read_gated("/sse", "bare" + token, WORDS)
    ours, times = pair.ours.read_gated("/sse", token, WORDS)
    assert bare.body == ours.body == b"".join(WORDS)
    assert ours.headers == bare.headers
    assert len(times) == len(WORDS)


def test_a_redirect_carries_its_event(pair: Pair) -> None:
    token = secrets.token_hex(8)
    ours = both(pair, f"/redirect?token={token}")[1]
    assert (ours.status, ours.header("content-length"), ours.body) == (303, "0", b"")
    assert any(name == "set-cookie" and value.startswith("_tt_carry.") for name, value in ours.headers)
    assert pair.sink.names_for(token, 1) == ["Purchase"]


def test_an_answer_brings_its_event(pair: Pair) -> None:
    token = secrets.token_hex(8)
    bare, ours = both(pair, f"/json?token={token}", SCRIPT)
    assert ours.body == bare.body
    assert '"AddToCart"' in (ours.header("tiktok-events") or "")
    assert pair.sink.names_for(token, 1) == ["AddToCart"]


def test_a_view_that_fails_tells_no_lies(pair: Pair) -> None:
    token = secrets.token_hex(8)
    ours = both(pair, f"/broken?token={token}")[1]
    assert ours.status == 500
    assert token.encode() not in ours.body
    later = secrets.token_hex(8)
    both(pair, f"/json?token={later}", SCRIPT)
    assert pair.sink.names_for(later, 1) == ["AddToCart"]
    assert pair.sink.names_for(token, 1, within_s=0) == []


def test_an_upload_arrives_whole(pair: Pair) -> None:
    body = secrets.token_bytes(UPLOAD_BYTES)
    bare, ours = (
        visitor.ask("/upload", method="POST", content=body, headers=SCRIPT) for visitor in (pair.bare, pair.ours)
    )
    assert differences(bare, ours) == []
    assert ours.body.decode() == hashlib.sha256(body).hexdigest()


def test_a_connection_is_kept_as_long_as_bare(pair: Pair) -> None:
    paths = ["/page", "/json", "/plain", "/redirect", "/file", "/fresh", "/page", "/broken", "/file.html", "/json"]
    bare = [pair.bare.ask(path).connection for path in paths]
    ours = [pair.ours.ask(path).connection for path in paths]
    assert _changes(ours) == _changes(bare)


def _changes(connections: list[int]) -> list[bool]:
    return [before != after for before, after in pairwise(connections)]


def test_a_client_that_leaves_takes_nothing_along(pair: Pair) -> None:
    """The app's response is closed, as bare, and the server goes on."""
    for visitor in (pair.bare, pair.ours):
        token = secrets.token_hex(8)
        assert visitor.leave_early(f"/endless?token={token}") != b""
        deadline = time.monotonic() + 15
        while not closed(pair.folder, token).exists():
            assert time.monotonic() < deadline, "the app was never closed"
            time.sleep(0.02)
    both(pair, "/page")
