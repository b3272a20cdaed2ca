"""What callers give, through the real adapters: the same event reaches the browser and the server."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.contract.adapters import HTML, NOW, PAGE, Request, Seen, WsgiServer, asgi_messages, seen_of_messages
from tests.core.core_world import GOOD_TTP
from tiktok_middleware import Client, Config
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.core.consent.consent import Consent, State
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.sandbox.check import check_item
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

CLICK = "E.C.P.abcdefghijklmnopqrst"
SETS: dict[str, Any] = {"offline_id": "7000000000000000001", "crm_id": "7000000000000000002"}
BROWSER = {"user-agent": "Mozilla/5.0", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

arrived: list[Record] = []


class Sink:
    """Keeps every server copy."""

    def send(self, batch: Sequence[Record]) -> list[Verdict]:
        arrived.extend(batch)
        return [Delivered()] * len(batch)

    def close(self) -> None:
        pass


def make_sink(_: object) -> Sink:
    return Sink()


def make(**options: Any) -> Client:
    config = Config(
        pixel_id="C0000000000000000000",
        access_token="t",
        api_url="http://127.0.0.1:9/open_api/v1.3",
        outbox="memory://",
        sink="import:tests.contract.test_event_inputs:make_sink",
        **{**SETS, **options},
    )
    return Client(config, clock=lambda: NOW)


@pytest.fixture
def client() -> Iterator[Client]:
    arrived.clear()
    made = make()
    yield made
    made.close(1)


class Both:
    """An app whose view tracks once, behind each adapter."""

    def __init__(self, client: Client, adapter: str) -> None:
        self.client = client
        self.adapter = adapter

    def visit(self, view: Any, query: str = "", **headers: str) -> tuple[Seen, list[Any], list[dict[str, Any]]]:
        """The answer, the page's copies, and the server's items, as far as the sandbox takes them."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request("GET", "/page2", query, {**BROWSER, **named})
        before = len(arrived)
        seen = self._asgi(view, request) if self.adapter == "asgi" else self._wsgi(view, request)
        self.client.flush(5)
        items = [json.loads(record.body) for record in arrived[before:]]
        for item in items:
            assert [problem for problem in check_item(item, source="web", now=NOW) if problem.refuses] == []
        found = re.search(rb"\}\)\(window,document,\s*(\{.*?\})\);</script>", seen.body, re.DOTALL)
        return seen, json.loads(found[1]).get("e", []) if found else [], items

    def _asgi(self, view: Any, request: Request) -> Seen:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            view(scope[KEY])
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": PAGE})

        return seen_of_messages(asgi_messages(AsgiMiddleware(app, self.client), request))

    def _wsgi(self, view: Any, request: Request) -> Seen:
        def app(environ: Any, start_response: Any) -> list[bytes]:
            view(environ[KEY])
            start_response("200 OK", [HTML])
            return [PAGE]

        return WsgiServer().serve(WsgiMiddleware(app, self.client), request)


@pytest.fixture(params=["asgi", "wsgi"])
def both(client: Client, request: pytest.FixtureRequest) -> Both:
    return Both(client, request.param)


