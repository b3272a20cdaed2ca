"""Events in markup: a page that the app's own cache answers counts for everybody who gets it, and so does each part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, gunicorn_command
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

MODULES = Path(__file__).with_name("node_modules")


@pytest.fixture(scope="package")
def markup(start: Callable[..., Server]) -> Server:
    """The application of `markup_app`, in one process, whose cache is its own."""
    return start("markup", lambda port: gunicorn_command("tests.browser.markup_app:application", port, workers=1))


def somebody(visit: MakeVisitor, shop: Server) -> Visitor:
    visitor = visit(shop)
    library = (MODULES / "htmx2/dist/htmx.min.js").read_text()
    visitor.context.route("**/htmx.js", lambda route: route.fulfill(body=library, content_type="text/javascript"))
    visitor.context.route("**/none.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    return visitor


def test_a_page_out_of_the_apps_cache_is_one_pair_for_each_who_gets_it(markup: Server, visit: MakeVisitor) -> None:
    first, second = somebody(visit, markup), somebody(visit, markup)
    first.open("/none/product")
    ids = {first.sandbox.the("ViewContent")["event_id"]}
    second.loads = 1
    second.open("/none/product")
    assert first.page.inner_text("#runs") == second.page.inner_text("#runs"), "the view has run once"
    views = second.sandbox.await_events("ViewContent", 2, "matched")
    for view in views:
        assert (view["browser_copies"], view["server_copies"], view["differences"]) == (1, 1, [])
        assert view["server"]["page"]["url"] == f"{markup.url}/none/product"
        assert view["server"]["properties"]["description"] == "<é & 'quotes'>"
    assert len({one["event_id"] for one in views} | ids) == 2


def test_clicks_and_forms_bring_an_event_each_time(markup: Server, visit: MakeVisitor) -> None:
    visitor = somebody(visit, markup)
    visitor.open("/none/product")
    for times in (1, 2):
        visitor.page.click("#contact b")
        visitor.page.click("#lead button")
        for name in ("Contact", "Lead"):
            assert len(visitor.sandbox.await_events(name, times, "matched")) == times
    assert visitor.sandbox.the("ViewContent")["browser_copies"] == 1


@pytest.mark.parametrize("kind", ["htmx", "script"])
def test_parts_that_come_later_count_once_each(markup: Server, visit: MakeVisitor, kind: str) -> None:
    visitor = somebody(visit, markup)
    visitor.open("/htmx/product" if kind == "htmx" else "/none/product")
    asks = {
        "htmx": "htmx.ajax('GET', '/part', {target: '#more', swap: 'beforeend'})",
        "script": "fetch('/part').then(a => a.text()).then(t => document.querySelector('#more').innerHTML += t)",
    }
    visitor.page.evaluate(asks[kind])
    visitor.sandbox.the("Search")
    visitor.page.evaluate("document.body.append(document.createElement('p'))")
    if kind == "htmx":
        visitor.page.evaluate(asks[kind])
        visitor.sandbox.await_events("Search", 2, "matched")
    assert visitor.sandbox.the("ViewContent")["browser_copies"] == 1
