"""One caller's haste is nobody else's trouble, and the memory of callers is bounded."""

from __future__ import annotations

import pytest

from tests.core.core_world import GOOD_TTP, NOW, scope_request
from tiktok_middleware._rate_limit import (
    EVENTS_PER_ADDRESS,
    EVENTS_PER_VISITOR,
    PER_ADDRESS,
    PER_SITE,
    PER_VISITOR,
    Buckets,
    Rate,
    RateLimit,
)

HEADERS_OF_NEW = {"user-agent": "Mozilla/5.0"}
HEADERS = {"user-agent": "Mozilla/5.0", "cookie": f"_ttp={GOOD_TTP}"}


def test_a_burst_is_taken_then_one_call_at_a_time() -> None:
    buckets = Buckets(Rate(burst=3, per_s=0.5))
    assert [buckets.wait_s("a", NOW) for _ in range(5)] == [0, 0, 0, 2.0, 2.0]
    assert buckets.wait_s("b", NOW) == 0
    assert buckets.wait_s("a", NOW + 1) == 1.0
    assert buckets.wait_s("a", NOW + 2) == 0
    assert buckets.wait_s("a", NOW + 2) == 2.0


def test_a_bucket_holds_no_more_than_a_burst() -> None:
    buckets = Buckets(Rate(burst=2, per_s=1))
    assert [buckets.wait_s("a", NOW + hour) for hour in (0, 3600, 3600, 3600)] == [0, 0, 0, 1.0]


def test_a_clock_that_is_set_back_fills_nothing_and_breaks_nothing() -> None:
    buckets = Buckets(Rate(burst=1, per_s=1))
    assert [buckets.wait_s("a", NOW - second) for second in (0, 100)] == [0, 1.0]
    assert buckets.wait_s("a", NOW) == 0


def test_of_too_many_callers_the_quietest_is_forgotten() -> None:
    buckets = Buckets(Rate(burst=1, per_s=0.001), limit=3)
    for caller in "abca":
        buckets.wait_s(caller, NOW)
    buckets.wait_s("d", NOW)
    assert len(buckets) == 3
    assert buckets.wait_s("a", NOW) > 0
    assert buckets.wait_s("b", NOW) == 0


def test_a_visitor_is_slowed_down_alone() -> None:
    throttle = RateLimit()
    mine = scope_request("/", HEADERS)
    assert [throttle.wait_s(mine, NOW) for _ in range(PER_VISITOR.burst + 1)] == [0] * PER_VISITOR.burst + [1]
    assert throttle.wait_s(scope_request("/", {"user-agent": "another"}), NOW) == 0


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db8::1", "fe80::1%eth0", "127.0.0.1"])
def test_who_makes_up_visitors_is_slowed_down_by_address(peer: str) -> None:
    throttle = RateLimit()
    waits = [
        throttle.wait_s(scope_request("/", {"cookie": f"_ttp={GOOD_TTP}{number}"}, peer=peer), NOW)
        for number in range(PER_ADDRESS.burst + 1)
    ]
    assert waits == [0] * PER_ADDRESS.burst + [1]


def test_one_customers_addresses_are_one() -> None:
    throttle = RateLimit()
    for number in range(PER_ADDRESS.burst):
        throttle.wait_s(scope_request("/", {"cookie": f"_ttp={number}"}, peer=f"2001:db8::{number:x}"), NOW)
    assert throttle.wait_s(scope_request("/", {"cookie": "_ttp=x"}, peer="2001:db8::ffff"), NOW) > 0
    assert throttle.wait_s(scope_request("/", {"cookie": "_ttp=x"}, peer="2001:db8:0:1::1"), NOW) == 0


@pytest.mark.parametrize("peer", ["10.0.0.1", None])
def test_a_proxy_that_nobody_told_us_of_is_no_visitor(peer: str | None) -> None:
    throttle = RateLimit()
    for number in range(PER_ADDRESS.burst + 1):
        request = scope_request("/", {"cookie": f"_ttp={number}", "x-forwarded-for": "198.51.100.1"}, peer=peer)
        assert throttle.wait_s(request, NOW) == 0


@pytest.mark.parametrize("peer", ["10.0.0.1", "127.0.0.1", None])
@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_behind_such_a_proxy_new_visitors_with_one_kind_of_browser_are_not_one(peer: str | None, header: str) -> None:
    throttle = RateLimit()
    agent = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) musical_ly_41.0.0"}
    for number in range(PER_VISITOR.burst + 1):
        request = scope_request("/", {**agent, header: f"for=198.51.100.{number}"}, peer=peer)
        assert throttle.wait_s(request, NOW) == 0
    mine = scope_request("/", {**agent, header: "for=198.51.100.1"}, peer=peer)
    assert [throttle.wait_s(mine, NOW) for _ in range(PER_VISITOR.burst)][-1] > 0


@pytest.mark.parametrize("peer", ["10.0.0.1", "127.0.0.1", None])
def test_where_nothing_tells_new_visitors_apart_they_share_what_an_address_may(peer: str | None) -> None:
    throttle = RateLimit()
    waits = [throttle.wait_s(scope_request("/", HEADERS_OF_NEW, peer=peer), NOW) for _ in range(PER_ADDRESS.burst + 1)]
    assert waits == [0] * PER_ADDRESS.burst + [1]


def test_events_are_counted_by_visitor_address_and_site() -> None:
    limit = RateLimit()
    mine = scope_request("/", HEADERS, peer="203.0.113.9")
    taken = sum(85 for _ in range(1000) if not limit.events_wait_s(mine, NOW, 85))
    assert EVENTS_PER_VISITOR.burst - 85 < taken <= EVENTS_PER_VISITOR.burst
    limit = RateLimit()
    made_up = (scope_request("/", {"cookie": f"_ttp={GOOD_TTP}{n}"}, peer="203.0.113.9") for n in range(1000))
    taken = sum(85 for one in made_up if not limit.events_wait_s(one, NOW, 85))
    assert EVENTS_PER_ADDRESS.burst - 85 < taken <= EVENTS_PER_ADDRESS.burst
    limit = RateLimit()
    everywhere = (scope_request("/", HEADERS_OF_NEW, peer=f"203.0.{n // 250}.{n % 250}") for n in range(1000))
    taken = sum(85 for one in everywhere if not limit.events_wait_s(one, NOW, 85))
    assert PER_SITE.burst - 85 < taken <= PER_SITE.burst


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
@pytest.mark.parametrize("peer", ["10.0.0.7", "127.0.0.1", "203.0.113.9", "fd00::1"])
def test_forwarding_header_of_an_undeclared_proxy_lifts_no_limit(peer: str, header: str) -> None:
    limit = RateLimit()
    seconds, taken = 10, 0
    for n in range(3000):
        headers = {header: f"for=198.51.100.{n}", "user-agent": f"agent {n}", "cookie": f"_ttp={GOOD_TTP}{n}"}
        request = scope_request("/", headers, peer=peer)
        if not limit.events_wait_s(request, NOW + seconds * n / 3000, 85):
            taken += 85
    assert taken <= PER_SITE.burst + seconds * PER_SITE.per_s


def test_more_events_than_a_full_bucket_holds_can_still_be_reported() -> None:
    assert RateLimit().events_wait_s(scope_request("/", HEADERS), NOW, 10_000) == 0
    assert RateLimit().events_wait_s(scope_request("/", HEADERS), NOW, 0) == 0
