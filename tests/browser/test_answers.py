"""Events that come with answers to a page's own requests: each fires once a tab, whatever asked, and restored pages stay quiet."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

ASKS = {
    "fetch": "fetch('/answer?event=Search')",
    "post": "fetch('/answer?event=Search', {method: 'POST', body: '{}'})",
    "unread": "fetch('/answer?event=Search', {keepalive: true}).then(() => null)",
    "no-cors": "fetch('/answer?event=Search', {mode: 'no-cors'})",
    "not found": "fetch('/answer?event=Search&status=404')",
    "no content": "fetch('/empty?event=Search')",
    "fragment": "fetch('/fragment?event=Search', {headers: {'HX-Request': 'true'}})",
    "html": "fetch('/fragment?event=Search')",
    "redirect": "fetch('/redirect?event=Search', {method: 'POST'})",
    "xhr": "(r => { r.open('PUT', '/answer?event=Search'); r.send(); })(new XMLHttpRequest())",
    "beacon": "navigator.sendBeacon('/empty?event=Search', 'x')",
    "image": "new Image().src = '/answer?event=Search'",
    "early": "location.assign('/early?event=Search')",
    "full buffer": "performance.setResourceTimingBufferSize(1), fetch('/nothing').then(() => fetch('/nothing'))"
    ".then(() => fetch('/answer?event=Search'))",
    "cleared buffer": "fetch('/answer?event=Search').then(() => performance.clearResourceTimings())",
}


def _flushed(visitor: Visitor) -> None:
    """Whatever was on its way before has come by now."""
    visitor.page.evaluate("fetch('/answer?event=Contact').then(answer => answer.text())")
    visitor.sandbox.await_events("Contact", state="matched")


@pytest.mark.parametrize("ask", list(ASKS))
def test_an_event_comes_with_the_answer_to_any_request(answers: Server, visit: MakeVisitor, ask: str) -> None:
    visitor = visit(answers)
    visitor.forgiven = (f"{answers.url}/answer?event=Search&status=404",)
    visitor.open("/")
    visitor.page.evaluate(f"() => {{ {ASKS[ask]}; }}")
    visitor.sandbox.the("Search")
    visitor.settle()
    visitor.page.reload()
    visitor.settle()
    if ask != "early":
        _flushed(visitor)
        event = visitor.sandbox.the("Search")
        assert (event["browser_copies"], event["server_copies"]) == (1, 1)
        assert event["browser"]["properties"] == {"value": 5, "currency": "EUR", "description": "<é & 'quotes'>"}


@pytest.mark.parametrize("way", ["fetch", "form"])
def test_an_event_too_large_for_a_header_waits_until_its_page_asks(
    answers: Server, visit: MakeVisitor, way: str
) -> None:
    visitor = visit(answers)
    visitor.open("/")
    if way == "fetch":
        visitor.page.evaluate("fetch('/large?order=fetched')")
    else:
        visitor.page.evaluate("document.body.innerHTML = '<form method=post action=/large?order=posted><button>'")
        with visitor.page.expect_navigation():
            visitor.page.click("button")
        visitor.settle()
    purchase = visitor.sandbox.the("Purchase")
    assert (purchase["browser_copies"], purchase["server_copies"], purchase["differences"]) == (1, 1, [])
    assert len(purchase["browser"]["properties"]["contents"]) == 60
    visitor.collect()
    for answer in visitor.answers:
        assert sum(len(name) + len(value) + 4 for name, value in answer.headers) < 4096
    visitor.page.reload()
    visitor.settle()
    assert visitor.sandbox.the("Purchase") == purchase


def test_the_header_says_what_the_page_reports(answers: Server, visit: MakeVisitor) -> None:
    visitor = visit(answers)
    visitor.open("/")
    heard = visitor.page.evaluate("fetch('/answer?event=Search').then(answer => answer.headers.get('TikTok-Events'))")
    ((name, properties, event_id),) = json.loads(heard)
    event = visitor.sandbox.the("Search")
    assert (event["event"], event["event_id"]) == (name, event_id)
    assert event["browser"]["properties"] == properties


def test_an_event_comes_from_an_api_on_a_host_of_its_own(answers: Server, visit: MakeVisitor) -> None:
    shop = replace(answers, host="www.shop.localhost")
    visitor = visit(shop)
    visitor.open("/?ttclid=E.C.P.test-click")
    visitor.open("/")
    api = f"http://api.shop.localhost:{answers.port}/answer?event=Search"
    visitor.page.evaluate(f"fetch('{api}', {{credentials: 'include'}}).then(answer => answer.json())")
    search = visitor.sandbox.the("Search")
    assert (search["browser_copies"], search["server_copies"], search["differences"]) == (1, 1, [])
    assert search["server"]["user"]["ttclid"] == "E.C.P.test-click"
    assert search["server"]["user"]["ttp"] == search["browser"]["user"]["ttp"]


def test_an_answer_out_of_the_cache_fires_once_in_a_tab(answers: Server, visit: MakeVisitor) -> None:
    visitor = visit(answers)
    visitor.open("/")
    ask = "fetch('/cached?event=Search').then(answer => answer.json())"
    first = visitor.page.evaluate(ask)
    assert visitor.page.evaluate(ask) == first, "the second answer came out of the cache, or nothing is proved"
    visitor.page.reload()
    visitor.settle()
    assert visitor.page.evaluate(ask) == first
    _flushed(visitor)
    event = visitor.sandbox.the("Search")
    assert (event["browser_copies"], event["server_copies"]) == (1, 1)

    other = visitor.tab()
    other.goto(answers.url)
    assert other.evaluate(ask) == first
    visitor.settle()
    other.evaluate("fetch('/answer?event=Lead')")
    visitor.sandbox.the("Lead")
    assert visitor.sandbox.the("Search")["browser_copies"] == 2, "another tab cannot know; TikTok merges by id"
    assert visitor.sandbox.the("Search")["counted"] == 1


@pytest.mark.parametrize("kind", ["browser", "restoring_browser"])
def test_the_back_button_repeats_nothing(shops: Callable[[str], Server], visit: MakeVisitor, kind: str) -> None:
    """With pages kept alive and with pages loaded again; either way the page that is back works on."""
    visitor = visit(shops("starlette"), kind)
    visitor.context.add_init_script("addEventListener('pageshow', event => { window.wasRestored = event.persisted; })")
    visitor.open("/products/morning-mug?ttclid=E.C.P.test-click")
    visitor.add_to_cart()
    first = visitor.sandbox.the("ViewContent")
    visitor.sandbox.the("AddToCart")
    visitor.open("/cart")
    visitor.back()
    restored = str(kind == "restoring_browser").lower()
    visitor.page.wait_for_function(f"location.pathname.startsWith('/products/') && window.wasRestored === {restored}")
    if kind == "browser":
        visitor.settle()  # a page that is restored does not load
    visitor.add_to_cart(3)
    assert len(visitor.sandbox.await_events("AddToCart", 2, "matched")) == 2
    assert visitor.sandbox.the("ViewContent") == first
