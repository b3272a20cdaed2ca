"""One caller's haste is nobody else's trouble, and the memory of callers is bounded."""

from __future__ import annotations

import pytest

from tests.core.core_world import GOOD_TTP, NOW, scope_request
from tiktok_middleware._rate_limit import PER_ADDRESS, PER_VISITOR, Buckets, Rate, RateLimit

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
