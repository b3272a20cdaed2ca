"""Pages that were hard to place a script in, through both adapters: where it stands, and what is said where it cannot."""

from __future__ import annotations

import gzip
import json
import logging
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.adapters import Request, Response, Seen, make_client, through_asgi, through_wsgi, without_ours
from tests.core.core_world import FETCH, NAVIGATION
from tests.core.response.test_exchange import HTML as HTML_PAIRS
from tests.core.response.test_exchange import Story
from tiktok_middleware import Client
from tiktok_middleware.core.page.head_end import HEAD_LIMIT_BYTES
from tiktok_middleware.core.page.held_memory import HELD_LIMIT_BYTES as MEMORY_BYTES

BOTH = pytest.mark.parametrize("through", [through_asgi, through_wsgi])
Through = Callable[[Client, Request, Response], Seen]

HTML = ("Content-Type", "text/html; charset=utf-8")
UNNAMED = ("Content-Type", "text/html")
PURCHASE = (("Purchase", {"value": 9.9, "currency": "EUR", "order_id": "A-1"}),)
CART = (("AddToCart", {"value": 9.9, "currency": "EUR"}),)
NAVIGATE = Request(headers=NAVIGATION)
OLD_NAVIGATE = Request(headers={"accept": "text/html,application/xhtml+xml"})


def counted(client: Client) -> list[str]:
    return [name for name in client.stats()["counts"] if name.startswith("page_")]


# -- the charset


@BOTH
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<!doctype html><html><head><div hidden></div><meta charset='utf-8'>", "<title>Größe</title></head><body>ü"),
        ("<!doctype html><title>ü</title><body><meta charset=utf-8>", "<p>ü"),
        ("<!doctype html><html><head></head><meta charset=utf-8>", "<body>ü"),
        ("<!doctype html><title>ü</title><p><script>'<meta charset=utf-8>'</script>", "ü"),
    ],
)
def test_the_script_stands_behind_a_declaration_that_follows_the_head(
    through: Through, before: str, after: str
) -> None:
    client = make_client()
    page = Response(headers=(UNNAMED,), pieces=(before.encode(), after.encode()))
    seen = through(client, NAVIGATE, page)
    assert without_ours(client, seen.body) == (page.body, 1)
    assert seen.body.startswith(before.encode() + b"<script>")