ITEMS = [{"item_id": "S1", "item_name": "Mug", "price": 15, "quantity": 2}]
MUGS = [{"content_id": "S1", "content_name": "Mug", "price": 15, "quantity": 2}]
PAID: dict[str, Any] = {"value": 5, "currency": "EUR"}

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str, dict[str, Any]]] = [
    # ids and times of any form
    ("id with a slash", ("Purchase",), {**PAID, "event_id": "2026/1001"}, "Purchase", {"value": 5}),
    ("id with spaces", ("Purchase",), {**PAID, "event_id": "Order 1001"}, "Purchase", {"value": 5}),
    ("id of bytes", ("Purchase",), {**PAID, "event_id": b"1001"}, "Purchase", {"value": 5}),
    ("id as UUID", ("Purchase",), {**PAID, "event_id": UUID(int=7)}, "Purchase", {"value": 5}),
    ("naive time", ("Purchase",), {**PAID, "event_time": dt.datetime(2025, 10, 9, 8)}, "Purchase", {"value": 5}),  # noqa: DTZ001 -- naive
    ("ISO time", ("Purchase",), {**PAID, "event_time": "2025-10-09T08:00:00Z"}, "Purchase", {"value": 5}),
    ("time of no kind", ("Purchase",), {**PAID, "event_time": object()}, "Purchase", {"value": 5}),
    ("once with a space", ("Purchase",), {**PAID, "once": " 1001"}, "Purchase", {"value": 5}),
    ("once as a list", ("Purchase",), {**PAID, "once": ["1001"]}, "Purchase", {"value": 5}),
    # names everybody uses
    (
        "GA4 purchase",
        ("purchase",),
        {"transaction_id": "T1", "value": 30, "currency": "EUR", "items": ITEMS},
        "Purchase",
        {"order_id": "T1", "contents": MUGS, "value": 30},
    ),
    ("GA4 cart", ("add_to_cart",), {"currency": "EUR", "items": ITEMS}, "AddToCart", {"value": 30, "contents": MUGS}),
    ("GA4 lead", ("generate_lead",), PAID, "Lead", {"value": 5}),
    ("Segment order", ("Order Completed",), {**PAID, "order_id": "T2", "products": ITEMS}, "Purchase", {"contents": MUGS}),
    ("Segment product", ("Product Added",), {"product_id": "S1", "price": 15, "currency": "EUR"}, "AddToCart", {"value": 15}),
    ("dashes", ("add-to-cart",), PAID, "AddToCart", {"value": 5}),
    ("page view", ("PageView",), {}, "Pageview", {}),
    ("no counterpart", ("Order Refunded",), PAID, "Order_Refunded", {"value": 5}),
    # whole quantities
    (
        "Decimals",
        ("Purchase",),
        {
            "value": Decimal("59.90"),
            "currency": "EUR",
            "contents": [{"content_id": "S", "price": Decimal("29.95"), "quantity": Decimal(2)}],
        },
        "Purchase",
        {"value": 59.9, "contents": [{"content_id": "S", "price": 29.95, "quantity": 2}]},
    ),
    (
        "goods by weight",
        ("Purchase",),
        {**PAID, "contents": [{"content_id": "S", "price": 10, "quantity": Decimal("0.5")}]},
        "Purchase",
        {"value": 5, "contents": [{"content_id": "S", "price": 10}]},
    ),
    # text that identifies a person
    ("address in a search", ("Search",), {"query": "bob.secret%40example.com", **PAID}, "Search", {"query": None}),
    ("encoded twice", ("Search",), {"query": "bob.secret%2540example.com", **PAID}, "Search", {"query": None}),
    ("base64", ("Search",), {"query": "Ym9iLnNlY3JldEBleGFtcGxlLmNvbQ==", **PAID}, "Search", {"query": None}),
    ("card", ("Search",), {"query": "4111 1111 1111 1111", **PAID}, "Search", {"query": None}),
]  # fmt: skip


@pytest.mark.parametrize(("args", "given", "name", "sent"), [c[1:] for c in CALLS], ids=[c[0] for c in CALLS])
def test_both_channels_carry_the_same_event(
    both: Both, args: tuple[Any, ...], given: dict[str, Any], name: str, sent: Mapping[str, Any]
) -> None:
    events = []
    _, copies, (item,) = both.visit(lambda tracker: events.append(tracker.track(*args, **given)))
    assert copies == [[name, item["properties"], item["event_id"]]]
    assert (item["event"], item["event_id"]) == (name, events[0].event_id)
    assert {key: item["properties"].get(key) for key in sent} == dict(sent)
    quantities = [product.get("quantity") for product in item["properties"].get("contents", [])]
    assert all(type(quantity) in {int, type(None)} for quantity in quantities)


def test_an_id_of_any_form_is_the_same_for_every_process(both: Both) -> None:
    ids = set()
    for _ in range(2):
        _, copies, items = both.visit(lambda tracker: tracker.track("Lead", event_id="2026/1001"))
        ids |= {copies[0][2], items[0]["event_id"]}
    assert len(ids) == 1


@pytest.mark.parametrize("flag", [True, "true", 1])
def test_limited_data_use_of_an_event_is_on_both_copies_of_it_alone(both: Both, flag: Any) -> None:
    def view(tracker: Any) -> None:
        tracker.track("Purchase", value=5, currency="USD", limited_data_use=flag)
        tracker.track("Contact", {"limited_data_use": flag})
        tracker.track("Lead")

    _, copies, items = both.visit(view)
    assert [copy[1].get("limited_data_use") for copy in copies] == [True, True, None]
    assert [item["limited_data_use"] for item in items] == [True, True, False]
    assert all("limited_data_use" not in item["properties"] for item in items)


