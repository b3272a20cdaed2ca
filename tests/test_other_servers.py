"""``client.snippet``, ``client.respond`` and ``pixel.js``: pages that no adapter serves."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.contrib.shared import NAVIGATION, inline_events, is_pair, make_client, sent
from tiktok_middleware import Client

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
HEADERS = {"Host": "shop.example", "User-Agent": AGENT, "Cookie": "ttclid=E.C.P.1", **NAVIGATION}
VIEW = ("ViewContent", {"value": 24, "currency": "EUR"})


def scope(path: str = "/mug", query: str = "", **more: Any) -> dict[str, Any]:
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    return {
        "type": "http", "method": "GET", "path": path, "root_path": "", "query_string": query.encode(), "scheme": "https",
        "headers": headers, "client": ("9.9.9.9", 0), **more,
    }  # fmt: skip


def environ(path: str = "/mug", query: str = "") -> dict[str, Any]:
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()}
    return {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": query, "wsgi.url_scheme": "https",
        "REMOTE_ADDR": "9.9.9.9", **named,
    }  # fmt: skip


def aiohttp_like(path: str = "/mug", query: str = "") -> Any:
    return SimpleNamespace(
        method="GET",
        path=path,
        query_string=query,
        headers=HEADERS,
        scheme="https",
        host="shop.example",
        remote="9.9.9.9",
    )


def tornado_like(path: str = "/mug", query: str = "") -> Any:
    return SimpleNamespace(
        method="GET",
        path=path,
        query=query,
        headers=HEADERS,
        protocol="https",
        host="shop.example",
        remote_ip="9.9.9.9",
    )


def robyn_like(path: str = "/mug", query: str = "") -> Any:
    pairs = dict(part.split("=") for part in query.split("&") if part)
    return SimpleNamespace(
        method="GET",
        url=SimpleNamespace(path=path, scheme="https", host="shop.example"),
        query_params=SimpleNamespace(to_dict=lambda: {name: [value] for name, value in pairs.items()}),
        headers=SimpleNamespace(get_headers=lambda: {name.lower(): [value] for name, value in HEADERS.items()}),
        ip_addr="9.9.9.9",
    )


class AnyName(dict[str, str]):
    """Headers that answer every attribute with a text, as Sanic's do."""

    def __getattr__(self, name: str) -> str:
        return ""


def sanic_like(path: str = "/mug", query: str = "") -> Any:
    return SimpleNamespace(
        method="GET",
        path=path,
        query_string=query,
        headers=AnyName(HEADERS),
        scheme="https",
        host="shop.example",
        ip="9.9.9.9",
    )


KINDS: list[Callable[..., Any]] = [scope, environ, aiohttp_like, tornado_like, robyn_like, sanic_like]


def snippet_of(client: Client, how: str, *args: Any, **options: Any) -> Any:
    if how == "sync":
        return client.snippet(*args, **options)
    return asyncio.run(client.snippet_async(*args, **options))


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("kind", KINDS)
def test_event_of_a_page_is_one_pair_of_its_visitor(kind: Callable[..., Any], how: str) -> None:
    client = make_client()
    snippet = snippet_of(client, how, kind(query="ttclid=E.C.P.2"), events=[VIEW], identity={"external_id": "7"})
    [copy], [server] = inline_events(snippet), sent(client)
    assert is_pair(copy, server)
    assert server["user"]["ttclid"] == "E.C.P.2"
    assert server["user"]["ip"] == "9.9.9.9"
    assert server["user"]["user_agent"] == AGENT
    assert len(server["user"]["external_id"]) == 64
    assert server["page"]["url"] == "https://shop.example/mug?ttclid=E.C.P.2"
    headers = dict(snippet.headers)
    assert headers["Cache-Control"] == "private"
    assert any(value.startswith("ttclid=E.C.P.2;") for name, value in snippet.headers if name.lower() == "set-cookie")
    assert snippet.__html__() == snippet


def test_order_that_is_tracked_again_counts_once() -> None:
    client = make_client()
    order = ("Purchase", {"value": 24, "currency": "EUR", "order_id": "A-1"})
    first, again = (client.snippet(aiohttp_like(), events=[order]) for _ in range(2))
    assert len(inline_events(first)) == 1
    assert inline_events(again) == []
    assert len(sent(client)) == 1


def test_refusal_in_the_requests_cookie_sends_nothing() -> None:
    client = make_client()
    request = aiohttp_like()
    request.headers = {**HEADERS, "Cookie": "_tt_consent=d"}
    snippet = client.snippet(request, events=[VIEW])
    assert "C0000000000000000000" not in snippet
    assert sent(client) == []


def test_page_for_everybody_is_the_same_and_sets_no_cookie() -> None:
    client = make_client()
    first, second = client.snippet(events=[VIEW]), client.snippet(events=[VIEW])
    assert first.headers == ()
    assert '"s":[["ViewContent",' in first
    assert re.sub(r'"[^"]{60,}"', "", first) == re.sub(r'"[^"]{60,}"', "", second)
    assert sent(client) == []


