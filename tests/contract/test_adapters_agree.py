"""For the same app and request both doors give the same answer, outside our scripts the app's, however it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.adapters import (
    HTML,
    PAGE,
    Request,
    Response,
    Seen,
    generator_app,
    list_app,
    make_client,
    through_asgi,
    through_wsgi,
    without_ours,
    write_app,
)
from tests.strategies import documents, examples, splits
from tiktok_middleware import Client
from tiktok_middleware.core.page.head_end import HEAD_LIMIT_BYTES

REQUEST_HEADERS = [
    {},
    {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"},
    {"accept": "text/html,*/*"},
    {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin", "referer": "http://shop.example/p"},
    {"sec-fetch-dest": "iframe", "sec-fetch-mode": "navigate"},
    {"hx-request": "true"},
    {"sec-gpc": "1", "cookie": "_ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1"},
    {"cookie": "_ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1; ttclid=E.C.P.abc; a=b c"},
    {"cookie": "_tt_carry=forged; _tt_consent=d"},
    {"sec-purpose": "prefetch", "sec-fetch-mode": "navigate"},
]  # fmt: skip

TYPES = [
    HTML,
    HTML,
    HTML,
    ("content-type", "TEXT/HTML"),
    ("Content-Type", "application/json"),
    ("Content-Type", "text/event-stream"),
    ("Content-Type", "application/xhtml+xml"),
    ("Content-Type", "text/html; charset=utf-16"),
    ("CONTENT-TYPE", "image/png"),
    ("X-None", "no type at all"),
]

HEADERS = [
    ("Cache-Control", "no-cache"),
    ("cache-control", "public, max-age=60"),
    ("Cache-Control", "no-transform"),
    ("Cache-Control", ""),
    ("ETag", '"abc"'),
    ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
    ("Expires", "Wed, 21 Oct 2099 07:28:00 GMT"),
    ("Accept-Ranges", "bytes"),
    ("Set-Cookie", "a=b; Path=/"),
    ("Set-Cookie", "c=d"),
    ("Content-Disposition", "attachment; filename=x.html"),
    ("Content-Security-Policy", "script-src 'nonce-abc123' 'strict-dynamic'"),
    ("Content-Language", "de"),
    ("X-Latin", "caf\xe9"),
    ("Location", "/thanks"),
]

EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("ViewContent", {"value": 1.5, "currency": "EUR"}),
    ("Search", {"search_string": "</script><!-- \u2028"}),
    ("AddToCart", {"contents": [{"content_id": "SKU-1", "quantity": 2}], "value": 3, "currency": "EUR"}),
    ("Custom", {"text": "x" * 1200}),
]

requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "GET", "GET", "POST", "HEAD"]),
    query=st.sampled_from(["", "", "ttclid=E.C.P.landed", "q=bob%40example.com"]),
    headers=st.sampled_from(REQUEST_HEADERS),
)


@st.composite
def responses(draw: st.DrawFn) -> Response:
    body = draw(st.one_of(st.just(PAGE), documents(), st.sampled_from([b"", b"{}", b"<p>part</p>", PAGE * 40])))
    events = st.lists(st.sampled_from(EVENTS), max_size=3).map(tuple)
    is_streamed = draw(st.booleans())
    return Response(
        status=draw(st.sampled_from([200, 200, 200, 200, 201, 302, 303, 304, 204, 206, 404, 500, 503])),
        headers=(draw(st.sampled_from(TYPES)), *draw(st.lists(st.sampled_from(HEADERS), max_size=4))),
        pieces=tuple(draw(splits(body))),
        events=draw(events),
        late_events=draw(st.one_of(st.just(()), events)) if is_streamed else (),
        has_length=draw(st.booleans()),
        is_streamed=is_streamed,
    )


@pytest.fixture(scope="module")
def clients() -> Iterator[tuple[Client, Client]]:
    both = make_client(), make_client()
    yield both
    for client in both:
        client.close(0)


def same_start(*clients: Client) -> None:
    """Ids are made in the same order by every client from here on."""
    for client in clients:
        client.runtime.random_bytes.calls = 0  # type: ignore[attr-defined]


def check_answer(client: Client, bare: Seen, seen: Seen, response: Response) -> None:
    """What holds of every answer, through either door."""
    assert seen.status == bare.status
    rest, count = without_ours(client, seen.body)
    assert rest == bare.body
    assert count <= 2
    if response.has_length:
        assert seen.header("content-length") == str(len(seen.body))
    if not count:
        added = [header for header in seen.headers if header not in bare.headers]
        assert {name for name, _ in added} <= {"set-cookie", "cache-control", "tiktok-events", "server-timing"}
    left_out = {name for name, _ in bare.headers} - {name for name, _ in seen.headers}
    assert left_out <= ({"etag", "last-modified", "accept-ranges"} if count or not response.has_length else set())
    bare_cookies = [value for name, value in bare.headers if name == "set-cookie"]
    assert [value for name, value in seen.headers if name == "set-cookie" and value in bare_cookies] == bare_cookies


@settings(max_examples=examples(500))
@given(request=requests, response=responses())
def test_both_doors_give_the_same_answer(clients: tuple[Client, Client], request: Request, response: Response) -> None:
    asgi, wsgi = clients
    same_start(asgi, wsgi)
    seen = through_asgi(asgi, request, response)
    assert seen == through_wsgi(wsgi, request, response)
    check_answer(asgi, through_asgi(None, request, response), seen, response)


@settings(max_examples=examples(300))
@given(data=st.data(), request=requests, response=responses())
def test_the_cut_of_a_body_changes_no_byte(
    clients: tuple[Client, Client], data: st.DataObject, request: Request, response: Response
) -> None:
    asgi, wsgi = clients
    bodies = set()
    for cut in (response.pieces, (response.body,), tuple(data.draw(splits(response.body)))):
        again = replace(response, pieces=cut, late_events=())
        for make_app in (generator_app, list_app, write_app):
            same_start(asgi, wsgi)
            bodies.add(through_wsgi(wsgi, request, again, make_app).body)
            bodies.add(through_asgi(asgi, request, again).body)
    assert len(bodies) == 1


def is_valid(response: Response) -> bool:
    """Whether ``wsgiref.validate`` takes it from a bare app: its rules on types and statuses are strict."""
    has_type = response.headers[0][0].lower() == "content-type"
    return has_type != (response.status in {204, 304}) and all("\xe9" not in value for _, value in response.headers)


@settings(max_examples=examples(250))
@given(
    request=requests,
    response=responses().filter(is_valid),
    make_app=st.sampled_from([generator_app, list_app, write_app]),
)
def test_the_wsgi_door_is_valid_on_both_its_sides(
    clients: tuple[Client, Client], request: Request, response: Response, make_app: object
) -> None:
    _, wsgi = clients
    seen = through_wsgi(wsgi, request, response, make_app, validated=True)
    check_answer(wsgi, through_wsgi(None, request, response, make_app, validated=True), seen, response)


@given(request=requests, response=responses())
@settings(max_examples=examples(150))
def test_a_purchase_that_counts_once_leaves_the_doors_alike(
    clients: tuple[Client, Client], request: Request, response: Response
) -> None:
    """The same with events that count once: what one client has counted is no longer emitted by it."""
    asgi, wsgi = clients
    purchase = ("Purchase", {"order_id": "A-1", "value": 1, "currency": "EUR"})
    once = replace(response, events=(purchase, *response.events))
    same_start(asgi, wsgi)
    assert through_asgi(asgi, request, once) == through_wsgi(wsgi, request, once)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"<p>a</p>", b"<p>b</p>", b"<p>c</p>"),
        (b"<!doctype html><title>", b"never", b" closed"),
        (b"<!doctype html>", b"<!-- never", b" closed"),
        (b"<!doctype html><head>", b" " * HEAD_LIMIT_BYTES, b"</head><body><!-- "),
        (b"", b"", b""),
    ],
)
@pytest.mark.parametrize("late", [(), tuple(EVENTS)])
def test_a_stream_without_a_place_is_left_alone_to_its_end(
    clients: tuple[Client, Client], pieces: tuple[bytes, ...], late: tuple[tuple[str, dict[str, Any]], ...]
) -> None:
    asgi, wsgi = clients
    response = Response(pieces=pieces, events=tuple(EVENTS[:1]), late_events=late, is_streamed=True)
    assert through_asgi(asgi, Request(), response).body == response.body
    assert through_wsgi(wsgi, Request(), response).body == response.body
