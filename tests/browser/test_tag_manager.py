"""TIKTOK_SNIPPET=gtm: events reach TikTok through Tag Manager and the server, with one id and no base code of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


@pytest.fixture(scope="package")
def managed(start: Callable[..., Server]) -> Server:
    """The application of `combos_app`, whose events go to Tag Manager."""
    return start("gtm", lambda port: uvicorn_command("tests.browser.combos_app:app", port), TIKTOK_SNIPPET="gtm")


def matched(visitor: Visitor, name: str) -> dict[str, Any]:
    event = visitor.sandbox.the(name)
    assert (event["browser_copies"], event["server_copies"]) == (1, 1)
    return event


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        ("container", "after"),
        ("template", "before"),
        pytest.param("container", "before", marks=pytest.mark.soak),
        pytest.param("template", "after", marks=pytest.mark.soak),
    ],
)
def test_event_of_a_view_is_matched_through_tag_manager(
    managed: Server, visit: MakeVisitor, kind: str, at: str
) -> None:
    visitor = visit(managed)
    visitor.open(f"/page?manager={kind}&at={at}")
    event = matched(visitor, "AddToCart")
    assert event["differences"] == []
    for key in ("email", "external_id"):
        assert event["browser"]["user"][key] == event["server"]["user"][key]
    assert len(visitor.sandbox.events("Pageview")) == 1
    layer = visitor.page.evaluate("JSON.stringify(dataLayer)")
    assert "jane" not in layer


@pytest.mark.soak
def test_events_of_a_redirect_and_an_answer_are_matched_once(managed: Server, visit: MakeVisitor) -> None:
    visitor = visit(managed)
    visitor.open("/order?manager=container")
    matched(visitor, "Purchase")
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    visitor.page.evaluate("fetch('/answer').then(() => 0)")
    matched(visitor, "Search")
    visitor.open("/page?manager=container")
    visitor.sandbox.await_events("AddToCart", 2, "matched")
    assert len(visitor.sandbox.events("Purchase")) == 1


def test_refusal_and_grant_reach_the_data_layer(managed: Server, visit: MakeVisitor) -> None:
    visitor = visit(managed)
    wanted: list[str] = []
    visitor.page.on("request", lambda one: wanted.append(one.url))
    visitor.context.add_cookies([{"name": "_tt_consent", "value": "d", "url": managed.url}])
    visitor.open("/page?manager=container", patient=False)
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    words = "dataLayer.filter(one => one.event === 'tiktok.consent').map(one => one.tiktok_consent)"
    assert visitor.page.evaluate(words) == ["denied"]
    assert [url for url in wanted if not url.startswith(managed.url)] == []
    visitor.page.evaluate("tiktok.grantConsent()")
    visitor.sandbox.await_events("Pageview")
    assert visitor.page.evaluate(words) == ["denied", "granted"]
    visitor.page.evaluate("tiktok.revokeConsent()")
    visitor.page.wait_for_function(f"{words}.length === 3")
    assert visitor.page.evaluate(words)[-1] == "denied"


@pytest.mark.soak
def test_entries_of_the_page_stay(managed: Server, visit: MakeVisitor) -> None:
    visitor = visit(managed)
    visitor.open("/page?manager=container&layer=used")
    matched(visitor, "AddToCart")
    assert visitor.page.evaluate("standIn.value('TikTok - data')") is None
    last = visitor.page.evaluate("dataLayer.at(-1)")
    assert last == {"user_data": {"email_address": "x"}, "ecommerce": {"value": 1, "items": [{"item_id": "own"}]}}


@pytest.mark.soak
def test_replaced_data_layer_gets_the_events_again(managed: Server, visit: MakeVisitor) -> None:
    visitor = visit(managed)
    visitor.open("/page?manager=container&layer=replaced&at=after")
    matched(visitor, "AddToCart")


@pytest.mark.soak
@pytest.mark.parametrize("layer", ["frozen", "number"])
def test_unusable_data_layer_costs_the_browser_copy_alone(managed: Server, visit: MakeVisitor, layer: str) -> None:
    visitor = visit(managed)
    visitor.open(f"/page?layer={layer}", patient=False)
    visitor.sandbox.await_events("AddToCart", state="server_only")
    said = [text for text in visitor.errors if "window.dataLayer takes no entries" in text]
    assert len(said) == len(visitor.errors) == 1
    visitor.errors.clear()
