"""The sandbox's events.js in a real Chromium, on a page of another origin, behind the stub that real pages have."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.serving import serving
from tiktok_middleware.sandbox import create_app

pytestmark = pytest.mark.browser

PIXEL = "C0000000000000000000"
OTHER = "C1111111111111111111"

ARRAY_STUB = """
window.TiktokAnalyticsObject = 'ttq';
var ttq = window.ttq = window.ttq || [];
ttq.methods = ['page','track','identify','instances','debug','on','off','once','ready','alias','group','enableCookie',
  'disableCookie','holdConsent','revokeConsent','grantConsent'];
ttq.setAndDefer = function (target, name) { target[name] = function () {
  target.push([name].concat(Array.prototype.slice.call(arguments, 0))); }; };
ttq.methods.forEach(function (name) { ttq.setAndDefer(ttq, name); });
ttq.instance = function (id) { var queue = ttq._i[id] || [];
  ttq.methods.forEach(function (name) { ttq.setAndDefer(queue, name); }); return queue; };
ttq.load = function (id, options) {
  ttq._i = ttq._i || {}; ttq._i[id] = []; ttq._i[id]._u = 'SCRIPT'; ttq._t = ttq._t || {}; ttq._t[id] = +new Date();
  ttq._o = ttq._o || {}; ttq._o[id] = options || {};
  var script = document.createElement('script'); script.async = true; script.src = 'SCRIPT?sdkid=' + id + '&lib=ttq';
  var first = document.getElementsByTagName('script')[0]; first.parentNode.insertBefore(script, first); };
"""

CALLABLE_STUB = """
window.TiktokAnalyticsObject = 'ttq';
window.ttq = function () { window.ttq.queue.push(arguments); }; ttq.queue = [];
['page','track','identify'].forEach(function (name) { ttq[name] = function () { ttq(name, arguments); }; });
ttq.load = function (id) { ttq._i = {}; ttq._i[id] = []; var script = document.createElement('script');
  script.src = 'SCRIPT?sdkid=' + id + '&lib=ttq'; document.head.appendChild(script); };
"""


class Stage:
    """A page of the test's own, and the sandbox it reports to."""

    def __init__(self, page: Page, site: str, pages: dict[str, str], sandbox: httpx.Client) -> None:
        self.page, self.site, self.pages, self.sandbox = page, site, pages, sandbox
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, calls: str, path: str = "/", *, stub: str = ARRAY_STUB) -> None:
        """Opens a page whose script is the stub and some calls."""
        stub = stub.replace("SCRIPT", str(self.sandbox.base_url.join("/i18n/pixel/events.js")))
        self.pages["/" + path.lstrip("/").partition("?")[0]] = (
            f"<!doctype html><title>t</title><script>{stub}\n{calls}</script><p>Hello"
        )
        self.page.goto(self.site + path)

    def events(self, wait_for: str = "", count: int = 1, timeout: float = 5) -> list[dict[str, Any]]:
        """What the sandbox holds, once enough has arrived."""
        query: dict[str, str | float] = {"wait_for": wait_for, "count": count, "timeout": timeout} if wait_for else {}
        answer = self.sandbox.get("/sandbox/events", params=query)
        assert answer.headers.get("sandbox-waited") != "timeout", (wait_for, answer.json())
        found: list[dict[str, Any]] = answer.json()
        return found

    def names(self) -> list[str]:
        return [event["event"] for event in self.events()]

    def switch(self, **settings: Any) -> None:
        assert self.sandbox.post("/sandbox/settings", json=settings).status_code == 200

    def cookies(self) -> dict[str, str]:
        return {one["name"]: one["value"] for one in self.page.context.cookies(self.site)}

    def settled(self) -> None:
        """Waits until events.js has arrived and whatever it sends has left."""
        self.page.wait_for_load_state("networkidle")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, dict[str, str], httpx.Client]]:
    pages: dict[str, str] = {}

    async def show(request: Request) -> HTMLResponse:
        return HTMLResponse(pages.get(request.url.path, "<!doctype html><title>other</title>"))

    site = Starlette(routes=[Route("/{path:path}", show)])
    with (
        serving(create_app()) as sandbox_port,
        serving(site) as site_port,
        httpx.Client(base_url=f"http://127.0.0.1:{sandbox_port}", timeout=20) as sandbox,
    ):
        yield f"http://localhost:{site_port}", pages, sandbox


