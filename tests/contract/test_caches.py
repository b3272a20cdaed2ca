"""What a cache may keep of a response: pages that lack the script because of their visitor, and headers that forbid it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.adapters import (
    NOW,
    PAGE,
    Request,
    Response,
    Seen,
    asgi_scope,
    make_client,
    run,
    through_asgi,
    through_wsgi,
    without_ours,
)
from tests.core.core_world import NAVIGATION
from tiktok_middleware import Client
from tiktok_middleware.asgi import TikTokMiddleware
from tiktok_middleware.core.http.response_headers import with_changes

BOTH = pytest.mark.parametrize("through", [through_asgi, through_wsgi])
Through = Callable[[Client, Request, Response], Seen]
HTML = ("Content-Type", "text/html; charset=utf-8")
PURCHASE = (("Purchase", {"value": 9.9, "currency": "EUR", "order_id": "A-1"}),)

REFUSERS = {
    "GPC": {"sec-gpc": "1"},
    "our refusal": {"cookie": "_tt_consent=d"},
    "us privacy": {"cookie": "usprivacy=1YYN"},
}


@BOTH
@pytest.mark.parametrize("who", REFUSERS)
def test_a_page_without_the_script_because_of_a_refusal_is_private(through: Through, who: str) -> None:
    client = make_client()
    for _ in range(2):
        ordinary = through(client, Request(headers=NAVIGATION), Response(headers=(HTML,)))
        assert without_ours(client, ordinary.body) == (PAGE, 1)
        assert ordinary.header("cache-control") is None  # the same gated bytes for everybody
        refuser = through(client, Request(headers={**NAVIGATION, **REFUSERS[who]}), Response(headers=(HTML,)))
        assert refuser.header("cache-control") == "private"
        assert b"sdkid" not in refuser.body


@BOTH
@pytest.mark.parametrize("said", ["no-store", "private", "no-cache", "private, max-age=60"])
def test_what_forbids_sharing_already_stays_as_it_is(through: Through, said: str) -> None:
    client, response = make_client(), Response(headers=(HTML, ("Cache-Control", said)))
    assert through(client, Request(headers={**NAVIGATION, "sec-gpc": "1"}), response).header("cache-control") == said


@BOTH
def test_a_page_without_the_script_because_of_its_query_is_private(through: Through) -> None:
    client = make_client()
    seen = through(client, Request(query="email=bob@example.com", headers=NAVIGATION), Response(headers=(HTML,)))
    assert seen.body == PAGE
    assert seen.header("cache-control") == "private"


@BOTH
@pytest.mark.parametrize("who", [{}, *REFUSERS.values()])
def test_a_shared_page_does_not_depend_on_the_query(through: Through, who: dict[str, str]) -> None:
    client, headers = make_client(), {**NAVIGATION, **who}
    public = Response(headers=(HTML, ("Cache-Control", "public, max-age=60")))
    plain = through(client, Request(headers=NAVIGATION), public)
    assert without_ours(client, plain.body) == (PAGE, 1)
    for query in ("", "email=bob@example.com", "phone=%2B4915112345678", "utm_source=x&ttclid=E.C.P.a"):
        assert through(client, Request(query=query, headers=headers), public) == plain


@BOTH
def test_a_page_that_is_the_same_for_everybody_is_not_made_private(through: Through) -> None:
    client = make_client(exclude="/shop")
    seen = through(client, Request(headers={**NAVIGATION, "sec-gpc": "1"}), Response(headers=(HTML,)))
    assert (seen.body, seen.header("cache-control")) == (PAGE, None)


# -- headers that forbid caching stay where the response becomes one visitor's


FUTURE, PAST = "Fri, 01 Jan 2100 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"


@BOTH
@pytest.mark.parametrize(("value", "kept"), [("0", True), ("-1", True), ("", True), (PAST, True), (FUTURE, False)])
@pytest.mark.parametrize("status", [200, 301])
def test_an_expiry_in_the_past_stays(through: Through, value: str, kept: bool, status: int) -> None:
    assert NOW > 1_700_000_000
    headers = (HTML, ("Cache-Control", "private"), ("Location", "/next"), ("Expires", value))
    response = Response(status=status, headers=headers, events=PURCHASE)
    seen = through(make_client(), Request(headers=NAVIGATION), response)
    assert (status == 200) is (b"Purchase" in seen.body)
    assert seen.header("expires") == (value if kept else None)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("X-Accel-Expires", "0", True),
        ("X-Accel-Expires", "60", False),
        ("Surrogate-Control", "no-store", True),
        ("Surrogate-Control", "max-age=60", False),
        ("CDN-Cache-Control", "max-age=60, private", True),
        ("CDN-Cache-Control", "max-age=60", False),
        ("Fastly-CDN-Cache-Control", "max-age=60", False),
        ("Fastly-CDN-Cache-Control", "no-store", True),
        ("X-CDN-Cache-Control", "public", False),
        ("X-LiteSpeed-Cache-Control", "public,max-age=60", False),
        ("X-LiteSpeed-Cache-Control", "no-cache", True),
        ("x-litespeed-cache-control", "private,max-age=60", True),
        ("Edge-Control", "cache-maxage=60m", False),
    ],
)
def test_what_forbids_caching_stays_and_what_allows_it_goes(name: str, value: str, kept: bool) -> None:
    private = ("Cache-Control", "private")
    changed = with_changes([(name, value)], is_private=True, now_s=NOW)
    assert changed == ([(name, value), private] if kept else [private])
    assert with_changes([(name, value)]) == [(name, value)]


@BOTH
def test_a_permanent_redirect_that_must_not_be_kept_does_not_become_permanent(through: Through) -> None:
    client = make_client()
    response = Response(status=301, headers=(("Location", "/next"), ("Expires", "0")), pieces=(), events=PURCHASE)
    seen = through(client, Request(headers=NAVIGATION), response)
    assert (seen.header("set-cookie") or "").startswith("_tt_carry")
    assert (seen.header("expires"), seen.header("cache-control")) == ("0", "private")


# -- files that a server sends by itself


UNSEEN: dict[str, dict[str, object]] = {"http.response.pathsend": {}, "http.response.zerocopysend": {}}


@pytest.mark.parametrize(
    ("headers", "hides"),
    [
        (NAVIGATION, True),
        ({"accept": "text/html,*/*"}, True),
        ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, True),
        ({"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, True),
        ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image", "accept": "image/*,text/html"}, False),
        ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "style"}, False),
        ({"accept": "*/*"}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("options", [{}, {"enabled": "false"}])
def test_an_app_sends_no_page_past_us(headers: dict[str, str], hides: bool, options: dict[str, Any]) -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["extensions"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def send(message: Any) -> None:
        pass

    given = {**UNSEEN, "http.response.debug": {}}
    scope = {**asgi_scope(Request(headers=headers)), "extensions": given}
    run(TikTokMiddleware(app, make_client(**options))(scope, None, send))  # type: ignore[arg-type]
    assert seen == [{"http.response.debug": {}} if hides and not options else given]
    assert set(given) == {*UNSEEN, "http.response.debug"}
