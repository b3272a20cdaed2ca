"""Each rule that TikTok's tools, or those who read its reports, find broken too late: found here, before sending.

In the order of the rules' list. Where something cannot be sent, the event goes without it; where it can, an operator
reads of it once, or in the counts.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.core.core_world import FETCH, NOW, PIXEL, counts, exchange_of, runtime_of, scope_request, tracker_of
from tiktok_middleware import Client
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.consent import Consent, State
from tiktok_middleware.core.events.event import OutboxEntry, Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.core.response.exchange import Forward
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_event import make_entry, server_entry
from tiktok_middleware.core.tracking.server_tracker import server_tracker
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.core.visitor.user_data import read_identity
from tiktok_middleware.delivery.outbox.memory import MemoryOutbox
from tiktok_middleware.delivery.sender.relay import Relay
from tiktok_middleware.errors import ConfigError, EventError
from tiktok_middleware.sandbox.catalog import STANDARD

BROWSER = {"user-agent": "Mozilla/5.0"}
METHODS = [
    *("page", "track", "identify", "instances", "debug", "on", "off", "once", "ready", "alias", "group"),
    *("enableCookie", "disableCookie", "holdConsent", "revokeConsent", "grantConsent"),
]
PIXEL_JS = (Path(__file__).parents[3] / "tiktok_middleware" / "browser" / "pixel.js").read_text("utf-8")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def server_item(tracker: Tracker, name: str = "Lead", **options: Any) -> dict[str, Any]:
    event = tracker.track(name, **options)
    (record,) = make_entry(event, tracker.state, browser=True, server=True).records
    found: dict[str, Any] = json.loads(record.body)
    return found


def twice(name: str = "Lead", **properties: Any) -> dict[str, Any]:
    """What is sent of an event that is tracked twice: once would say nothing of how often something is said."""
    runtime = runtime_of()
    server_item(tracker_of(runtime, "/", BROWSER), name, **properties)
    found: dict[str, Any] = server_item(tracker_of(runtime, "/", BROWSER), name, **properties)["properties"]
    return found


# -- the pixel's base code


@pytest.mark.parametrize(("code", "is_odd"), [(PIXEL, False), ("C000", True), ("c0000000000000000001", True)])
def test_a_pixel_code_of_another_shape_is_said_at_start(
    code: str, is_odd: bool, caplog: pytest.LogCaptureFixture
) -> None:
    Client(Config(pixel_id=code, access_token="t", outbox="memory://")).close(0)
    assert any("is not 20 upper-case letters and digits" in line for line in said(caplog)) is is_odd


def test_the_base_code_stands_once_and_in_the_head() -> None:
    exchange = exchange_of(scope_request("/", BROWSER), runtime_of())
    page = b"<!doctype html><html><head><title>x</title></head><body>hello</body></html>"
    assert exchange.response_started(200, [(b"content-type", b"text/html")]) is None
    answer = exchange.body_received(page, last=True)
    assert isinstance(answer, Forward)
    head, _, body = answer.body.partition(b"</head>")
    assert (head.count(b"holdConsent"), body.count(b"holdConsent")) == (1, 0)


def test_the_stub_is_an_array_with_tiktoks_sixteen_methods() -> None:
    listed = re.search(r"\.methods = '([^']*)'\.split\(' '\)", PIXEL_JS)
    assert listed is not None
    assert re.findall(r"\w+", listed[1]) == METHODS
    assert len(METHODS) == 16
    assert "w.ttq = w.ttq || []" in PIXEL_JS


# -- names and ids


def test_standard_names_are_tiktoks() -> None:
    for name in STANDARD:
        assert tracker_of(runtime_of(strict=True)).track(name).event == name


@pytest.mark.parametrize(("old", "new"), [("CompletePayment", "Purchase"), ("SubmitForm", "Lead")])
def test_a_retired_name_is_translated_and_said_once(old: str, new: str, caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    for _ in range(3):
        assert server_item(tracker_of(runtime, "/", BROWSER), old, value=1, currency="EUR")["event"] == new
    assert said(caplog) == [f"event {old} was retired by TikTok: sent as {new}"]


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Checkout", "InitiateCheckout"),
        ("Browse", "Pageview"),
        ("Registration", "CompleteRegistration"),
        ("ClickForm", "Lead"),
        ("My Event", "My_Event"),
        ("x" * 51, "x" * 50),
        ("_mine", "mine"),
        ("Käufe", "Kaufe"),
    ],
)
def test_a_name_that_tiktok_would_not_take_is_rewritten_and_said(
    name: str, sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = runtime_of()
    event = tracker_of(runtime).track(name)
    assert (event.event, event.channels.server.sends) == (sent, True)
    assert counts(runtime) == {"invalid": 1, "tracked": 1}
    assert len(said(caplog)) == 1
    with pytest.raises(EventError):
        tracker_of(runtime_of(strict=True)).track(name)


@pytest.mark.parametrize("name", ["", "123", "成交", None, 5, b"Purchase", ["Purchase"]])
def test_without_a_readable_name_nothing_is_sent(name: Any) -> None:
    runtime = runtime_of()
    assert tracker_of(runtime).track(name).channels.server.reason == "invalid"
    assert counts(runtime) == {"invalid": 1}


def test_both_copies_have_one_name_and_one_id() -> None:
    tracker = tracker_of(runtime_of(), "/", BROWSER)
    event = tracker.track("CompletePayment", value=1, currency="EUR")
    (record,) = make_entry(event, tracker.state, browser=True, server=True).records
    assert (record.event, record.event_id) == (event.event, event.event_id) == ("Purchase", event.event_id)


def test_an_id_is_never_missing() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", server_item(tracker_of(runtime_of(), "/", BROWSER))["event_id"])


def test_one_id_for_two_events_of_a_request_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    for _ in range(2):
        tracker = tracker_of(runtime)
        tracker.track("Lead", event_id="mine")
        tracker.track("Contact", event_id="mine")
    assert counts(runtime)["event_id_reused"] == 2
    assert len(said(caplog)) == 1
    assert said(caplog)[0].startswith("one event_id was given to two events of one request")


def test_ids_that_differ_and_conversions_counted_once_are_nobodys_mistake(caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    tracker = tracker_of(runtime)
    for event_id in ("a", "b", None):
        tracker.track("Lead", event_id=event_id)
    for _ in range(2):
        tracker.track("Purchase", order_id="A-1", value=1, currency="EUR")
    assert "event_id_reused" not in counts(runtime)
    assert said(caplog) == []


@pytest.mark.parametrize(
    ("event_time", "sent", "problems"),
    [
        (NOW * 1000, NOW, 0),
        ("2025-10-09T08:53:20Z", NOW, 0),
        (NOW + 3600, NOW, 0),
        (NOW - 29 * 86_400, NOW - 7 * 86_400 + 3600, 0),
        (float("nan"), NOW, 1),
        (-1, NOW, 1),
        ("yesterday", NOW, 1),
    ],
)
def test_an_event_time_that_is_not_sane_costs_itself_and_not_the_event(
    event_time: Any, sent: float, problems: int
) -> None:
    runtime = runtime_of()
    event = tracker_of(runtime).track("Lead", event_time=event_time)
    assert (event.event_time, event.channels.server.sends) == (sent, True)
    assert counts(runtime).get("invalid", 0) == problems


# -- who


@pytest.mark.parametrize("key", ["phone_number", "click_id", "_ttp", "emial", "firstname", "zip", "sha256_email"])
def test_a_misspelt_user_key_is_named_with_the_right_one(key: str) -> None:
    _, (problem,) = read_identity({key: "x"}, phone_region=None)
    assert problem.field == f"identify.{key}"
    assert problem.allowed in {"phone", "email", "first_name", "zip_code"} or problem.allowed.startswith("nothing")


def test_what_is_not_hashed_is_hashed_and_what_is_hashed_is_not_hashed_again() -> None:
    once = sha256(b"ada@example.com").hexdigest()
    for given in ("Ada@Example.com ", once, once.upper()):
        tracker = tracker_of(runtime_of(), "/", BROWSER)
        tracker.identify(email=given)
        assert server_item(tracker)["user"]["email"] == once


@pytest.mark.parametrize("field", ["email", "phone", "external_id", "first_name", "last_name", "zip_code"])
@pytest.mark.parametrize("nothing", ["", "  ", None, sha256(b"").hexdigest()])
def test_no_hash_of_nothing_is_sent(field: str, nothing: Any) -> None:
    tracker = tracker_of(runtime_of(), "/", BROWSER)
    tracker.identify(**{field: nothing})
    assert set(server_item(tracker)["user"]) == {"user_agent"}


def test_a_phone_number_without_its_plus_is_refused_unless_there_is_a_region() -> None:
    none, (problem,) = read_identity({"phone": "015112345678"}, phone_region=None)
    some, problems = read_identity({"phone": "015112345678"}, phone_region="DE")
    assert (none.phone, problem.found) == ((), "a national number")
    assert (some.phone, problems) == ((sha256(b"+4915112345678").hexdigest(),), [])


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.9", "127.0.0.1", "::1", "fd00::1", "100.64.0.1"])
def test_a_private_address_is_not_told_tiktok(address: str) -> None:
    tracker = Tracker(RequestState(scope_request("/", BROWSER, peer=address), runtime_of()))
    assert "ip" not in server_item(tracker)["user"]


def test_a_missing_user_agent_is_counted_and_no_visitor_can_fill_the_log_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runtime = runtime_of()
    assert "user_agent" not in server_item(tracker_of(runtime, peer="8.8.8.8"))["user"]
    assert counts(runtime)["no_user_agent"] == 1
    server_item(tracker_of(runtime, "/", BROWSER))
    assert counts(runtime)["no_user_agent"] == 1
    assert said(caplog) == []


def test_an_event_of_nobody_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    for _ in range(2):
        tracker = server_tracker(runtime, None)
        tracker.track("Lead")
        for pending in tracker.state.take():
            assert server_entry(pending, tracker.state) is not None
    assert (counts(runtime)["nobody"], counts(runtime)["no_page"]) == (2, 2)
    assert [line.split(":")[0] for line in said(caplog)] == [
        "a web event has no page, which TikTok asks for",
        "a server event tells nothing of its visitor, so that TikTok can match it with nobody",
    ]


# -- what


@pytest.mark.parametrize("given", [7, "7"])
def test_an_id_of_a_product_is_a_text(given: Any) -> None:
    found = twice("ViewContent", contents=[{"content_id": given}], content_ids=[given])
    assert (found["contents"][0]["content_id"], found["content_ids"]) == ("7", ["7"])
    assert "contents" not in twice("ViewContent", contents=[{"content_id": 7.5}])


@pytest.mark.parametrize(("given", "sent"), [("product", "product"), ("PRODUCT_GROUP", "product_group"), ("sku", None)])
def test_content_type_is_one_of_two_words(given: str, sent: str | None) -> None:
    assert twice("ViewContent", content_type=given).get("content_type") == sent


def test_a_currency_that_tiktok_does_not_list_is_sent_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    assert twice("Purchase", value=1, currency="BTN")["currency"] == "BTN"
    assert said(caplog) == ["currency BTN is not in TikTok's list: it is sent, but counts for no value optimisation"]


@pytest.mark.parametrize("value", ["59,90 EUR", "1,000", True, [5], float("nan")])
def test_a_value_that_is_no_number_is_left_out(value: Any) -> None:
    assert "value" not in twice("Lead", value=value, currency="EUR")


_NO_SUM = "properties.value is not the sum of price x quantity, but"


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"value": 5}, "properties.value has no currency: TikTok cannot optimise for it"),
        ({}, "Purchase has no value: TikTok cannot report or optimise what it earned"),
        (
            {"value": 10, "currency": "EUR", "contents": [{"content_id": "a", "price": 10, "quantity": 3}]},
            f"{_NO_SUM} the sum of prices alone: price is per unit, value the total",
        ),
        (
            {"value": 3000, "currency": "EUR", "contents": [{"content_id": "a", "price": 10, "quantity": 3}]},
            f"{_NO_SUM} a hundred times more or less: one of them is in cents",
        ),
    ],
)
def test_a_value_that_earns_nothing_is_said_once(
    properties: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    twice("Purchase", **properties)
    assert said(caplog) == [sentence]


def test_shipping_and_discounts_are_nobodys_mistake(caplog: pytest.LogCaptureFixture) -> None:
    for value in (34.9, 25):
        twice("Purchase", value=value, currency="EUR", contents=[{"content_id": "a", "price": 10, "quantity": 3}])
    assert said(caplog) == []


def test_a_product_at_the_top_level_moves_into_contents() -> None:
    found = twice("ViewContent", content_id="SKU-1", content_name="Mug", price=10)
    assert found["contents"] == [{"content_id": "SKU-1", "content_name": "Mug", "price": 10}]
    assert found["content_ids"] == ["SKU-1"]
    assert not {"content_id", "content_name", "price"} & found.keys()


# -- where


def test_the_page_is_told_by_its_whole_address() -> None:
    assert server_item(tracker_of(runtime_of(), "/a?utm_source=x", BROWSER))["page"]["url"] == (
        "https://shop.example/a?utm_source=x"
    )


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("/?ttclid=E.C.P.1", {}),
        ("/?a=1&ttclid=E.C.P.1", {"cookie": "ttclid=E.C.P.0"}),
        # a page's own script, where no cookie has been kept
        ("/api", {**FETCH, "referer": "https://shop.example/landing?ttclid=E.C.P.1#top"}),
    ],
)
def test_a_click_id_in_the_pages_address_is_sent_by_its_own_key_too(url: str, headers: dict[str, str]) -> None:
    item = server_item(tracker_of(runtime_of(), url, {**BROWSER, **headers}))
    assert item["user"]["ttclid"] == "E.C.P.1"
    assert "ttclid=E.C.P.1" in item["page"]["url"]


@pytest.mark.parametrize("referer", ["https://shop.example/?ttclid=%3Cx%3E", "https://shop.example/?xttclid=E.C.P.1"])
def test_what_is_no_click_id_is_not_sent(referer: str) -> None:
    item = server_item(tracker_of(runtime_of(), "/api", {**BROWSER, **FETCH, "referer": referer}))
    assert "ttclid" not in item["user"]


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/clinic/opening-hours", "clinic"),
        ("/shop/Kids", "Kids"),
        ("/loan%20offers", "loan"),
        ("/help/hiv_test", "hiv"),
    ],
)
def test_a_sensitive_word_in_a_path_is_said_once(path: str, word: str, caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    for query in ("", "?a=1"):
        server_item(tracker_of(runtime, path + query, BROWSER))
    (line,) = said(caplog)
    assert line.startswith(f"the address of a page holds the word {word!r}")
    assert "TIKTOK_EXCLUDE" in line


def test_a_sensitive_word_in_an_events_name_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    twice("LoanRequested")
    (line,) = said(caplog)
    assert line.startswith("event LoanRequested holds the word 'Loan'")


def test_words_that_only_begin_alike_are_nobodys_mistake(caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    for path in ("/kidney-beans", "/credits", "/childlike?q=clinic", "/"):
        server_item(tracker_of(runtime, path, BROWSER))
    assert said(caplog) == []


# -- under what


def test_a_test_code_in_production_is_refused() -> None:
    with pytest.raises(ConfigError, match="TIKTOK_TEST_EVENT_CODE"):
        Config(pixel_id=PIXEL, access_token="t", test_event_code="TEST1", environment="production")


@pytest.mark.parametrize("headers", [{}, {"sec-gpc": "1"}])
def test_limited_data_use_is_the_same_on_both_channels(headers: dict[str, str]) -> None:
    limited = bool(headers)
    exchange = exchange_of(scope_request("/", {**BROWSER, **headers}), runtime_of(gpc="limit"))
    assert exchange.tracker.consent == Consent(State.GRANTED, limited)
    assert server_item(exchange.tracker)["limited_data_use"] is limited
    exchange.tracker.state.take()
    exchange.response_started(200, [(b"content-type", b"text/html")])
    answer = exchange.body_received(b"<!doctype html><title>x</title><p>", last=True)
    assert isinstance(answer, Forward)
    assert (b'"limited_data_use":true' in answer.body) is limited


def test_a_policy_that_lacks_tiktoks_hosts_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    for _ in range(2):
        exchange = exchange_of(scope_request("/", BROWSER), runtime)
        exchange.response_started(
            200, [(b"content-type", b"text/html"), (b"content-security-policy", b"connect-src 'self'")]
        )
        exchange.body_received(b"<!doctype html><title>x</title><p>", last=True)
    (line,) = said(caplog)
    assert "connect-src" in line
    assert "https://analytics.tiktok.com" in line


class Sink:
    """Takes everything, and remembers how much at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def send(self, batch: Sequence[Record]) -> list[Verdict]:
        self.sizes.append(len(batch))
        return [Delivered()] * len(batch)

    def close(self) -> None:
        pass


def test_no_request_holds_more_than_a_thousand_events() -> None:
    outbox, sink = MemoryOutbox(clock=lambda: NOW), Sink()
    records = [Record(PIXEL, "web", "Lead", str(number), int(NOW), b"{}") for number in range(2500)]
    outbox.put([OutboxEntry(record.event_id, (record,)) for record in records])
    relay = Relay(lambda: [outbox], lambda: sink, lambda: NOW)
    while relay.round():
        pass
    relay.stop(0.0)
    assert sum(sink.sizes) == 2500
    assert max(sink.sizes) <= 1000