@pytest.fixture
def stage(browser: Browser, servers: tuple[str, dict[str, str], httpx.Client]) -> Iterator[Stage]:
    site, pages, sandbox = servers
    sandbox.post("/sandbox/reset", params={"settings": "true"})
    sandbox.post("/sandbox/settings", json={"pixel_delay_ms": 50})
    context = browser.new_context()
    made = Stage(context.new_page(), site, pages, sandbox)
    yield made
    context.close()
    assert made.errors == [], "events.js must never throw into the page"


LOAD = f"ttq.load('{PIXEL}');"


def test_the_queue_is_replayed_in_order_with_ids_and_properties(stage: Stage) -> None:
    stage.open(
        LOAD + "ttq.page(); ttq.track('ViewContent', {content_ids: ['1']}, {event_id: 'v1'});"
        "ttq.track('Purchase', {value: 59.9, currency: 'EUR'}, {event_id: 'p1'});"
    )
    events = stage.events("Purchase")
    assert {event["event"] for event in events} == {"Pageview", "ViewContent", "Purchase"}
    purchase = next(event for event in events if event["event"] == "Purchase")
    assert purchase["event_id"] == "p1"
    assert purchase["pixel"] == PIXEL
    assert purchase["state"] == "browser_only"
    assert purchase["browser"]["properties"] == {"value": 59.9, "currency": "EUR"}
    assert purchase["browser"]["page"]["url"] == stage.site + "/"
    assert purchase["server"] is None


def test_calls_after_the_takeover_and_by_push_are_reported(stage: Stage) -> None:
    stage.open(LOAD + "window.stub = ttq.track; ttq.ready(function () { window.isReady = true; });")
    stage.page.wait_for_function("window.isReady")
    assert stage.page.evaluate("ttq.track !== window.stub")
    assert stage.page.evaluate("ttq.push(['track', 'Search', {query: 'mug'}, {event_id: 's1'}])") == 0
    stage.page.evaluate("ttq.track('AddToCart', {}, {event_id: 'a1'})")
    stage.events("Search")
    assert stage.events("AddToCart")[-1]["event_id"] == "a1"
    assert stage.page.evaluate("ttq.length") == 0


def test_a_ready_callback_that_throws_or_tracks_harms_nothing(stage: Stage) -> None:
    stage.open(
        LOAD + "ttq.ready(function () { throw new Error('mine'); });"
        "ttq.ready(function () { ttq.track('Contact', {}, {event_id: 'c1'}); });"
    )
    stage.events("Contact")


def test_a_callable_stub_loses_everything_without_an_error(stage: Stage) -> None:
    stage.open(LOAD + "ttq.page(); ttq.track('Purchase', {}, {event_id: 'p1'});", stub=CALLABLE_STUB)
    stage.settled()
    scripts = [one for one in stage.sandbox.get("/sandbox/requests").json() if one["channel"] == "script"]
    assert len(scripts) == 1, "events.js must have arrived, or nothing was proved"
    stage.page.evaluate("ttq.track('Purchase', {}, {event_id: 'p2'})")
    stage.page.wait_for_timeout(200)
    assert stage.events() == []
    assert "_ttp" not in stage.cookies()


def test_first_party_cookies_are_written_and_kept(stage: Stage) -> None:
    stage.open(LOAD + "ttq.page();", "/?ttclid=E.C.P.abc-_1")
    first = stage.events("Pageview")[0]["browser"]["user"]
    cookies = stage.cookies()
    assert cookies["_tt_enable_cookie"] == "1"
    assert cookies["ttclid"] == "E.C.P.abc-_1"
    assert len(cookies["_ttp"]) == 26 + len("_.tt.1")
    assert cookies["_ttp"].endswith("_.tt.1")
    assert first["ttp"] == cookies["_ttp"]
    assert first["ttclid"] == "E.C.P.abc-_1"
    expires = {one["name"]: one["expires"] for one in stage.page.context.cookies(stage.site)}
    assert expires["_ttp"] - time.time() == pytest.approx(34_190_000, abs=60)

    stage.open(LOAD + "ttq.page();", "/next")
    second = stage.events("Pageview", count=2)[1]["browser"]["user"]
    assert second["ttp"] == first["ttp"]
    assert second["ttclid"] == "E.C.P.abc-_1", "the cookie outlives the landing page"


