"""Another base code of TikTok's in a page of the usual script: what each order counts, and what the operator is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command

pytestmark = pytest.mark.browser

Servers = Callable[..., Server]


@pytest.fixture(scope="module")
def servers(start: Callable[..., Server]) -> Servers:
    """The application of `combos_app` by TIKTOK_SNIPPET and TIKTOK_PAGE_VIEW, started when first asked for."""
    started: dict[str, Server] = {}

    def server(snippet: str, page_view: str = "browser") -> Server:
        name = f"combos-{snippet}-{page_view}"
        if name not in started:
            variables = {"TIKTOK_SNIPPET": snippet, "TIKTOK_PAGE_VIEW": page_view}
            command = "tests.browser.combos_app:app"
            started[name] = start(name, lambda port: uvicorn_command(command, port), **variables)
        return started[name]

    return server


def await_line(server: Server, text: bytes) -> None:
    """Wait until the server has logged this."""
    deadline = time.monotonic() + 15
    while text not in server.log:
        assert time.monotonic() < deadline, server.log[-2000:]
        time.sleep(0.05)


@pytest.mark.parametrize("own", ["before", "after", "after-other"])
def test_operator_is_told_of_another_base_code_once(servers: Servers, visit: MakeVisitor, own: str) -> None:
    shop = servers("pixel")
    visitor = visit(shop)
    for number in (1, 2):
        visitor.page.goto(f"{shop.url}/page?own={own}", wait_until="load")
        visitor.sandbox.await_events("AddToCart", number, state="matched")
    await_line(shop, b"A page holds another base code of TikTok's")
    assert shop.log.count(b"A page holds another base code of TikTok's") == 1
    assert b"Remove the other one" in shop.log


def test_base_code_after_tiktoks_script_counts_a_page_view_more_and_is_named(
    servers: Servers,
    visit: MakeVisitor,
) -> None:
    """The one order that cannot be adopted: our page view has left before the other base code exists."""
    shop = servers("pixel")
    visitor = visit(shop)
    visitor.page.goto(f"{shop.url}/page", wait_until="load")
    visitor.sandbox.await_events("Pageview")
    visitor.page.wait_for_function("window.tiktok && tiktok.listens && !!ttq._sandbox")
    visitor.page.evaluate("fetch('/own').then(answer => answer.text()).then(code => (0, eval)(code))")
    await_line(shop, b"runs after TikTok's script has come")
    assert b"TIKTOK_SNIPPET=adopt" in shop.log
    event = visitor.sandbox.the("AddToCart", "matched")
    assert (event["browser_copies"], event["server_copies"]) == (1, 1)
    views = sum(view["browser_copies"] for view in visitor.sandbox.events("Pageview"))
    assert views == 2, "if this order is counted once, it can be adopted by default: change the documentation"
    # Events that follow reach the pixel that has come.
    visitor.page.evaluate("tiktok.track('Contact', {}, {event_id: 'contact-1'})")
    visitor.sandbox.await_events("Contact")
    assert [one["browser_copies"] for one in visitor.sandbox.events("Contact")] == [1]


def test_page_without_another_base_code_is_silent(servers: Servers, visit: MakeVisitor) -> None:
    shop = servers("gtm")
    visitor = visit(shop)
    wanted: list[str] = []
    visitor.context.on("request", lambda one: wanted.append(one.url))
    visitor.page.goto(f"{shop.url}/page", wait_until="load")
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    visitor.sandbox.await_events("AddToCart", state="server_only")
    assert [url for url in wanted if "beside-" in url] == []


CODES = {
    "empty array": ("window.ttq = [];", b"A page puts an array of its own in the place of window.ttq"),
    "array with calls": ("window.ttq = [['track', 'Own']];", b"A page puts an array of its own"),
    "function": ("window.ttq = function () {};", b"that TikTok's script cannot use"),
    "null": ("window.ttq = null;", b"that TikTok's script cannot use"),
}


@pytest.mark.parametrize("when", ["before TikTok's script", "after TikTok's script"])
@pytest.mark.parametrize("code", [pytest.param(one, id=one) for one in CODES])
def test_window_ttq_that_a_page_replaces_costs_no_event_that_can_be_kept(
    servers: Servers, visit: MakeVisitor, code: str, when: str
) -> None:
    """Without a test event code, as in production. Each event arrives once, or the log says why not."""
    shop = servers("pixel")
    visitor = visit(shop)
    script, line = CODES[code]
    early = when.startswith("before")
    before = shop.log.count(line)
    if early:
        visitor.page.goto(f"{shop.url}/page?code={quote(script)}", wait_until="load")
    else:
        visitor.page.goto(f"{shop.url}/page", wait_until="load")
        visitor.sandbox.await_events("Pageview")
        visitor.page.evaluate(f"() => {{ {script} }}")
    visitor.page.wait_for_function("document.querySelector('[src*=beside-]')")
    visitor.page.evaluate("tiktok.track('Contact', {}, {event_id: 'contact-1'})")
    await_line(shop, line)
    assert before <= 1
    cart = visitor.sandbox.await_events("AddToCart", state="matched" if "array" in code or not early else "server_only")
    if "array" in code or not early:
        visitor.sandbox.await_events("Contact")
        assert [one["browser_copies"] for one in visitor.sandbox.events("Contact")] == [1]
        assert [one["browser_copies"] for one in visitor.sandbox.events("Pageview")] == [1]
    assert [(one["browser_copies"] <= 1, one["server_copies"]) for one in cart] == [(True, 1)]
