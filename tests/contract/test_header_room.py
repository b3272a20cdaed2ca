"""Beside large heads and cookies of the app's we add only what leaves a proxy's 4 KB enough room."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest

from tests.contract.adapters import Request, Response, Seen, make_client, through_asgi, through_wsgi
from tests.core.core_world import NAVIGATION
from tiktok_middleware import Client

BOTH = pytest.mark.parametrize("through", [through_asgi, through_wsgi])
Through = Callable[[Client, Request, Response], Seen]
HTML = ("Content-Type", "text/html; charset=utf-8")
CONTENTS = [{"content_id": sha256(bytes([number])).hexdigest(), "price": 9.9, "quantity": 1} for number in range(12)]
CART = (("AddToCart", {"value": 9.9, "currency": "EUR", "contents": CONTENTS}),)
CLICK = "E.C.P." + "x" * 500

HEAD_BYTES, COOKIE_CHARS = 3584, 3072
STEPS = list(range(0, 4000, 100))


def head_bytes(headers: Sequence[tuple[str, str]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def answers(kind: str, padding: int) -> Response:
    pad = ("X-App", "x" * padding)
    if kind == "redirect":
        return Response(status=302, headers=(("Location", "/thanks"), pad), pieces=(), events=CART)
    if kind == "redirect with a session":
        session = ("Set-Cookie", f"session={'x' * padding}; Path=/; HttpOnly")
        return Response(status=302, headers=(("Location", "/thanks"), session), pieces=(), events=CART)
    if kind == "json":
        return Response(headers=(("Content-Type", "application/json"), pad), pieces=(b"{}",), events=CART)
    return Response(headers=(HTML, pad))


REQUESTS = {
    "redirect": Request(headers=NAVIGATION),
    "redirect with a session": Request(headers=NAVIGATION),
    "json": Request(headers={"sec-fetch-mode": "cors", "sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0"}),
    "landing": Request(headers=NAVIGATION, query=f"ttclid={CLICK}"),
}


@BOTH
@pytest.mark.parametrize("kind", REQUESTS)
def test_no_head_grows_above_what_proxies_take(through: Through, kind: str) -> None:
    client, grew = make_client(), 0
    for padding in STEPS:
        response = answers(kind, padding)
        bare = head_bytes(through(client, Request(method="HEAD"), response).headers)
        seen = through(client, REQUESTS[kind], response)
        added = head_bytes(seen.headers) - bare
        # Cache-Control: private is no more than 24 bytes.
        assert added <= max(0, min(1536, HEAD_BYTES - bare)) + len("Cache-Control: private\r\n"), padding
        grew += added > 0
    assert 20 <= grew < len(STEPS)


@BOTH
def test_the_cookie_header_stays_below_what_servers_take(through: Through) -> None:
    client, carried = make_client(), 0
    for padding in STEPS:
        cookie = f"session={'x' * padding}"
        seen = through(client, Request(headers={**NAVIGATION, "cookie": cookie}), answers("redirect", 0))
        ours = [value.partition(";")[0] for name, value in seen.headers if name == "set-cookie"]
        total = len(cookie) + sum(len(pair) + 2 for pair in ours)
        assert not ours or total <= COOKIE_CHARS
        carried += bool(ours)
        session = Response(
            status=302,
            headers=(("Location", "/x"), ("Set-Cookie", f"session={'y' * padding}; Path=/")),
            pieces=(),
            events=CART,
        )
        seen = through(client, Request(headers=NAVIGATION), session)
        pairs = [value.partition(";")[0] for name, value in seen.headers if name == "set-cookie"]
        assert len(pairs) == 1 or sum(len(pair) + 2 for pair in pairs) <= COOKIE_CHARS
    assert 25 <= carried <= 31


@BOTH
def test_what_does_not_fit_waits_under_a_reference_and_else_has_a_reason(through: Through) -> None:
    client = make_client()
    whole = through(client, Request(headers=NAVIGATION), answers("redirect", 0))
    reference = through(client, Request(headers=NAVIGATION), answers("redirect", 2800))
    nothing = through(client, Request(headers=NAVIGATION), answers("redirect", 3500))
    lengths = [len(seen.header("set-cookie") or "") for seen in (whole, reference, nothing)]
    assert lengths[0] > 600 > lengths[1] > 0 == lengths[2]
    assert client.stats()["counts"]["browser_no_header_room"] == 1


@BOTH
@pytest.mark.parametrize("padding", [0, 3300, 3900])
@pytest.mark.parametrize("headers", [{"sec-gpc": "1"}, {"cookie": "_tt_consent=d"}])
def test_the_end_of_our_cookies_after_a_refusal_is_never_cut(
    through: Through, padding: int, headers: dict[str, str]
) -> None:
    cookie = "; ".join(filter(None, (headers.get("cookie"), "_ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1; ttclid=E.C.P.abc")))
    request = Request(headers={**NAVIGATION, **headers, "cookie": cookie})
    seen = through(make_client(), request, answers("landing", padding))
    ended = {
        re.split("[=;]", value)[0] for name, value in seen.headers if name == "set-cookie" and "Max-Age=0" in value
    }
    assert {"_ttp", "ttclid"} <= ended


@BOTH
def test_ids_without_room_are_counted(through: Through) -> None:
    client = make_client()
    seen = through(client, REQUESTS["landing"], answers("landing", 3400))
    assert [name for name, _ in seen.headers if name == "set-cookie"] == []
    assert client.stats()["counts"]["no_header_room"] == 1
    assert b"w.tiktok" in seen.body