def test_nonce_is_on_the_script() -> None:
    snippet = make_client().snippet(aiohttp_like(), nonce="abc123")
    assert snippet.count("<script") == snippet.count('nonce="abc123"') == 1


@pytest.mark.parametrize("options", [{"exclude": "/mug"}, {"snippet": "off"}, {"enabled": False}])
def test_page_that_carries_no_script_gets_an_empty_text(options: dict[str, Any]) -> None:
    assert make_client(**options).snippet(aiohttp_like()) == ""


@pytest.mark.parametrize("request_like", [object(), "GET /", 5, {}, SimpleNamespace(method="GET", path="/")])
def test_what_is_no_request_is_said_and_costs_no_page(request_like: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TypeError, match=r"allowed: an ASGI scope, a WSGI environ, or an object with method, path and"):
        make_client().snippet(request_like)
    client = make_client(strict=False)
    assert client.snippet(request_like) == ""
    assert client.respond(request_like) is None
    assert "allowed: an ASGI scope" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_helper_is_served_and_other_addresses_are_the_apps(kind: Callable[..., Any]) -> None:
    client = make_client()
    [address] = re.findall(r'"j":"([^"]+)"', client.snippet(kind()))
    answer = client.respond(kind(path=address))
    assert answer is not None
    assert (answer.status, b"PerformanceObserver" in answer.body) == (200, True)
    assert asyncio.run(client.respond_async(kind(path=address))) == answer
    assert client.respond(kind(path="/mug")) is None


@pytest.mark.parametrize("how", ["sync", "async"])
def test_report_of_a_page_sends_its_event(how: str) -> None:
    client = make_client(browser_events="Search")
    request = aiohttp_like(path="/_tiktok/collect")
    request.method = "POST"
    request.headers = {
        "Host": "shop.example", "User-Agent": AGENT, "Origin": "https://shop.example", "Content-Type": "text/plain",
        "Sec-Fetch-Site": "same-origin",
    }  # fmt: skip
    event = ["Search", {"search_string": "mug"}, "0193a0000000abcdefabcdef"]
    body = json.dumps({"u": "https://shop.example/mug", "r": "", "x": [], "c": [], "e": [event]}).encode()
    answer = client.respond(request, body) if how == "sync" else asyncio.run(client.respond_async(request, body))
    assert answer is not None
    assert answer.status == 200
    [server] = sent(client)
    assert (server["event"], server["event_id"]) == ("Search", event[2])


# -- GET {endpoint}/pixel.js


def pixel_file(client: Client, path: str = "/_tiktok/pixel.js", **more: Any) -> Any:
    return client.respond(scope(path, **more))


def test_pixel_file_is_the_same_for_every_visitor_and_may_be_kept() -> None:
    client = make_client()
    answer = pixel_file(client)
    assert dict(answer.headers)["Cache-Control"] == "public, max-age=300"
    assert dict(answer.headers)["Content-Type"].startswith("text/javascript")
    assert "set-cookie" not in {name.lower() for name, _ in answer.headers}
    other = client.respond({**scope("/_tiktok/pixel.js"), "headers": []})
    assert other == answer


def test_pixel_file_asks_first_where_consent_is_required() -> None:
    config = re.compile(rb"\(window,document,(\{.*?\})\);")
    free = json.loads(config.search(pixel_file(make_client()).body)[1])  # type: ignore[index]
    asks = json.loads(config.search(pixel_file(make_client(consent="required")).body)[1])  # type: ignore[index]
    assert (free.get("w"), asks.get("w")) == (None, 1)
    assert free["h"] == asks["h"] == free["v"] == 1


@pytest.mark.parametrize(("options", "found"), [({"page_view": "off"}, False), ({"page_view": "matched"}, True)])
def test_pixel_file_counts_a_page_view_by_the_option(options: dict[str, str], found: bool) -> None:
    assert (b'"v":1' in pixel_file(make_client(**options)).body) is found


@pytest.mark.parametrize("options", [{"snippet": "off"}, {"enabled": False}])
def test_there_is_no_pixel_file_where_there_is_no_pixel(options: dict[str, Any]) -> None:
    assert pixel_file(make_client(**options)) is None


def test_pixel_file_answers_head_without_a_body_and_no_other_method() -> None:
    client = make_client()
    head = pixel_file(client, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(dict(head.headers)["Content-Length"]) > 1000
    assert pixel_file(client, method="POST") is None


def test_pixel_file_below_a_prefix_names_its_own_addresses() -> None:
    client = make_client(browser_events="Search")
    answer = pixel_file(client, "/shop/_tiktok/pixel.js", root_path="/shop")
    assert b'"/shop/_tiktok/helper-' in answer.body
    assert b'"/shop/_tiktok/collect"' in answer.body
