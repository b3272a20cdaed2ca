"""Each cookie of ours goes to as few as it has to: this host alone where no other needs it, over TLS where there is any."""

from __future__ import annotations

import re

import pytest

from tests.core.core_world import DOORS, GOOD_TTP, NAVIGATION, MakeRequest, exchange_of, runtime_of
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.response.exchange import Commit, Forward
from tiktok_middleware.core.runtime import Runtime

ADDRESS, VISITOR = "/?ttclid=E.C.P.x", {**NAVIGATION, "cookie": f"_ttp={GOOD_TTP}"}
BEHIND = {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"}


def cookies_of(request: RequestView, runtime: Runtime, *, word: str = "") -> dict[str, set[str]]:
    """The attributes of each cookie that a redirect with an event sets."""
    exchange = exchange_of(request, runtime)
    exchange.tracker.track("Lead", value=5, currency="EUR")
    if word:
        exchange.tracker.grant_consent()
    step = exchange.response_started(303, [("Location", "/thanks")])
    assert isinstance(step, Commit)
    step = exchange.committed(None)
    assert isinstance(step, Forward)
    found = {}
    for name, value in step.headers or []:
        if name == "Set-Cookie":
            pair, *attributes = str(value).split("; ")
            found[pair.partition("=")[0]] = {re.sub(r"^Max-Age=\d+$", "Max-Age", attribute) for attribute in attributes}
    return found


@pytest.mark.parametrize("make", DOORS)
def test_ids_and_consent_are_for_the_whole_domain(make: MakeRequest) -> None:
    found = cookies_of(make(ADDRESS, VISITOR), runtime_of(domain="shop.example"), word="g")
    [carrying] = [name for name in found if name.startswith("_tt_carry.")]
    # What a `__Host-` prefix would ask for, but on plain http too, where shops are developed.
    alone = {"Max-Age", "Path=/", "Secure", "SameSite=Lax"}
    assert found == {
        "ttclid": {*alone, "Domain=shop.example"},
        "_ttp": {*alone, "Domain=shop.example"},
        "_tt_fresh": alone,
        carrying: alone,
        "_tt_consent": {*alone, "Domain=shop.example"},
    }


@pytest.mark.parametrize("make", DOORS)
@pytest.mark.parametrize(
    ("scheme", "headers", "proxies", "is_secure"),
    [
        ("https", {}, "0", True),
        ("http", {}, "0", False),
        ("http", BEHIND, "1", True),  # a proxy ends TLS
        ("http", BEHIND, "203.0.113.0/24", True),
        ("http", BEHIND, "0", False),  # anybody can write this header
        ("http", BEHIND, "10.0.0.0/8", False),
        ("https", {**BEHIND, "x-forwarded-proto": "http"}, "1", False),
        ("http", {**BEHIND, "x-forwarded-proto": "nonsense"}, "1", False),
    ],
)
def test_cookies_are_secure_where_the_visitors_browser_speaks_tls(
    make: MakeRequest, scheme: str, headers: dict[str, str], proxies: str, *, is_secure: bool
) -> None:
    request = make(ADDRESS, {**VISITOR, **headers}, scheme=scheme, proxies=proxies)
    found = cookies_of(request, runtime_of(), word="g")
    assert len(found) == 5
    assert {name for name, attributes in found.items() if "Secure" in attributes} == (
        set(found) if is_secure else set()
    )
