"""Each step of docs/how-to/migrate.md, and changes between the steps: nothing is counted twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shop(start: Callable[..., Server]) -> Server:
    return start("migration", lambda port: uvicorn_command("tests.browser.migration_app:app", port))


def opened(visitor: Visitor, step: str, order: str) -> None:
    """Open the thank-you page of an order, and leave it."""
    visitor.page.goto(f"{visitor.shop.url}/{step}/thanks?order={order}", wait_until="load")
    visitor.page.wait_for_function("window.ttq && !!ttq._sandbox")
    visitor.page.goto("about:blank")  # a page view that waits is counted when the visitor leaves


def conversions(visitor: Visitor, pages: int) -> list[dict[str, Any]]:
    """Return the purchases, once as many page views have arrived as pages were opened."""
    views = visitor.sandbox.await_events("Pageview", pages)
    assert [(view["browser_copies"], view["server_copies"]) for view in views] == [(1, 0)] * pages
    return visitor.sandbox.events("Purchase")


@pytest.mark.parametrize(
    ("step", "state"), [("0", "browser_only"), ("1", "matched"), ("2", "matched"), ("3", "matched")]
)
def test_step_counts_one_page_view_and_one_order(shop: Server, visit: MakeVisitor, step: str, state: str) -> None:
    visitor = visit(shop)
    opened(visitor, step, f"step-{step}")
    visitor.sandbox.await_events("Purchase", state=state)
    opened(visitor, step, f"step-{step}")  # a reload
    orders = conversions(visitor, 2)
    assert [(one["counted"], one["state"], one["server_copies"]) for one in orders] == [(1, state, int(step != "0"))]


@pytest.mark.parametrize("steps", ["123", "321", "1213"], ids=["forward", "back", "to and fro"])
def test_order_whose_page_is_opened_again_after_a_change_of_step_counts_once(
    shop: Server, visit: MakeVisitor, steps: str
) -> None:
    visitor = visit(shop)
    order = f"change-{steps}"
    for number, step in enumerate(steps):
        opened(visitor, step, order)
        if number == 0:
            visitor.sandbox.await_events("Purchase", state="matched")
    orders = conversions(visitor, len(steps))
    assert [(one["counted"], one["state"], one["server_copies"]) for one in orders] == [(1, "matched", 1)]
