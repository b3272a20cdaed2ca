"""The inspector page in a real Chromium: what it shows, what it hides, and its switches."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.serving import serving
from tiktok_middleware.sandbox import create_app

pytestmark = pytest.mark.browser

PIXEL = "C0000000000000000000"
EMAIL = hashlib.sha256(b"alice_abc@gmail.com").hexdigest()
ATTACK = "<img src=x onerror=\"document.title='owned'\">"


class Bench:
    """A sandbox with something in it, and its inspector."""

    def __init__(self, sandbox: httpx.Client, page: Page) -> None:
        self.sandbox, self.page = sandbox, page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def browser(self, event: str, event_id: str, properties: dict[str, Any]) -> None:
        context = {"pixel": {"code": PIXEL}, "page": {"url": "http://shop/"}, "user": {"email": EMAIL}}
        report = {"event": event, "event_id": event_id, "properties": properties, "context": context}
        assert self.sandbox.post("/api/v2/pixel", json=report).status_code == 200

    def server(self, event: str, event_id: str, properties: dict[str, Any], **user: str) -> dict[str, Any]:
        item = {
            "event": event,
            "event_time": int(time.time()),
            "event_id": event_id,
            "user": {"ip": "8.8.8.8", "user_agent": "Mozilla/5.0", "email": EMAIL, **user},
            "page": {"url": "http://shop/"},
            "properties": properties,
        }
        body = {"event_source": "web", "event_source_id": PIXEL, "data": [item]}
        answer = self.sandbox.post("/open_api/v1.3/event/track/", json=body, headers={"access-token": "t"})
        found: dict[str, Any] = answer.json()
        return found

    def open(self) -> None:
        self.page.goto(str(self.sandbox.base_url))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[httpx.Client]:
    with (
        serving(create_app(pixel_delay_ms=0)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


@pytest.fixture
def bench(sandbox: httpx.Client, page: Page) -> Iterator[Bench]:
    sandbox.post("/sandbox/reset", params={"settings": "true"})
    made = Bench(sandbox, page)
    yield made
    page.goto("about:blank")
    assert made.said == [], "nothing on the console, no policy violated"


def test_an_empty_sandbox_says_what_to_do(bench: Bench) -> None:
    bench.open()
    expect(bench.page.get_by_role("heading", name="No events yet")).to_be_visible()
    expect(bench.page.locator("#environment")).to_contain_text(
        f"TIKTOK_API_URL={bench.sandbox.base_url.join('/open_api/v1.3')}"
    )


def test_events_arrive_newest_first_with_their_state(bench: Bench) -> None:
    bench.browser("Pageview", "", {})
    bench.browser("Purchase", "p1", {"value": 20, "currency": "EUR"})
    bench.server("Purchase", "p1", {"value": 20.0, "currency": "EUR"})
    bench.browser("AddToCart", "a1", {"value": 1, "currency": "EUR"})
    bench.server("AddToCart", "a1", {"value": 2, "currency": "EUR"})
    bench.open()
    rows = bench.page.locator(".row")
    expect(rows).to_have_count(2)
    bench.page.get_by_role("button", name="Show 1 page view").click()
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("AddToCart")
    expect(rows.nth(0)).to_contain_text("1 field differs")
    expect(rows.nth(1)).to_contain_text("Matched")
    expect(rows.nth(2)).to_contain_text("Page views come from the browser alone")
    bench.server("Lead", "l1", {})
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("Server only")
    expect(rows.nth(0)).to_contain_text("Waiting for the browser's copy")


def test_page_views_are_folded_while_there_are_other_events(bench: Bench) -> None:
    bench.browser("Pageview", "v1", {})
    bench.server("Pageview", "v1", {})
    bench.browser("Pageview", "v2", {})  # its server copy is missing: a finding, which stays in view
    bench.open()
    rows = bench.page.locator(".row")
    expect(rows).to_have_count(1)
    expect(rows.nth(0)).to_contain_text("v2")
    bench.page.get_by_role("button", name="Show 1 page view").click()
    expect(rows).to_have_count(2)
    bench.page.get_by_role("button", name="Hide 1 page view").click()
    expect(rows).to_have_count(1)


def test_page_views_alone_are_not_folded(bench: Bench) -> None:
    bench.browser("Pageview", "v1", {})
    bench.server("Pageview", "v1", {})
    bench.open()
    expect(bench.page.locator(".row")).to_have_count(1)
    expect(bench.page.locator("#folded")).to_be_hidden()


def test_an_open_event_shows_both_copies_and_stays_open_when_it_changes(bench: Bench) -> None:
    bench.browser("AddToCart", "a1", {"value": 1, "currency": "EUR"})
    bench.open()
    head = bench.page.locator(".row .head")
    head.click()
    expect(head).to_have_attribute("aria-expanded", "true")
    bench.server("AddToCart", "a1", {"value": 2, "currency": "EUR"}, phone_number="x")
    differing = bench.page.locator("tr.differs")
    expect(differing).to_have_count(1)
    expect(differing).to_have_text("value, differs12")
    expect(head).to_be_focused()
    expect(bench.page.locator(".remarks")).to_contain_text("Did you mean 'phone'?")


def test_match_keys_are_masked(bench: Bench) -> None:
    bench.server("Lead", "l1", {})
    bench.open()
    bench.page.locator(".row .head").click()
    expect(bench.page.locator("table")).to_contain_text(EMAIL[:6] + "…")
    assert EMAIL[:7] not in bench.page.content()
    assert "8.8.8.8" not in bench.page.content()


def test_what_came_from_outside_is_text_and_never_markup(bench: Bench) -> None:
    bench.browser(ATTACK, ATTACK, {ATTACK: ATTACK, "currency": ATTACK, "value": 1})
    assert bench.server("Lead", "l", {"value": ATTACK})["code"] == 40002
    bench.sandbox.post("/open_api/v1.3/event/track/", json={ATTACK: 1}, headers={"access-token": "t"})
    bench.open()
    bench.page.locator(".row .head").click()
    expect(bench.page.locator("table")).to_contain_text(ATTACK)
    assert bench.page.locator("main img").count() == 0
    assert bench.page.title() == "TikTok sandbox"


def test_a_refused_request_is_shown_with_its_path(bench: Bench) -> None:
    assert bench.server("Lead", "l1", {}, email="alice_abc@gmail.com")["code"] == 40002
    bench.open()
    expect(bench.page.locator("#refusals")).to_contain_text("Batch.0.user.email")


def test_filters_and_search_narrow_the_list(bench: Bench) -> None:
    bench.browser("Purchase", "p1", {})
    bench.server("Purchase", "p1", {})
    bench.browser("Contact", "c1", {})
    bench.open()
    rows = bench.page.locator(".row")
    expect(rows).to_have_count(2)
    bench.page.get_by_role("button", name="Matched 1").click()
    expect(rows).to_have_count(1)
    bench.page.get_by_role("searchbox").fill("nowhere")
    expect(bench.page.get_by_text("No event fits this filter.")).to_be_visible()
    bench.page.get_by_role("button", name="Show all").click()
    expect(rows).to_have_count(2)


def test_the_switches_change_the_sandbox_and_show_what_others_changed(bench: Bench) -> None:
    bench.open()
    bench.page.locator("#api_mode").select_option("503")
    expect(bench.page.locator("#said")).to_have_text("Saved.")
    assert bench.sandbox.get("/sandbox/settings").json()["api_mode"] == "503"
    bench.sandbox.post("/sandbox/settings", json={"pixel_mode": "blocked"})
    expect(bench.page.locator("#pixel_mode")).to_have_value("blocked")
    bench.page.locator("#pixel_delay_ms").fill("99999999")
    bench.page.locator("#pixel_delay_ms").blur()
    expect(bench.page.locator("#said")).to_contain_text("pixel_delay_ms")
    assert len(bench.said) == 1, "the browser itself reports the refusal"
    assert "400" in bench.said.pop()


def test_back_to_normal_undoes_the_switches(bench: Bench) -> None:
    bench.sandbox.post("/sandbox/settings", json={"pixel_mode": "blocked", "api_mode": "hang", "api_delay_ms": 5})
    bench.open()
    expect(bench.page.locator("#altered")).to_be_visible()
    bench.page.get_by_role("button", name="Back to normal").click()
    expect(bench.page.locator("#altered")).to_be_hidden()
    found = bench.sandbox.get("/sandbox/settings").json()
    assert (found["pixel_mode"], found["api_mode"], found["api_delay_ms"]) == ("ok", "ok", 0)


def test_clear_empties_the_list(bench: Bench) -> None:
    bench.browser("Contact", "c1", {})
    bench.open()
    expect(bench.page.locator(".row")).to_have_count(1)
    bench.page.get_by_role("button", name="Clear").click()
    expect(bench.page.locator(".row")).to_have_count(0)
    expect(bench.page.get_by_role("heading", name="No events yet")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 820])
def test_nothing_runs_out_of_a_narrow_screen(bench: Bench, width: int) -> None:
    bench.browser("InitiateCheckout", "x" * 64, {"value": 1234567.891, "currency": "EUR", "long": "y" * 300})
    bench.server("InitiateCheckout", "x" * 64, {"value": 1, "currency": "EUR"}, phone_number="x")
    bench.page.set_viewport_size({"width": width, "height": 800})
    bench.open()
    bench.page.locator(".row .head").click()
    expect(bench.page.locator("table")).to_be_visible()
    assert bench.page.evaluate("document.documentElement.scrollWidth") <= width
    bench.page.set_viewport_size({"width": 1280, "height": 900})
