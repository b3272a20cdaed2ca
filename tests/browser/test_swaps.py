"""Pages that change without loading: htmx, Turbo and streams, the real ones; each event is one pair, and stays one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command

pytestmark = pytest.mark.browser


@pytest.fixture(scope="package")
def swaps(start: Callable[..., Server]) -> Server:
    """The application of `swaps_app`."""
    if not Path(__file__).with_name("node_modules").exists():
        pytest.fail("htmx and Turbo are missing: run `make modules`", pytrace=False)
    return start("swaps", lambda port: uvicorn_command("tests.browser.swaps_app:app", port))


@pytest.mark.parametrize("library", ["htmx2", "htmx4"])
def test_what_htmx_swaps_in_brings_its_events(swaps: Server, visit: MakeVisitor, library: str) -> None:
    visitor = visit(swaps)
    visitor.open(f"/{library}")
    for button, event in (("#get", "Search"), ("#post", "AddToCart")):
        visitor.page.click(button)
        pair = visitor.sandbox.the(event)
        assert (pair["browser_copies"], pair["server_copies"]) == (1, 1)
        assert visitor.page.inner_text("#list") == event
    visitor.page.click("#redirect button")
    visitor.page.wait_for_function("document.querySelector('#list').innerText === 'Plain'")
    visitor.page.click("#get")
    visitor.sandbox.await_events("Search", 2, "matched")
    wish = visitor.sandbox.the("AddToWishlist")
    assert (wish["browser_copies"], wish["server_copies"]) == (1, 1), "a redirect's event is carried to the next answer"


@pytest.mark.parametrize("library", ["htmx2", "htmx4"])
def test_a_page_that_htmx_boosts_brings_its_events_and_no_second_handler(
    swaps: Server, visit: MakeVisitor, library: str
) -> None:
    visitor = visit(swaps)
    visitor.open(f"/{library}")
    visitor.page.click("#boost")
    visitor.page.wait_for_selector("text=Boosted")
    view = visitor.sandbox.the("ViewContent")
    assert (view["browser_copies"], view["server_copies"]) == (1, 1)
    visitor.page.evaluate("fetch('/part?event=Search')")
    assert visitor.sandbox.the("Search")["browser_copies"] == 1


def test_turbo_brings_each_pages_events_and_no_second_handler(swaps: Server, visit: MakeVisitor) -> None:
    visitor = visit(swaps)
    visitor.open("/turbo/1")
    visitor.page.evaluate("window.sameDocument = true")
    for number in (2, 3, 4):
        visitor.page.click("#next")
        visitor.page.wait_for_selector(f"text=Page {number}")
        visitor.sandbox.await_events("ViewContent", number, "matched")
    visitor.page.evaluate("fetch('/part?event=AddToCart')")
    assert visitor.sandbox.the("AddToCart")["browser_copies"] == 1
    visitor.back()
    visitor.page.wait_for_selector("text=Page 3")
    visitor.page.click("#into-frame")
    visitor.page.wait_for_selector("#opened")
    assert visitor.sandbox.the("Search")["browser_copies"] == 1
    visitor.page.evaluate(
        "fetch('/turbo/stream', {method: 'POST'}).then(a => a.text()).then(Turbo.renderStreamMessage)"
    )
    visitor.page.wait_for_selector("#streamed")
    assert visitor.sandbox.the("Contact")["browser_copies"] == 1
    assert visitor.page.evaluate("window.sameDocument"), "Turbo has changed the page's body, not the page"
    views = visitor.sandbox.events("ViewContent")
    assert {(one["browser_copies"], one["server_copies"], one["state"]) for one in views} == {(1, 1, "matched")}


def test_a_form_that_turbo_submits_is_one_purchase(swaps: Server, visit: MakeVisitor) -> None:
    visitor = visit(swaps)
    visitor.open("/turbo/1")
    visitor.page.click("#order button")
    visitor.page.wait_for_selector("text=Page 99")
    assert visitor.sandbox.the("Purchase")["browser_copies"] == 1
    visitor.page.click("#order button")
    visitor.sandbox.await_events("ViewContent", 3, "matched")
    purchase = visitor.sandbox.the("Purchase")
    assert (purchase["browser_copies"], purchase["server_copies"], purchase["counted"]) == (1, 1, 1)


def test_a_streams_event_fires_when_it_ends_and_an_aborted_ones_harms_nothing(
    swaps: Server, visit: MakeVisitor
) -> None:
    visitor = visit(swaps)
    visitor.open("/turbo/1")
    read = "fetch('/stream?event=Search').then(answer => answer.text())"
    assert visitor.page.evaluate(read).count("piece") == 3
    assert visitor.sandbox.the("Search")["browser_copies"] == 1
    aborted = """async () => {
      const stop = new AbortController();
      const answer = await fetch('/stream?event=Lead&pieces=100', {signal: stop.signal});
      await answer.body.getReader().read();
      stop.abort();
    }"""
    visitor.page.evaluate(aborted)
    lead = visitor.sandbox.the("Lead")
    assert (lead["browser_copies"], lead["server_copies"]) == (1, 1)
    visitor.page.evaluate("fetch('/part?event=Contact')")
    assert visitor.sandbox.the("Contact")["browser_copies"] == 1, "the page goes on"


@pytest.mark.parametrize("kind", ["turbo", "prefetch", "prerender"])
def test_a_page_that_is_fetched_ahead_counts_when_somebody_sees_it(
    swaps: Server, visit: MakeVisitor, kind: str
) -> None:
    """The server copy waits for the browser, which says so when the page is looked at; often it never is."""
    visitor = visit(swaps)
    with visitor.context.expect_event("request", lambda request: request.url.endswith(("/turbo/7", "/plain-page"))):
        visitor.page.goto(f"{swaps.url}/ahead/{kind}")
        visitor.page.hover("#next")
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    visitor.page.evaluate("fetch('/part?event=Search')")
    visitor.sandbox.the("Search")
    assert visitor.sandbox.events("ViewContent") == []
    visitor.page.click("#next")
    visitor.page.wait_for_selector("text=Page 7")
    view = visitor.sandbox.the("ViewContent")
    assert (view["browser_copies"], view["server_copies"]) == (1, 1)