def test_disabled_cookies_stay_away(stage: Stage) -> None:
    stage.open(LOAD + "ttq.disableCookie(); ttq.page();")
    assert "ttp" not in stage.events("Pageview")[0]["browser"]["user"]
    assert stage.cookies() == {}


def test_held_events_wait_for_the_grant_and_write_no_cookie(stage: Stage) -> None:
    stage.open("ttq.holdConsent();" + LOAD + "ttq.page(); ttq.track('Lead', {}, {event_id: 'l1'});")
    stage.settled()
    assert stage.events() == []
    assert stage.cookies() == {}
    stage.page.evaluate("ttq.grantConsent()")
    lead = stage.events("Lead")[-1]
    assert lead["browser"]["user"]["ttp"] == stage.cookies()["_ttp"]
    assert sorted(stage.names()) == ["Lead", "Pageview"]


def test_revoked_consent_drops_what_is_held_and_stops(stage: Stage) -> None:
    stage.open("ttq.holdConsent();" + LOAD + "ttq.page();")
    stage.settled()
    stage.page.evaluate("ttq.revokeConsent(); ttq.track('Lead', {}, {event_id: 'l1'})")
    stage.page.evaluate("ttq.grantConsent(); ttq.track('Contact', {}, {event_id: 'c1'})")
    stage.events("Contact")
    assert stage.names() == ["Contact"]


def test_history_changes_are_page_views(stage: Stage) -> None:
    stage.open(LOAD + "ttq.page();")
    stage.events("Pageview")
    stage.page.evaluate("history.pushState({}, '', '/a'); history.replaceState({}, '', '/b')")
    urls = [event["browser"]["page"]["url"] for event in stage.events("Pageview", count=3)]
    assert sorted(urls) == [stage.site + "/", stage.site + "/a", stage.site + "/b"]
    stage.page.evaluate("history.back()")
    stage.events("Pageview", count=4)


def test_the_history_observer_can_be_switched_off(stage: Stage) -> None:
    stage.open(f"ttq.load('{PIXEL}', {{historyObserver: false}}); ttq.page();")
    stage.events("Pageview")
    stage.page.evaluate("history.pushState({}, '', '/a'); ttq.track('Contact', {}, {event_id: 'c'})")
    stage.events("Contact")
    assert sorted(stage.names()) == ["Contact", "Pageview"]


def test_several_pixels_get_everything_unless_one_is_named(stage: Stage) -> None:
    stage.open(
        LOAD + f"ttq.load('{OTHER}'); ttq.page(); ttq.instance('{OTHER}').track('Lead', {{}}, {{event_id: 'l'}});"
        f"ttq.track('Contact', {{}}, {{event_id: 'c', pixel_code: '{PIXEL}'}});"
    )
    stage.settled()
    stage.page.evaluate(f"ttq.instance('{OTHER}').track('Search', {{}}, {{event_id: 's'}})")
    stage.events("Search")
    assert sorted((event["event"], event["pixel"]) for event in stage.events()) == [
        ("Contact", PIXEL),
        ("Lead", OTHER),
        ("Pageview", PIXEL),
        ("Pageview", OTHER),
        ("Search", OTHER),
    ]


def test_limited_data_use_comes_from_load_or_from_the_event(stage: Stage) -> None:
    stage.open(
        f"ttq.load('{PIXEL}', {{limited_data_use: true}}); ttq.track('Lead', {{}}, {{event_id: 'l'}});"
        "ttq.track('Contact', {limited_data_use: false}, {event_id: 'c'});"
    )
    stage.events("Contact")
    flags = {event["event"]: event["browser"] for event in stage.events("Lead")}
    assert flags["Lead"]["limited_data_use"] is True
    assert flags["Contact"]["limited_data_use"] is False
    assert flags["Contact"]["properties"] == {}