@pytest.mark.parametrize("flag", [False, None, "false", 0, "no"])
def test_an_event_does_not_lift_the_visitors_own_opt_out(flag: Any) -> None:
    arrived.clear()
    client = make(gpc="limit")
    both = Both(client, "wsgi")
    _, _, (item,) = both.visit(lambda tracker: tracker.track("Contact", limited_data_use=flag), sec_gpc="1")
    client.close(1)
    assert item["limited_data_use"] is True


def contact(tracker: Any) -> None:
    tracker.track("Contact")


answers: list[Any] = [True]


def own_reader(_: object) -> Any:
    return answers[0]


@pytest.mark.parametrize("adapter", ["asgi", "wsgi"])
@pytest.mark.parametrize(
    ("answer", "limited"),
    [
        ("limited", True),
        (("granted", True), True),
        ((True, True), True),
        (Consent(State.GRANTED, limited_data_use=True), True),
        ({"consent": "granted", "limited_data_use": True}, True),
        ({"state": State.GRANTED, "limited_data_use": 1}, True),
        (True, False),
        (("granted", False), False),
        (Consent(State.GRANTED), False),
        ({"consent": "granted"}, False),
    ],
)
def test_a_teams_own_reader_sets_the_flag_for_a_visitor(adapter: str, answer: Any, limited: bool) -> None:
    arrived.clear()
    answers[:] = [answer]
    client = make(consent=f"import:{__name__}:own_reader")
    seen, copies, (item,) = Both(client, adapter).visit(contact)
    client.close(1)
    assert item["limited_data_use"] is limited
    found = re.search(rb"\}\)\(window,document,\s*(\{.*?\})\);</script>", seen.body, re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["o"].get("limited_data_use", False) is limited
    assert len(copies) == 1


@pytest.mark.parametrize(
    "answer", [(False, True), ("denied", True), {"limited_data_use": True}, ("maybe", False), (), {}]
)
def test_a_reader_that_does_not_say_yes_grants_nothing(answer: Any) -> None:
    arrived.clear()
    answers[:] = [answer]
    client = make(consent=f"import:{__name__}:own_reader")
    _, _, items = Both(client, "wsgi").visit(contact)
    client.close(1)
    assert items == []


def test_browser_false_keeps_an_event_off_the_page(both: Both) -> None:
    _, copies, (item,) = both.visit(lambda tracker: tracker.track("Purchase", value=5, currency="EUR", browser=False))
    assert copies == []
    assert item["event"] == "Purchase"


# -- who the visitor is

WORDS = ["null", "undefined", "NaN", "None", "0", "guest", "__CLICKID__", "{{ttclid}}", "%%CLICK_ID%%", "${ttclid}"]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_for_a_missing_click_id_is_none_and_sets_no_cookie(both: Both, word: str) -> None:
    for query, headers in (
        ("", {"cookie": f"ttclid={word}"}),
        (f"ttclid={word}", {}),
        (f"ttclid={word}", {"cookie": "ttclid=null"}),
    ):
        seen, _, (item,) = both.visit(contact, query, **headers)
        assert "ttclid" not in item["user"]
        assert not [value for name, value in seen.headers if name == "set-cookie" and value.startswith("ttclid=")]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_for_a_missing_click_id_never_replaces_a_real_one(both: Both, word: str) -> None:
    _, _, (item,) = both.visit(contact, f"ttclid={word}", cookie=f"ttclid={CLICK}")
    assert item["user"]["ttclid"] == CLICK


@pytest.mark.parametrize(
    "word", ["guest", "null", "undefined", "0", 0, "None", "anonymous", "{{user.id}}", "-1", "n/a"]
)
def test_a_word_for_nobody_is_no_external_id(both: Both, word: Any) -> None:
    def view(tracker: Any) -> None:
        tracker.identify(external_id=word)
        tracker.track("Contact")

    _, _, (item,) = both.visit(view)
    assert "external_id" not in item["user"]


@pytest.mark.parametrize(
    ("referrer", "sent"),
    [
        (f"https://shop.example/?ttclid={CLICK}", CLICK),
        (f"http://shop.example/?ttclid={CLICK}", CLICK),
        (f"https://SHOP.example/landing?utm_source=tiktok&ttclid={CLICK}#top", CLICK),
        (f"https://other.example/?ttclid={CLICK}", None),
        (f"https://shop.example.evil.example/?ttclid={CLICK}", None),
        (f"https://shop.example@evil.example/?ttclid={CLICK}", None),
        (f"https://sub.shop.example/?ttclid={CLICK}", None),
        (f"android-app://shop.example/?ttclid={CLICK}", None),
        ("https://shop.example/?ttclid=null", None),
        ("https://shop.example/?ttclid=", None),
        (f"https://shop.example/?x=ttclid={CLICK}", None),
    ],
)
def test_a_click_id_of_the_page_before_counts_on_the_same_host(both: Both, referrer: str, sent: str | None) -> None:
    seen, _, (item,) = both.visit(contact, referer=referrer)
    assert item["user"].get("ttclid") == sent
    set_cookies = [value for name, value in seen.headers if name == "set-cookie" and value.startswith("ttclid=")]
    assert [value.partition(";")[0] for value in set_cookies] == ([f"ttclid={sent}"] if sent else [])


@pytest.mark.parametrize("adapter", ["asgi", "wsgi"])
def test_a_click_id_survives_until_consent_on_the_next_page(adapter: str) -> None:
    arrived.clear()
    client = make(consent="required")
    both = Both(client, adapter)
    seen, _, items = both.visit(contact, f"ttclid={CLICK}")
    assert (items, [value for name, value in seen.headers if name == "set-cookie"]) == ([], [])

    def agrees(tracker: Any) -> None:
        tracker.grant_consent()
        tracker.track("Contact")

    seen, _, (item,) = both.visit(agrees, referer=f"https://shop.example/?ttclid={CLICK}")
    client.close(1)
    assert item["user"]["ttclid"] == CLICK
    assert [value for name, value in seen.headers if name == "set-cookie" and value.startswith(f"ttclid={CLICK};")]


@pytest.mark.parametrize(
    ("accepted", "sent"),
    [
        ("en-US,en;q=0.9", "en-US"),
        ("de", "de"),
        ("zh-Hans-CN;q=0.8, en", "zh-Hans-CN"),
        ("en_US", "en-US"),
        (" fr-CH , fr;q=0.9", "fr-CH"),
        ("*", None),
        ("", None),
        (";q=1", None),
        ("<script>", None),
        ("x" * 5000, None),
    ],
)
def test_the_first_language_is_the_locale(both: Both, accepted: str, sent: str | None) -> None:
    _, _, (item,) = both.visit(contact, **({"accept_language": accepted} if accepted else {}))
    assert item["user"].get("locale") == sent


def test_a_fetch_does_not_name_its_own_page_as_referrer(both: Both) -> None:
    page = "https://shop.example/cart"
    headers = {"sec_fetch_mode": "cors", "sec_fetch_dest": "empty", "sec_fetch_site": "same-origin", "referer": page}
    _, _, (item,) = both.visit(contact, **headers)
    assert item["page"] == {"url": page}


# -- which keys may leave


@pytest.mark.parametrize("adapter", ["asgi", "wsgi"])
@pytest.mark.parametrize(
    ("keys", "server", "page"),
    [
        (
            "all",
            {"email", "external_id", "city", "ip", "user_agent", "ttp", "ttclid"},
            {"sha256_email", "external_id", "city"},
        ),
        ("email,ttclid", {"email", "ttclid"}, {"sha256_email"}),
        ("external_id,ip,user_agent", {"external_id", "ip", "user_agent"}, {"external_id"}),
        ("none", set(), set()),
    ],
)
def test_only_the_keys_that_may_leave_do(adapter: str, keys: str, server: set[str], page: set[str]) -> None:
    arrived.clear()
    client = make(match_keys=keys)

    def view(tracker: Any) -> None:
        tracker.identify(email="ada@example.com", external_id="u-7", city="Berlin")
        tracker.track("Contact")

    seen, _, (item,) = Both(client, adapter).visit(view, f"ttclid={CLICK}", cookie=f"_ttp={GOOD_TTP}")
    client.close(1)
    assert set(item["user"]) == server
    found = re.search(rb"\}\)\(window,document,\s*(\{.*?\})\);</script>", seen.body, re.DOTALL)
    assert found is not None
    assert set(json.loads(found[1]).get("i", {})) == page
    assert ("ttclid" in item["page"]["url"]) is ("ttclid" in server)


# -- CRM, offline and jobs


def job(
    client: Client, name: str, given: Mapping[str, Any], tracker: Mapping[str, Any]
) -> tuple[Record, dict[str, Any]]:
    before = len(arrived)
    with client.tracker(**tracker) as tiktok:
        tiktok.track(name, given)
    client.flush(5)
    (record,) = arrived[before:]
    return record, json.loads(record.body)


@pytest.mark.parametrize(
    ("name", "tracker", "sent"),
    [
        ("Qualifizierter Lead", {"source": "crm", "lead_id": "123"}, {"lead_id": "123"}),
        ("成交", {"source": "crm", "lead_id": 123}, {"lead_id": "123"}),
        (
            "Lead",
            {"source": "crm", "lead_id": "1", "lead_event_source": "HubSpot"},
            {"lead_id": "1", "lead_event_source": "HubSpot"},
        ),
        ("Gewonnen", {"source": "crm", "email": "ada@example.com"}, None),
        ("Gewonnen", {"source": "crm", "phone": "+4915112345678"}, None),
    ],
)
def test_a_crm_stage_is_sent(client: Client, name: str, tracker: dict[str, Any], sent: dict[str, str] | None) -> None:
    record, item = job(client, name, {}, tracker)
    assert (record.source, item["event"], item.get("lead")) == ("crm", name, sent)
    assert [problem for problem in check_item(item, source="crm", now=NOW) if problem.refuses] == []


@pytest.mark.parametrize(
    ("name", "sent"), [("PlaceAnOrder", "PlaceAnOrder"), ("ClickButton", "ClickButton"), ("purchase", "Purchase")]
)
def test_an_offline_event_is_sent(client: Client, name: str, sent: str) -> None:
    record, item = job(client, name, PAID, {"source": "offline", "phone": "+4915112345678"})
    assert (record.source, item["event"], item["properties"]["value"]) == ("offline", sent, 5)
    assert [problem for problem in check_item(item, source="offline", now=NOW) if problem.refuses] == []


def test_a_job_without_snapshot_or_page_is_taken(client: Client) -> None:
    _, item = job(client, "Purchase", PAID, {"consent": True})
    assert "page" not in item
    assert [problem for problem in check_item(item, source="web", now=NOW) if problem.refuses] == []


def test_a_job_says_where_and_who(client: Client) -> None:
    context = {
        "url": f"https://shop.example/thanks?ttclid={CLICK}",
        "ip": "8.8.8.8",
        "user_agent": "Mozilla/5.0",
        "ttp": GOOD_TTP,
    }
    _, item = job(client, "Purchase", PAID, {"consent": True, "limited_data_use": True, **context})
    assert item["page"] == {"url": context["url"]}
    assert item["user"] == {"ttclid": CLICK, "ttp": GOOD_TTP, "ip": "8.8.8.8", "user_agent": "Mozilla/5.0"}
    assert item["limited_data_use"] is True


def test_the_order_of_a_view_and_of_a_webhook_are_one_conversion(client: Client) -> None:
    events = []
    Both(client, "wsgi").visit(lambda tracker: events.append(tracker.track("Purchase", order_id=1001, **PAID)))
    before = len(arrived)
    with client.tracker(consent=True) as tiktok:
        events.append(tiktok.track("purchase", once=" 1001", **PAID))
        events.append(tiktok.track("Order Completed", {"transaction_id": "1001", **PAID}))
    client.flush(5)
    assert len({event.event_id for event in events}) == 1
    assert arrived[before:] == []


def test_what_cannot_be_used_is_said_once(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    both = Both(client, "wsgi")
    for _ in range(3):
        both.visit(lambda tracker: tracker.track("Search", query="bob.secret%40example.com", event_time="yesterday"))
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([line for line in lines if "properties.query" in line]) == 1
    assert len([line for line in lines if "event_time" in line]) == 1
    assert "bob" not in caplog.text


def test_stats_have_the_share_of_each_consent(both: Both) -> None:
    for headers in ({}, {}, {"cookie": "_tt_consent=d"}, {"sec_gpc": "1"}):
        both.visit(lambda tracker: tracker.track("Contact"), **headers)
    with both.client.tracker(consent=True) as job:  # no visitor of a page
        job.track("Contact")
    assert both.client.stats()["consent"] == {"granted": 0.5, "denied": 0.25, "gpc": 0.25}