@BOTH
def test_a_charset_at_risk_is_counted_and_logged_once(through: Through, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client()
    page = Response(headers=(UNNAMED,), pieces=(b"<!doctype html><p><svg><meta charset=utf-8></svg>",), has_length=True)
    caplog.clear()
    for _ in range(3):
        assert through(client, NAVIGATE, page).body == page.body
    assert client.stats()["counts"]["page_charset_at_risk"] == 3
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "charset" in line


UTF_16 = {"little-endian": b"\xff\xfe", "big-endian": b"\xfe\xff"}
DOCUMENTS = ["<!doctype html><title>Größe</title><p>x", "<p>x", ""]


@BOTH
@pytest.mark.parametrize("content_type", ["text/html", "text/html; charset=utf-8", "text/html; charset=koi8-r"])
@pytest.mark.parametrize("order", UTF_16)
@pytest.mark.parametrize("text", DOCUMENTS)
@pytest.mark.parametrize("cut", [0, 1, 2, 7])
def test_a_byte_order_mark_of_utf_16_outranks_the_content_type(
    through: Through, content_type: str, order: str, text: str, cut: int
) -> None:
    body = UTF_16[order] + text.encode("utf-16-le" if order == "little-endian" else "utf-16-be")
    client = make_client()
    headers = (("Content-Type", content_type),)
    for request in (NAVIGATE, OLD_NAVIGATE):
        page = Response(headers=headers, pieces=(body[:cut], body[cut:]), events=CART)
        seen = through(client, request, page)
        assert seen.body == body
        # The head has left where the first piece has no whole byte order mark.
        assert (seen.header("set-cookie") or "").startswith("_tt_carry" if cut >= 2 else "")
    public = Response(headers=(*headers, ("Cache-Control", "public")), pieces=(body,))
    assert through(client, NAVIGATE, public).body == body
    coded = Response(headers=(*headers, ("Content-Encoding", "gzip")), pieces=(gzip.compress(body),), events=CART)
    assert gzip.decompress(through(client, NAVIGATE, coded).body) == body
    assert counted(client) == ["page_charset"]
    assert client.stats()["counts"]["page_charset"] == 4
    assert client.stats()["counts"].get("browser_charset", 0) == (0 if cut >= 2 else 2)


@BOTH
@pytest.mark.parametrize(
    ("content_type", "is_page"),
    [
        ("text/html charset=utf-8", True),
        ("TEXT/HTML  charset=utf-8", True),
        ("text/html ; charset=utf-8", True),
        ("text/html\t", True),
        ("text/htmlx; charset=utf-8", False),
        ("text/html, application/json", False),
        ("text/html , application/json", False),
        ("text/plain; x=text/html", False),
        ("application/json, text/html; charset=utf-8", True),
    ],
)
def test_a_content_type_is_html_where_browsers_take_it_for_html(
    through: Through, content_type: str, is_page: bool
) -> None:
    client, page = make_client(), Response(headers=(("Content-Type", content_type),))
    for _ in range(2):
        seen = through(client, NAVIGATE, page)
        assert without_ours(client, seen.body) == (page.body, int(is_page))
        assert seen.header("content-type") == content_type


# -- large heads


def large(head_bytes: int, *headers: tuple[str, str], coding: str = "", piece_bytes: int = 0, **more: Any) -> Response:
    css = b"p{color:red}\n" * (head_bytes // 13)
    body = b"<!doctype html><html><head><style>" + css + b"</style><title>t</title></head><body>b</body></html>"
    if coding:
        body, headers = gzip.compress(body, 1), (*headers, ("Content-Encoding", coding))
    step = piece_bytes or len(body)
    pieces = tuple(body[start : start + step] for start in range(0, len(body), step))
    return Response(headers=(HTML, *headers), pieces=pieces, **more)


@BOTH
@pytest.mark.parametrize("headers", [(), (("Cache-Control", "public, max-age=60"),)])
@pytest.mark.parametrize("piece_bytes", [0, 1460])
@pytest.mark.parametrize("has_length", [True, False])
@pytest.mark.parametrize("head_bytes", [70_000, 200_000, 1_000_000])
def test_a_large_head_gets_one_snippet_at_its_end(
    through: Through, headers: tuple[tuple[str, str], ...], piece_bytes: int, has_length: bool, head_bytes: int
) -> None:
    client, page = make_client(), large(head_bytes, *headers, piece_bytes=piece_bytes, has_length=has_length)
    seen = through(client, NAVIGATE, page)
    assert without_ours(client, seen.body) == (page.body, 1)
    assert b"</style><title>t</title><script>" in seen.body
    if has_length:
        assert seen.header("content-length") == str(len(seen.body))


@BOTH
@pytest.mark.parametrize("piece_bytes", [0, 1460])
@pytest.mark.parametrize("has_length", [True, False])
def test_a_large_coded_head_gets_one_snippet(through: Through, piece_bytes: int, has_length: bool) -> None:
    client, page = make_client(), large(200_000, coding="gzip", piece_bytes=piece_bytes, has_length=has_length)
    seen = through(client, NAVIGATE, page)
    assert without_ours(client, gzip.decompress(seen.body)) == (gzip.decompress(page.body), 1)


@BOTH
@pytest.mark.parametrize("piece_bytes", [0, 100_000])
@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("has_length", [True, False])
def test_a_head_above_1_mib_is_left_alone_and_logged_once(
    through: Through, coding: str, piece_bytes: int, has_length: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client()
    page = large(HEAD_LIMIT_BYTES + 1000, coding=coding, piece_bytes=piece_bytes, has_length=has_length)
    caplog.clear()
    for _ in range(2):
        seen = through(client, NAVIGATE, page)
        plain = gzip.decompress(seen.body) if coding else seen.body
        assert plain == (gzip.decompress(page.body) if coding else page.body)
    assert counted(client) == ["page_no_head_end"]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "no_head_end" in line


def test_what_all_responses_hold_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """500 pages with 1 MiB of head and a promised length come at once; none of them ends."""
    runtime = Story().runtime
    stories, piece = [Story(runtime=runtime) for _ in range(500)], 65_536
    headers = [*HTML_PAIRS, (b"content-length", b"2000000")]
    tracemalloc.start()
    try:
        for story in stories:
            story.start(headers=headers)
            story.feed(b"<!doctype html><head><style>", last=False)
        for _ in range(15):
            for story in stories:
                story.exchange.body_received(bytes(piece), last=False)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < MEMORY_BYTES * 1.5
    assert runtime.page_memory.taken_bytes <= MEMORY_BYTES
    refused = runtime.notices.counts["page_head_memory_full"]  # type: ignore[attr-defined]
    assert 450 <= refused < 500
    assert len([line for line in caplog.messages if "head_memory_full" in line]) == 1
    stories.clear()
    assert runtime.page_memory.taken_bytes == 0
    assert without_script(Story(runtime=runtime).answer(200, HTML_PAIRS, large(300_000, piece_bytes=9000).body).body)


def without_script(body: bytes) -> bool:
    return b"w.tiktok" in body


# -- HTML that does not begin like a document


@BOTH
@pytest.mark.parametrize("request_", [NAVIGATE, OLD_NAVIGATE])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<style>p{}</style>\n<!doctype html><html><head><title>t</title>", "</head><body>b</body></html>"),
        ("", "<p>Hello, World!</p>"),
        ("", "Hello, World!"),
        ("", "<br />\n<b>Warning</b>: x in <b>a.php</b><br />\n<!doctype html><html><head></head><body>b"),
        ("<!-- x -->\n<link rel=icon href=data:,>", "<h1>x</h1>"),
        ("<script>a</script>", "<div>b</div>"),
        ("<style>p{}</style>", ""),
        ("", "{}"),
    ],
)
def test_a_navigation_to_any_html_carries_its_events_inline(
    through: Through, request_: Request, before: str, after: str
) -> None:
    client = make_client()
    seen = through(client, request_, Response(headers=(HTML,), pieces=((before + after).encode(),), events=PURCHASE))
    assert without_ours(client, seen.body) == ((before + after).encode(), 1)
    assert seen.body.startswith(before.encode() + b"<script>")
    assert b"Purchase" in seen.body
    assert seen.header("tiktok-events") is None


@BOTH
@pytest.mark.parametrize("body", [b"", b"<p title='never closed", b"\x00"])
def test_a_navigation_without_a_place_carries_its_events_in_the_redirect_cookie(through: Through, body: bytes) -> None:
    client = make_client()
    seen = through(client, NAVIGATE, Response(headers=(HTML,), pieces=(body,), events=PURCHASE))
    assert seen.header("tiktok-events") is None
    if b"w.tiktok" not in seen.body:
        assert (seen.header("set-cookie") or "").startswith("_tt_carry")


@BOTH
@pytest.mark.parametrize(
    "headers", [FETCH, {**FETCH, "hx-request": "true"}, {"accept": "text/html", "hx-request": "true"}]
)
def test_a_part_of_a_page_stays_one(through: Through, headers: dict[str, str]) -> None:
    client = make_client()
    seen = through(client, Request(headers=headers), Response(headers=(HTML,), pieces=(b"<p>x</p>",), events=PURCHASE))
    assert seen.body == b"<p>x</p>"
    assert seen.header("tiktok-events") is not None


# -- our own addresses


@BOTH
@pytest.mark.parametrize(
    "tag",
    [
        '<base href="http://other.example/">',
        "<base href=/folder/>",
        "<BASE target=_blank HREF='//other.example'>",
        "<base target=_blank>",
        "<script>'<base href=/x>'</script>",
        "<!-- <base href=/x> -->",
        "<template><base href=/x></template>",
    ],
)
@pytest.mark.parametrize("cut", [0, 40, 50])
def test_a_base_address_changes_none_of_ours(through: Through, tag: str, cut: int) -> None:
    client = make_client()
    body = f"<!doctype html><html><head>{tag}<title>t</title></head><body>b</body></html>".encode()
    for _ in range(2):  # the second may follow what was decided for the first
        seen = through(client, NAVIGATE, Response(headers=(HTML,), pieces=(body[:cut], body[cut:])))
        assert seen.body.count(b"w.tiktok=w.tiktok") == 1
        assert re.findall(rb"[^ ]*/_tiktok/", seen.body) == re.findall(rb'[^ ]*"j":"/_tiktok/', seen.body)
    plain = through(client, NAVIGATE, Response(headers=(HTML,)))
    assert without_ours(client, plain.body)[1] == 1  # and not of other pages either


# -- a policy in markup


@BOTH
@pytest.mark.parametrize("cut", [0, 60, 90])
@pytest.mark.parametrize(
    "tag",
    [
        '<meta http-equiv="Content-Security-Policy" content="script-src \'nonce-abc\'">',
        "<meta content=\"script-src 'nonce-abc'\" http-equiv=content-security-policy>",
        "<META HTTP-EQUIV='CONTENT-SECURITY-POLICY' CONTENT='script-src &#39;nonce-abc&#39;; sandbox'>",
    ],
)
def test_the_nonce_of_a_policy_in_markup_is_used(through: Through, tag: str, cut: int) -> None:
    client = make_client()
    body = f"<!doctype html><html><head>{tag}<title>t</title></head><body>b</body></html>".encode()
    for _ in range(2):
        seen = through(client, NAVIGATE, Response(headers=(HTML,), pieces=(body[:cut], body[cut:])))
        assert seen.body.count(b'<script nonce="abc"') == 1
        assert without_ours(client, seen.body) == (body, 1)


@BOTH
def test_what_a_policy_in_markup_blocks_is_said_once(through: Through, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client()
    body = b"<!doctype html><meta http-equiv=Content-Security-Policy content=\"script-src 'none'\"><title>t</title>"
    for _ in range(3):
        through(client, NAVIGATE, Response(headers=(HTML,), pieces=(body,)))
    said = [line for line in caplog.messages if "Content Security Policy blocks the pixel" in line]
    assert len(said) == 1


@BOTH
@pytest.mark.parametrize(
    "tag",
    [
        "<!-- <meta http-equiv=Content-Security-Policy content=\"script-src 'nonce-abc'\"> -->",
        "<script>'<meta http-equiv=Content-Security-Policy content=\"script-src nonce-abc\">'</script>",
        "<meta name=Content-Security-Policy content=\"script-src 'nonce-abc'\">",
        "<meta http-equiv=Content-Security-Policy-Report-Only content=\"script-src 'nonce-abc'\">",
    ],
)
def test_what_is_no_policy_changes_nothing(through: Through, tag: str) -> None:
    client = make_client()
    body = f"<!doctype html><html><head>{tag}</head><body>b</body></html>".encode()
    seen = through(client, NAVIGATE, Response(headers=(HTML,), pieces=(body,)))
    assert without_ours(client, seen.body) == (body, 1)
    assert b"<script nonce" not in seen.body


# -- codings that are none


@BOTH
@pytest.mark.parametrize(
    "name", ["utf-8", "UTF8", "none", "8bit", "binary", "iso-8859-1", "text/html", "identity, utf-8"]
)
def test_a_coding_that_is_none_is_kept_and_ignored(through: Through, name: str) -> None:
    client, coding = make_client(), ("Content-Encoding", name)
    for request in (NAVIGATE, Request(headers=FETCH)):
        page = Response(headers=(UNNAMED, coding), pieces=(b"<!doctype html><title>t</title><body>b",))
        seen = through(client, request, page)
        assert without_ours(client, seen.body) == (page.body, 1)
        assert seen.header("content-encoding") == name
    unreadable = Response(headers=(UNNAMED, coding), pieces=(b"\x1f\x8b\x08\x00",), events=PURCHASE)
    seen = through(client, NAVIGATE, unreadable)
    assert seen.body == unreadable.body
    assert (seen.header("set-cookie") or "").startswith("_tt_carry")


# -- a page that is ready


@BOTH
@pytest.mark.parametrize("cut", [0, 30, 60, 200, 2000])
@pytest.mark.parametrize("page_view", ["browser", "matched"])
def test_a_page_that_carries_our_script_already_is_left_alone(through: Through, cut: int, page_view: str) -> None:
    inner, outer = make_client(endpoint="/_other", page_view=page_view), make_client(page_view=page_view)
    ready = through(inner, NAVIGATE, Response(headers=(HTML,))).body
    assert b"w.tiktok=w.tiktok" in ready
    for has_length in (True, False):
        again = Response(headers=(HTML,), pieces=(ready[:cut], ready[cut:]), events=PURCHASE, has_length=has_length)
        seen = through(outer, NAVIGATE, again)
        assert seen.body == ready
    assert outer.stats()["counts"]["page_already_injected"] == 2


# -- a page that a script asks for


@BOTH
@pytest.mark.parametrize(
    ("headers", "is_heard"),
    [
        (FETCH, True),
        ({**FETCH, "sec-fetch-mode": "same-origin"}, True),
        ({**FETCH, "referer": "https://shop.example/worker.js"}, False),  # its answers are heard by no page
        ({**FETCH, "sec-fetch-site": "same-site"}, False),
        ({**FETCH, "sec-purpose": "prefetch"}, False),  # waits until somebody sees the page
        (dict(NAVIGATION), False),
    ],
)
def test_events_of_a_page_for_a_script_are_also_in_its_headers(
    through: Through, headers: dict[str, str], is_heard: bool
) -> None:
    client = make_client()
    seen = through(client, Request(headers=headers), Response(headers=(HTML,), events=PURCHASE))
    assert b'"Purchase"' in seen.body
    assert (seen.header("tiktok-events") is not None, seen.header("server-timing") is not None) == (is_heard, is_heard)
    if is_heard:
        assert json.loads(seen.header("tiktok-events") or "")[0][2].encode() in seen.body
    client.close(1)


@BOTH
@pytest.mark.parametrize("lines", [1, 60])
def test_sealed_events_of_a_page_for_a_script_are_in_its_headers_if_they_fit(through: Through, lines: int) -> None:
    client = make_client(consent="required")
    contents = [{"content_id": f"SKU-{n * 7919}", "content_name": f"Mug number {n}", "price": n} for n in range(lines)]
    event = ("Purchase", {"value": 5, "currency": "EUR", "contents": contents})
    seen = through(client, Request(headers=FETCH), Response(headers=(HTML,), events=(event,)))
    announced = seen.header("server-timing")
    assert b'"Purchase"' in seen.body
    assert (announced or "").startswith("tiktok;desc=") == (lines == 1)
    assert seen.header("set-cookie") is None
    client.close(1)
