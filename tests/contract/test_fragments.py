"""HTML of a navigation that does not begin like a document; a bar marks the place of the script."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.adapters import HTML, Request, Response, Seen, make_client, through_asgi, through_wsgi, without_ours
from tests.core.core_world import FETCH, NAVIGATION
from tiktok_middleware import Client

BOTH = pytest.mark.parametrize("through", [through_asgi, through_wsgi])
Through = Callable[[Client, Request, Response], Seen]
CART = (("AddToCart", {"value": 9.9, "currency": "EUR"}),)

MARKED = [
    "|<br>",
    "\ufeff|<p>x",
    "\ufeff|",
    "|hello",
    "<!-- x -->|",
    "<!-- x -->|text",
    " \n |",
    "|&lt;",
    '|{"a": "<html>"}',
    "|[1]",
    "|<svg xmlns='http://www.w3.org/2000/svg'/>",
    "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head/>|<body/></html>",
    "<?xml version='1.0'?>|<rss/>",
    "|<frameset><frame></frameset>",
    "|<plaintext>x",
    "</div>|",
    "</p>|x",
    "<meta http-equiv=refresh content='9'>|",
    "<title>t</title>|",
    "<template><p>x</p></template>|",
    "<noscript>x</noscript>|",
    "<script>1</script>|",
    "<html>|",
    "<head>|",
    "|<body>x",
    "<!DOCTYPE html>|",
    "|<3",
    "|<textarea><head></head></textarea>",
    "<style>p{}</style>\n|<p>x",
]


@BOTH
@pytest.mark.parametrize("marked", MARKED)
@pytest.mark.parametrize("cut", [0, 1, 5])
def test_fragment_of_a_navigation_carries_the_event_inline(through: Through, marked: str, cut: int) -> None:
    before, _, after = marked.encode().partition(b"|")
    body, client = before + after, make_client()
    pieces = tuple(filter(None, (body[:cut], body[cut:])))
    for _ in range(2):
        seen = through(client, Request(headers=NAVIGATION), Response(headers=(HTML,), pieces=pieces, events=CART))
        assert without_ours(client, seen.body) == (body, 1)
        assert seen.body.startswith(before + b"<script>")
        assert b"AddToCart" in seen.body


@BOTH
@pytest.mark.parametrize("body", [b"<title>x", b"\x00x", b"<script>1", b"<!-- x", b"<p title='x"])
def test_fragment_without_a_place_keeps_its_bytes_and_the_event_arrives(through: Through, body: bytes) -> None:
    client = make_client()
    seen = through(client, Request(headers=NAVIGATION), Response(headers=(HTML,), pieces=(body,), events=CART))
    if b"w.tiktok" not in seen.body:
        assert seen.body == body
        assert (seen.header("set-cookie") or "").startswith("_tt_carry")
    assert seen.header("tiktok-events") is None


@BOTH
@pytest.mark.parametrize("marked", MARKED)
def test_fragment_of_a_script_request_stays_as_it_is(through: Through, marked: str) -> None:
    body = marked.replace("|", "").encode()
    response = Response(headers=(HTML,), pieces=(body,), events=CART)
    seen = through(make_client(), Request(headers={**FETCH, "hx-request": "true"}), response)
    assert seen.body == body
    assert seen.header("tiktok-events") is not None
