"""Events by rules of the operator: matched on both channels, without templates, and no page can add one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.browser.visitor import Visitor
from tests.test_browser_rules import INVALID, VALID

pytestmark = pytest.mark.browser

RULES = 'a[href^="tel:"] click Contact; form#lead submit Lead; form#lead input FormStart; #leaving submit SubmitForm'

# Chromium hands a number to another program where one is installed, and the page loses the keyboard to its question.
NO_CALL = """document.addEventListener(
    'click', event => event.target.closest?.('a[href^="tel:"]') && event.preventDefault(), true)"""


@pytest.fixture(scope="package")
def tags(start: Callable[..., Server]) -> Server:
    """The application of `tags_app`, with rules and matched page views."""
    return start(
        "tags",
        lambda port: uvicorn_command("tests.browser.tags_app:app", port),
        TIKTOK_BROWSER_RULES=RULES,
        TIKTOK_PAGE_VIEW="matched",
    )


def opened(visit: MakeVisitor, shop: Server, path: str) -> Visitor:
    visitor = visit(shop)
    visitor.open(path)
    visitor.page.wait_for_function("window.tiktok && tiktok.follows")
    visitor.page.evaluate(NO_CALL)
    return visitor


def test_clicks_submits_and_inputs_are_matched_events(tags: Server, visit: MakeVisitor) -> None:
    visitor = opened(visit, tags, "/forms")
    page = visitor.page
    page.click("#call b")
    page.click("#send")
    page.type("#name", "Jane")
    page.type("#closest", "Roe")
    for name in ("Contact", "Lead", "FormStart"):
        event = visitor.sandbox.the(name)
        assert (event["browser_copies"], event["server_copies"], event["differences"]) == (1, 1, [])
        assert event["server"]["page"]["url"] == f"{tags.url}/forms"


@pytest.mark.soak
def test_element_in_a_shadow_tree_is_found(tags: Server, visit: MakeVisitor) -> None:
    visitor = opened(visit, tags, "/forms")
    visitor.page.click("#inner")
    visitor.sandbox.the("Contact")


@pytest.mark.soak
def test_each_rule_has_a_limit(tags: Server, visit: MakeVisitor) -> None:
    visitor = opened(visit, tags, "/forms")
    visitor.page.evaluate("for (let i = 0; i < 50; i++) document.querySelector('#call').click()")
    visitor.page.click("#send")
    visitor.sandbox.the("Lead")
    assert len(visitor.sandbox.events("Contact")) == 1


@pytest.mark.soak
def test_event_of_a_form_that_leaves_the_page_is_matched_under_one_id(tags: Server, visit: MakeVisitor) -> None:
    visitor = opened(visit, tags, "/forms")
    with visitor.page.expect_navigation():
        visitor.page.click("#go")
    visitor.settle()
    event = visitor.sandbox.the("Lead")
    assert (event["browser_copies"], event["server_copies"]) == (1, 1)


def test_content_of_a_page_adds_no_rule(tags: Server, visit: MakeVisitor) -> None:
    visitor = opened(visit, tags, "/hostile")
    for element in ("#fake", "#fake2", "#call"):
        visitor.page.click(element)
    visitor.sandbox.the("Contact")
    assert {event["event"] for event in visitor.sandbox.events()} == {"Pageview", "Contact"}


@pytest.mark.soak
def test_refusal_sends_nothing(tags: Server, visit: MakeVisitor) -> None:
    visitor = visit(tags)
    visitor.context.add_cookies([{"name": "_tt_consent", "value": "d", "url": tags.url}])
    visitor.open("/forms", patient=False)
    visitor.page.wait_for_function("window.tiktok && tiktok.follows")
    visitor.page.evaluate(NO_CALL)
    visitor.page.click("#call b")
    visitor.page.click("#send")
    visitor.page.goto(f"{tags.url}/thanks")
    visitor.page.wait_for_function("window.tiktok && tiktok.follows")
    assert visitor.sandbox.events() == []


def test_route_changes_are_matched_page_views(tags: Server, visit: MakeVisitor) -> None:
    visitor = opened(visit, tags, "/spa")
    visitor.page.click("#to-a")
    views = visitor.sandbox.await_events("Pageview", 2, "matched")
    assert [view["browser_copies"] for view in views] == [view["server_copies"] for view in views] == [1, 1]
    assert sorted(view["server"]["page"]["url"] for view in views) == [f"{tags.url}/spa", f"{tags.url}/spa/a"]
    visitor.page.click("#to-mail")
    visitor.page.click("#to-a")
    visitor.sandbox.await_events("Pageview", 3, "matched")
    assert "jane" not in str(visitor.sandbox.events())


@pytest.mark.soak
def test_browser_agrees_about_every_selector(tags: Server, visit: MakeVisitor) -> None:
    visitor = visit(tags)
    visitor.open("/forms")
    asked = """list => list.map(one => { try { document.body.matches(one); return true; } catch { return false; } })"""
    assert visitor.page.evaluate(asked, VALID) == [True] * len(VALID)
    # Browsers close an open bracket or quote at the end, and accept pseudo-elements, which match nothing.
    refused = [
        one for one in INVALID if "::" not in one and one.count("(") == one.count(")") < 9 and "[href" not in one
    ]
    assert visitor.page.evaluate(asked, refused) == [False] * len(refused)