def test_identify_rides_on_later_events_and_raw_values_are_an_error(stage: Stage) -> None:
    hashed = hashlib.sha256(b"user_123").hexdigest()
    stage.open(
        LOAD + f"ttq.identify({{external_id: '{hashed}'}}); ttq.track('Lead', {{}}, {{event_id: 'l'}});"
        "ttq.identify({email: ' ALICE_abc@gmail.com ', phone_number: '+12133734253', sha256_email: 'x'});"
        "ttq.track('Contact', {}, {event_id: 'c'});"
    )
    events = {event["event"]: event for event in (*stage.events("Lead"), *stage.events("Contact"))}
    lead, contact = events["Lead"], events["Contact"]
    assert lead["browser"]["user"]["external_id"] == hashed
    assert "email" not in lead["browser"]["user"]
    assert [note for note in lead["notes"] if note["level"] == "error"] == []
    assert contact["browser"]["user"]["email"] == "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
    assert contact["browser"]["user"]["phone"] == "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
    assert {note["path"] for note in contact["notes"] if note["level"] == "error"} == {
        "identify.email",
        "identify.phone_number",
        "identify.sha256_email",
    }
    assert "alice_abc" not in stage.sandbox.get("/sandbox/requests").text.lower()


@pytest.mark.parametrize("text", ["", "a" * 55, "a" * 56, "a" * 64, "zoë ✓ 你好", "x" * 1000])
def test_the_hash_is_sha256(stage: Stage, text: str) -> None:
    """external_id is hashed as given, so it shows our own SHA-256 at every padding length."""
    stage.open(LOAD + f"ttq.identify({{external_id: {text + '!'!r}}}); ttq.track('Lead', {{}}, {{event_id: 'l'}});")
    expected = hashlib.sha256((text + "!").encode()).hexdigest()
    assert stage.events("Lead")[0]["browser"]["user"]["external_id"] == expected


def test_an_event_survives_the_navigation_that_follows_it(stage: Stage) -> None:
    stage.open(LOAD + "ttq.ready(function () { window.isReady = true; });")
    stage.page.wait_for_function("window.isReady")
    stage.page.evaluate("ttq.track('AddToCart', {}, {event_id: 'a'}); location.href = '/elsewhere'")
    stage.page.wait_for_url("**/elsewhere")
    stage.events("AddToCart")


def test_both_copies_meet(stage: Stage) -> None:
    properties = {"value": 20, "currency": "EUR", "contents": [{"content_id": "1", "price": 10.0, "quantity": 2}]}
    stage.open(LOAD + f"ttq.track('Purchase', {properties}, {{event_id: 'p1'}});")
    browser = stage.events("Purchase")[0]["browser"]
    item = {
        "event": "Purchase",
        "event_time": int(time.time()),
        "event_id": "p1",
        "user": {"ip": "8.8.8.8", "user_agent": browser["user"]["user_agent"], "ttp": browser["user"]["ttp"]},
        "page": {"url": browser["page"]["url"]},
        "properties": properties,
    }
    answer = stage.sandbox.post(
        "/open_api/v1.3/event/track/",
        json={"event_source": "web", "event_source_id": PIXEL, "data": [item]},
        headers={"Access-Token": "t"},
    )
    assert answer.json()["code"] == 0
    (event,) = stage.events()
    assert event["matched"]
    assert event["differences"] == []
    assert event["counted"] == 1
    assert event["notes"] == []


@pytest.mark.parametrize("mode", ["failing", "blocked"])
def test_a_pixel_that_does_not_come_leaves_the_page_alone(stage: Stage, mode: str) -> None:
    stage.switch(pixel_mode=mode, pixel_delay_ms=0)
    with stage.page.expect_event("requestfailed" if mode == "blocked" else "requestfinished"):
        stage.open(LOAD + "ttq.page();")
    stage.page.wait_for_timeout(100)
    assert stage.events() == []
    assert stage.page.evaluate("ttq.length") == 1, "the stub still queues"


def test_a_slow_pixel_is_three_seconds_late_and_loses_nothing(stage: Stage) -> None:
    stage.switch(pixel_mode="slow")
    started = time.monotonic()
    stage.open(LOAD + "ttq.page();")
    stage.events("Pageview", timeout=8)
    assert time.monotonic() - started >= 3
