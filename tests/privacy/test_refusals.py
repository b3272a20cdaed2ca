"""A refusal is stored and obeyed, whatever cookies and headers the request brings beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.adapters import PAGE, Request, Seen, asgi_scope, environ_of, make_client, run
from tests.strategies import examples
from tiktok_middleware import Client
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

TTP = "01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1"
PAGE_HEADERS = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "user-agent": "Mozilla/5.0"}
POST_HEADERS = {"sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0"}

ODD_COOKIES = [
    "",
    f"_ttp={TTP}; ttclid=E.C.P.abc",
    f"_ttp={TTP}; _tt_carry@x=1",
    "_tt_carry[0]=1; _tt_carry =2; _tt_carry\x80=3; _tt_carry,=4; _tt_carry\t=5",
    "_tt_carry.\xff=x; _tt_fresh=cp",
    "a=b c; =x; ;; _ttp; _tt_carry.1=forged",
    '_tt_consent="g"; _tt_consent=g',
    "; ".join(f"_tt_carry.{number:08x}=x" for number in range(60)),
    "pad=" + "x" * 40_000,
    f"_ttp={TTP}; x=" + "\xe9" * 500,
]


def by_asgi(client: Client, request: Request, view: Callable[[Any], None], body: bytes) -> Seen:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        view(scope[KEY])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": PAGE})

    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    run(AsgiMiddleware(app, client)(asgi_scope(request), receive, send))
    headers = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    return Seen(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def by_wsgi(client: Client, request: Request, view: Callable[[Any], None], body: bytes) -> Seen:
    from io import BytesIO  # of this one helper

    head: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        view(environ[KEY])
        start_response("200 OK", [("Content-Type", "text/html")])
        return [PAGE]

    environ = {**environ_of(request), "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        head.extend([status, headers])
        return lambda _: None

    chunks = list(WsgiMiddleware(app, client)(environ, start_response))
    return Seen(int(head[0][:3]), [(name.lower(), value) for name, value in head[1]], b"".join(chunks))


@pytest.fixture(params=[by_asgi, by_wsgi])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def client() -> Iterator[Client]:
    made = make_client()
    yield made
    made.close(1)


def cookies_set(seen: Seen) -> list[str]:
    return [value for name, value in seen.headers if name == "set-cookie"]


@pytest.mark.parametrize("cookies", ODD_COOKIES)
def test_refusal_of_a_view_is_stored(ask: Any, client: Client, cookies: str) -> None:
    request = Request(headers={**PAGE_HEADERS, "cookie": cookies})
    seen = ask(client, request, lambda tiktok: tiktok.revoke_consent(), b"")
    assert any(one.startswith("_tt_consent=d;") for one in cookies_set(seen))
    assert b"events.js" not in seen.body
    assert client.stats()["counts"].get("failures", 0) == 0
    for name in ("_ttp", "ttclid"):
        if f"{name}=" in cookies[:32_768]:
            assert any(one.startswith(f"{name}=;") for one in cookies_set(seen))


@pytest.mark.parametrize("cookies", ODD_COOKIES)
def test_refusal_of_a_page_is_stored(ask: Any, client: Client, cookies: str) -> None:
    request = Request("POST", "/_tiktok/collect", headers={**POST_HEADERS, "cookie": cookies})
    seen = ask(client, request, lambda _: None, b'{"u":"http://shop.example/","w":"d"}')
    assert json.loads(seen.body)["load"] is False
    assert any(one.startswith("_tt_consent=d;") for one in cookies_set(seen))
    assert client.stats()["counts"].get("failures", 0) == 0


@pytest.mark.parametrize("signal", ["1", "1, 1", "1,1", "0, 1", " 1 "])
@pytest.mark.parametrize("cookies", ODD_COOKIES)
def test_signal_refuses(ask: Any, client: Client, cookies: str, signal: str) -> None:
    request = Request(headers={**PAGE_HEADERS, "cookie": cookies, "sec-gpc": signal})
    seen = ask(client, request, lambda tiktok: tiktok.track("Contact"), b"")
    assert b"events.js" not in seen.body
    assert client.flush(1)
    assert client.stats()["counts"].get("failures", 0) == 0


@pytest.mark.parametrize(
    "cookies",
    [
        "_tt_consent=d",
        "_tt_consent=g; _tt_consent=d",
        "_tt_consent=d; _tt_consent=g",
        "_tt_consent=g; x=1; _tt_consent=d ;y=2",
        "_tt_consent=d; pad=" + "x" * 40_000,
        "pad=" + "x" * 40_000 + "; _tt_consent=d",
        "pad=" + "x" * 40_000 + "; _tt_consent=g; _tt_consent=d",
        "a=b c; _tt_carry@x=1; _tt_consent=d",
    ],
)
def test_stored_refusal_counts_wherever_it_stands(ask: Any, client: Client, cookies: str) -> None:
    seen = ask(client, Request(headers={**PAGE_HEADERS, "cookie": cookies}), lambda _: None, b"")
    assert b"events.js" not in seen.body
    assert "public" not in (seen.header("cache-control") or "")


def test_cookies_that_are_too_long_to_read_grant_nothing(ask: Any, client: Client) -> None:
    states = []
    request = Request(headers={**PAGE_HEADERS, "cookie": "_tt_consent=g; pad=" + "x" * 40_000})
    ask(client, request, lambda tiktok: states.append(tiktok.track("Contact").channels.server.reason), b"")
    assert states == ["cookies_too_long"]


@pytest.mark.parametrize("headers", [{"sec-gpc": "1"}, {"cookie": "_tt_consent=d"}, {"cookie": "usprivacy=1YYN"}])
def test_page_of_a_refusal_is_kept_by_no_shared_cache(ask: Any, client: Client, headers: dict[str, str]) -> None:
    refused = ask(client, Request(headers={**PAGE_HEADERS, **headers}), lambda _: None, b"")
    usual = ask(client, Request(headers=PAGE_HEADERS), lambda _: None, b"")
    is_private = "private" in (refused.header("cache-control") or "")
    assert is_private or refused.body == usual.body


_ODD = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=12)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["_tt_carry", "_ttp", "ttclid", "_tt_fresh", "_tt_carry_sealed", ""]), _ODD, _ODD),
        max_size=6,
    )
)
def test_no_cookie_keeps_a_refusal_from_being_stored(cookies: list[tuple[str, str, str]]) -> None:
    client = make_client()
    header = "; ".join(f"{begin}{name}={value}" for begin, name, value in cookies)
    request = Request(headers={**PAGE_HEADERS, "cookie": header})
    for ask in (by_asgi, by_wsgi):
        seen = ask(client, request, lambda tiktok: tiktok.revoke_consent(), b"")
        assert any(one.startswith("_tt_consent=d;") for one in cookies_set(seen)), header
        assert client.stats()["counts"].get("failures", 0) == 0
    client.close(1)
