"""Another base code of TikTok's in a page of the usual script: what each order counts, and what the operator is told."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server
from tests.browser.test_combinations import servers  # noqa: F401  # a fixture

pytestmark = pytest.mark.browser

Servers = Callable[[str, str], Server]


def await_line(server: Server, text: bytes) -> None:
    """Wait until the server has logged this."""
    deadline = time.monotonic() + 15
    while text not in server.log:
        assert time.monotonic() < deadline, server.log[-2000:]
        time.sleep(0.05)


@pytest.mark.parametrize("own", ["before", "after", "after-other"])
def test_operator_is_told_of_another_base_code_once(servers: Servers, visit: MakeVisitor, own: str) -> None:  # noqa: F811
    shop = servers("pixel", "implied")
    visitor = visit(shop)
    for number in (1, 2):
        visitor.page.goto(f"{shop.url}/page?own={own}", wait_until="load")
        visitor.sandbox.await_events("AddToCart", number, state="matched")
    await_line(shop, b"A page holds another base code of TikTok's")
    assert shop.log.count(b"A page holds another base code of TikTok's") == 1
    assert b"Remove the other one" in shop.log


def test_base_code_after_tiktoks_script_counts_a_page_view_more_and_is_named(
    servers: Servers,  # noqa: F811
    visit: MakeVisitor,
) -> None:
    """The one order that cannot be adopted: our page view has left before the other base code exists."""
    shop = servers("pixel", "implied")
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


def test_page_without_another_base_code_is_silent(servers: Servers, visit: MakeVisitor) -> None:  # noqa: F811
    shop = servers("gtm", "implied")
    visitor = visit(shop)
    wanted: list[str] = []
    visitor.context.on("request", lambda one: wanted.append(one.url))
    visitor.page.goto(f"{shop.url}/page", wait_until="load")
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    visitor.sandbox.await_events("AddToCart", state="server_only")
    assert [url for url in wanted if "beside-" in url] == []
