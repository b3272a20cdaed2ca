"""A service worker that asks for pages in the browser's place: they keep their pixel, and events fire once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command

pytestmark = pytest.mark.browser

CONTROLLED = """way => new Promise(done => {
  navigator.serviceWorker.addEventListener('controllerchange', () => done(true));
  navigator.serviceWorker.register('/worker.js?way=' + way);
})"""


@pytest.fixture(scope="module")
def site(start: Callable[..., Server]) -> Server:
    return start("worker", lambda port: uvicorn_command("tests.browser.worker_app:app", port))


@pytest.mark.parametrize("way", ["same", "anew", "kept"])
def test_a_page_that_a_worker_asked_for_keeps_the_pixel(site: Server, visit: MakeVisitor, way: str) -> None:
    visitor = visit(site)
    visitor.open("/?ttclid=E.C.P.test-click")
    assert visitor.page.evaluate("document.body.dataset.destination") == "document"
    assert visitor.page.evaluate(CONTROLLED, way)

    visitor.open("/?event=ViewContent")
    assert visitor.page.evaluate("document.body.dataset.destination") == "empty", (
        "the worker asked, or nothing is proved"
    )
    event = visitor.sandbox.the("ViewContent")
    visitor.open("/?event=Search")
    visitor.sandbox.the("Search")
    visitor.page.go_back()
    visitor.settle()
    for name in ("ViewContent", "Search"):
        for one in visitor.sandbox.await_events(name, state="matched"):
            assert (one["browser_copies"], one["server_copies"]) == (1, 1)
            assert one["server"]["user"]["ttclid"] == "E.C.P.test-click"
    assert event["event_id"] in {one["event_id"] for one in visitor.sandbox.events("ViewContent")}
    assert len(visitor.sandbox.events("Search")) == 1
