"""The server copy tells TikTok who and where, within what may be told."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import DOORS, FETCH, GOOD_TTP, NAVIGATION, PIXEL, MakeRequest, runtime_of, scope_request
from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_event import make_entry
from tiktok_middleware.core.tracking.tracker import Tracker

PUBLIC = "8.8.4.4"


def submitted(
    request: RequestView, runtime: Runtime | None = None, *, browser: bool = True, server: bool = True, **identity: Any
) -> OutboxEntry:
    runtime = runtime or runtime_of()
    tracker = Tracker(RequestState(request, runtime))
    tracker.identify(**identity)
    event = tracker.track("Purchase", value=5, currency="EUR", order_id="A-1")
    return make_entry(event, tracker.state, browser=browser, server=server)


def body(submission: OutboxEntry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(submission.records[0].body)
    return found


@pytest.mark.parametrize("make", DOORS)
def test_a_server_copy_is_complete(make: MakeRequest) -> None:
    headers = {
        "cookie": f"_ttp={GOOD_TTP}; ttclid=E.C.P.x",
        "user-agent": "Mozilla/5.0",
        "referer": "https://ads.example/x?a=1",
    }
    found = submitted(make("/thanks?utm_source=tiktok&session=1", headers, peer=PUBLIC), email="bob@example.com")
    item = body(found)
    assert item["event"] == "Purchase"
    assert item["event_id"] == found.event_id == found.records[0].event_id
    assert item["user"] == {
        "ttclid": "E.C.P.x",
        "ttp": GOOD_TTP,
        "ip": PUBLIC,
        "user_agent": "Mozilla/5.0",
        "email": "5ff860bf1190596c7188ab851db691f0f3169c453936e9e1eba2f9a47f7a0018",
    }
    assert item["page"] == {"url": "https://shop.example/thanks?utm_source=tiktok", "referrer": "https://ads.example/x"}
    assert item["properties"]["value"] == 5
    assert (found.once, found.browser, found.records[0].paired) == (True, True, True)


def test_each_pixel_gets_its_own_record() -> None:
    runtime = runtime_of(pixel_id="A,B", access_token="x,y")
    records = submitted(scope_request(), runtime, browser=False).records
    assert [(record.pixel, record.source, record.paired) for record in records] == [
        ("A", "web", False),
        ("B", "web", False),
    ]


def test_a_browser_copy_alone_is_claimed_and_stores_nothing() -> None:
    found = submitted(scope_request(), server=False)
    assert (found.records, found.browser, found.once) == ((), True, True)


@pytest.mark.parametrize(
    ("peer", "options", "told"),
    [
        (PUBLIC, {}, PUBLIC),
        ("2001:4860:4860::8888", {}, "2001:4860:4860::8888"),
        ("10.0.0.1", {}, None),
        ("127.0.0.1", {}, None),
        ("::1", {}, None),
        ("100.64.0.1", {}, None),
        ("fe80::1%eth0", {}, None),
        ("", {}, None),
        ("127.0.0.1", {"api_url": "http://127.0.0.1:8001/v"}, "127.0.0.1"),  # the sandbox may know
    ],
)
def test_a_private_address_is_not_told(peer: str, options: dict[str, Any], told: str | None) -> None:
    assert body(submitted(scope_request(peer=peer), runtime_of(**options)))["user"].get("ip") == told


@given(st.ip_addresses())
def test_private_is_what_the_standard_library_calls_so(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    told = body(submitted(scope_request(peer=str(address))))["user"].get("ip")
    address = getattr(address, "ipv4_mapped", None) or address
    assert told == (str(address) if address.is_global else None)


def test_a_proxy_nobody_configured_is_one_warning_that_names_the_variable(caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    for _ in range(3):
        submitted(scope_request("/", {"x-forwarded-for": PUBLIC}, peer="10.0.0.1"), runtime)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "TIKTOK_TRUSTED_PROXIES" in caplog.text
    caplog.clear()
    submitted(scope_request("/", {"x-forwarded-for": PUBLIC}, peer="10.0.0.1", proxies="1"), runtime_of())
    assert caplog.records == []


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        (NAVIGATION, "https://shop.example/api"),
        (FETCH, "https://shop.example/p/1"),
        ({**FETCH, "sec-fetch-site": "cross-site"}, "https://shop.example/api"),
        ({}, "https://shop.example/api"),
    ],
)
def test_an_event_of_a_fetch_happened_on_the_page_that_fetched(headers: dict[str, str], url: str) -> None:
    request = scope_request("/api", {**headers, "referer": "https://shop.example/p/1?email=bob%40example.com"})
    assert body(submitted(request))["page"]["url"] == url


def test_nothing_personal_stands_in_the_addresses() -> None:
    headers = {"referer": "https://shop.example/u/bob@example.com?token=1"}
    raw = submitted(scope_request("/u/bob@example.com?email=bob%40example.com&ttclid=E.C.P.x", headers)).records[0].body
    assert b"bob" not in raw
    assert b"ttclid=E.C.P.x" in raw


def test_limited_data_use_is_told() -> None:
    limited = submitted(scope_request("/", {"sec-gpc": "1"}), runtime_of(gpc="limit"))
    assert body(limited)["limited_data_use"] is True
    assert (
        "limited_data_use" not in body(submitted(scope_request()))
        or body(submitted(scope_request()))["limited_data_use"] is False
    )


def test_a_hostile_user_agent_is_cut() -> None:
    assert len(body(submitted(scope_request("/", {"user-agent": "x" * 100_000})))["user"]["user_agent"]) == 1024


def test_records_name_their_pixel() -> None:
    assert submitted(scope_request()).records[0].pixel == PIXEL


def test_a_denied_word_is_denied_in_any_case_of_letters() -> None:
    runtime = runtime_of(url_allow="coupon,page", url_deny="Coupon,Member")
    request = scope_request("/member/4711/offers?coupon=X1&page=2")
    assert body(submitted(request, runtime))["page"]["url"] == "https://shop.example/member/redacted/offers?page=2"
