"""Browsers that take no cookies: what a redirect or a download leaves for the next page is counted, and never lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.contract.adapters import (
    HTML,
    NOW,
    PAGE,
    CountedBytes,
    Request,
    Response,
    Seen,
    make_client,
    through_asgi,
    through_wsgi,
)
from tests.contract.test_signed_events import NAVIGATION, config_of, cookie, reported
from tiktok_middleware import Client
from tiktok_middleware.core.runtime.awaited_requests import LIFE_S, MOST

BUY = ("Purchase", {"value": 59.9, "currency": "EUR", "order_id": "A-1001"})
CART = ("AddToCart", {"value": 5, "currency": "EUR"})
LINES = [{"content_id": f"SKU-{n * 7919}", "content_name": f"Mug number {n}", "price": n} for n in range(60)]
LARGE = ("Purchase", {**BUY[1], "contents": LINES})
FROM_BANK = {**NAVIGATION, "sec-fetch-site": "cross-site", "origin": "https://bank.example"}
COUNTER = "browser_no_cookies"
both = pytest.mark.parametrize("through", [through_asgi, through_wsgi])


class Clock:
    now_s = NOW

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Iterator[Client]:
    made = new_client(clock)
    yield made
    made.close(1)


def new_client(clock: Clock, **options: Any) -> Client:
    return Client(make_client(**options).config, clock=clock, random_bytes=CountedBytes())


def redirect(location: str = "/next", *events: Any, status: int = 303) -> Response:
    return Response(status=status, headers=(("Location", location),), pieces=(b"",), events=events)


def counted(client: Client) -> int:
    count: int = client.stats()["counts"].get(COUNTER, 0)
    return count


class Next(NamedTuple):
    """A redirect with one event, the request that follows, and the count of lost copies.

    Attributes:
        location: where the redirect leads.
        path, query, headers: of the next request, beside those of a navigation.
        lost: how many copies count as lost.
        wait_s: seconds until the next request.
    """

    location: str = "/next"
    path: str = "/next"
    query: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012  # of a NamedTuple: a default, not shared state
    lost: int = 1
    wait_s: float = 0.2


FOLLOWED = {
    "relative": Next(),
    "absolute": Next("http://shop.example/next"),
    "absolute with the port": Next("http://shop.example:80/next"),
    "beside the page": Next("next", "/next"),
    "with a query": Next("/next?a=1&b=%20x", query="a=1&b=%20x"),
    "with a fragment": Next("/next#done"),
    "the query alone": Next("?done=1", "/do", "done=1"),
    "with escaped letters": Next("/caf%C3%A9", "/caf\u00c3\u00a9"),
    "the root": Next("http://shop.example", "/"),
    "referrer withheld": Next(headers={"referer": ""}),
    "without fetch metadata": Next(headers={"sec-fetch-mode": "", "sec-fetch-dest": "", "accept": "text/html"}),
    "by a script": Next(headers={"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}),
    "with a session cookie": Next(headers={"cookie": "session=1"}, lost=0),
    "another browser": Next(headers={"user-agent": "Mozilla/5.0 (another)"}, lost=0),
    "another language": Next(headers={"accept-language": "fr"}, lost=0),
    "another path": Next(path="/elsewhere", lost=0),
    "another query": Next("/next?a=1", query="a=2", lost=0),
    "another host": Next("https://elsewhere.example/next", lost=0),
    "brackets of no address": Next("http://[/next", "/any"),
    "a very long address": Next("/next?" + "x" * 3000, query="x" * 3000),
    "much later": Next(wait_s=LIFE_S + 1, lost=0),
}


@both
@pytest.mark.parametrize("name", FOLLOWED)
def test_lost_copy_is_counted_where_the_next_request_has_no_cookie(
    through: Any, name: str, client: Client, clock: Clock
) -> None:
    following = FOLLOWED[name]
    through(client, Request(path="/do", headers=NAVIGATION), redirect(following.location, CART))
    clock.now_s += following.wait_s
    headers = {key: value for key, value in {**NAVIGATION, **following.headers}.items() if value}
    for _ in range(2):  # each copy counts once
        through(client, Request(path=following.path, query=following.query, headers=headers), Response())
    assert (counted(client), client.stats()["accepted"]) == (following.lost, 1)


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("events", [(CART,), (CART, BUY), (LARGE,)], ids=["one", "two", "large"])
def test_each_lost_copy_is_counted(through: Any, status: int, events: Any, client: Client) -> None:
    through(client, Request(headers=NAVIGATION), redirect("/next", *events, status=status))
    through(client, Request(path="/next", headers=NAVIGATION), Response())
    assert (counted(client), client.stats()["accepted"]) == (len(events), len(events))


@both
def test_each_of_two_redirects_is_counted(through: Any, client: Client) -> None:
    through(client, Request(path="/a", headers=NAVIGATION), redirect("/b", CART))
    through(client, Request(path="/b", headers=NAVIGATION), redirect("/c", BUY))
    through(client, Request(path="/c", headers=NAVIGATION), Response())
    assert counted(client) == 2


@both
@pytest.mark.parametrize(("headers", "lost"), [(NAVIGATION, 1), ({**NAVIGATION, "sec-fetch-mode": "cors"}, 0)])
def test_download_waits_for_the_next_navigation(
    through: Any, headers: dict[str, str], lost: int, client: Client
) -> None:
    attachment = (("Content-Type", "text/csv"), ("Content-Disposition", "attachment"))
    through(client, Request(headers=NAVIGATION), Response(headers=attachment, pieces=(b"a,b",), events=(CART,)))
    through(client, Request(path="/other", headers=headers), Response())
    assert counted(client) == lost


@both
def test_kept_cookie_is_not_counted_as_lost(through: Any, client: Client) -> None:
    seen = through(client, Request(headers=NAVIGATION), redirect("/next", CART))
    [carrying] = [value.partition(";")[0] for _, value in seen.headers if value.startswith("_tt_carry.")]
    page = through(client, Request(path="/next", headers={**NAVIGATION, "cookie": carrying}), Response())
    assert ([copy[0] for copy in config_of(page)["e"]], counted(client)) == (["AddToCart"], 0)


@both
def test_page_without_events_before_it_is_not_counted(through: Any, client: Client) -> None:
    through(client, Request(headers=NAVIGATION), redirect("/next"))
    through(client, Request(path="/next", headers=NAVIGATION), Response())
    assert (counted(client), len(client.runtime.awaited)) == (0, 0)


def test_memory_of_next_requests_is_bounded(client: Client, clock: Clock) -> None:
    for number in range(MOST + 10):
        through_wsgi(client, Request(headers=NAVIGATION), redirect(f"/{number}", CART))
    assert len(client.runtime.awaited) == MOST
    clock.now_s += LIFE_S + 1
    through_wsgi(client, Request(path="/any", headers=NAVIGATION), Response())
    assert len(client.runtime.awaited) == 0


# -- a bank's POST return, whose events wait for the consent that the next request shows


def returned(client: Client, through: Any, event: Any = BUY, location: str = "/thanks") -> Seen:
    seen: Seen = through(client, Request("POST", "/return", headers=FROM_BANK), redirect(location, event))
    assert client.stats()["accepted"] == 0
    return seen


@both
def test_banks_return_is_matched_without_cookies(through: Any, client: Client) -> None:
    returned(client, through)
    page = through(client, Request(path="/thanks", headers=NAVIGATION), Response())
    assert [copy[0] for copy in config_of(page)["e"]] == ["Purchase"]
    assert (client.stats()["accepted"], counted(client)) == (1, 0)
    assert ("cache-control", "private") in page.headers
    again = through(client, Request(path="/thanks", headers=NAVIGATION), Response())
    assert ("e" in config_of(again), client.stats()["accepted"]) == (False, 1)


@both
def test_banks_return_over_two_redirects_is_matched_without_cookies(through: Any, client: Client) -> None:
    returned(client, through, location="/paid?order=1")
    through(client, Request(path="/paid", query="order=1", headers=NAVIGATION), redirect("/thanks"))
    page = through(client, Request(path="/thanks", headers=NAVIGATION), Response())
    assert ([copy[0] for copy in config_of(page)["e"]], client.stats()["accepted"]) == (["Purchase"], 1)


@both
def test_large_order_of_a_banks_return_is_fetched_without_cookies(through: Any, client: Client) -> None:
    returned(client, through, LARGE)
    page = through(client, Request(path="/thanks", headers=NAVIGATION), Response())
    answer = reported(client, {"x": config_of(page)["x"]})
    assert ([copy[0] for copy in answer["e"]], client.stats()["accepted"]) == (["Purchase"], 1)


@both
@pytest.mark.parametrize("has_cookies", [False, True])
def test_banks_return_is_server_only_where_no_page_has_the_script(
    through: Any, clock: Clock, has_cookies: bool
) -> None:
    client = new_client(clock, snippet="off")
    sealed = cookie(returned(client, through), "_tt_carry_sealed")
    headers = {**NAVIGATION, "cookie": f"_tt_carry_sealed={sealed}"} if has_cookies else NAVIGATION
    page = through(client, Request(path="/thanks", headers=headers), Response())
    assert (page.body, client.stats()["accepted"]) == (PAGE, 1)
    assert not any("no_cookies" in counter for counter in client.stats()["counts"])
    client.close(1)


@both
@pytest.mark.parametrize("headers", [("Cache-Control", "public, max-age=60"), ("Content-Type", "text/event-stream")])
def test_banks_return_before_a_response_for_nobody_alone_is_counted(
    through: Any, client: Client, headers: tuple[str, str]
) -> None:
    returned(client, through)
    kinds = (headers,) if headers[0] == "Content-Type" else (HTML, headers)
    through(client, Request(path="/thanks", headers=NAVIGATION), Response(headers=kinds))
    assert (client.stats()["accepted"], client.stats()["counts"].get("no_cookies")) == (0, 1)


@both
@pytest.mark.parametrize(
    ("headers", "path", "accepted"),
    [
        ({"cookie": "session=1"}, "/thanks", 0),  # its cookies would hold the sealed event
        ({"user-agent": "Mozilla/5.0 (another)"}, "/thanks", 0),
        ({}, "/elsewhere", 0),
        ({"sec-fetch-site": "cross-site"}, "/thanks", 1),
    ],
)
def test_banks_return_is_given_to_its_browser_alone(
    through: Any, client: Client, headers: dict[str, str], path: str, accepted: int
) -> None:
    returned(client, through)
    through(client, Request(path=path, headers={**NAVIGATION, **headers}), Response())
    assert client.stats()["accepted"] == accepted


@both
def test_banks_return_that_came_in_a_cookie_is_given_to_no_later_browser(through: Any, client: Client) -> None:
    """Two people behind one address have the same headers; the first takes cookies, the second does not."""
    sealed = cookie(returned(client, through), "_tt_carry_sealed")
    first = {**NAVIGATION, "cookie": f"session=1; _tt_carry_sealed={sealed}"}
    for headers, accepted in ((first, 1), (NAVIGATION, 1)):
        through(client, Request(path="/thanks", headers=headers), Response())
        assert client.stats()["accepted"] == accepted
    assert (counted(client), len(client.runtime.awaited)) == (0, 0)


@both
def test_copy_that_came_in_a_cookie_is_not_counted_for_a_later_browser(through: Any, client: Client) -> None:
    seen = through(client, Request(headers=NAVIGATION), redirect("/next", CART))
    [carrying] = [value.partition(";")[0] for _, value in seen.headers if value.startswith("_tt_carry.")]
    for headers in ({**NAVIGATION, "cookie": carrying}, NAVIGATION):
        through(client, Request(path="/next", headers=headers), Response())
    assert (counted(client), len(client.runtime.awaited)) == (0, 0)


@both
def test_refusal_after_a_banks_return_sends_nothing_and_is_counted(through: Any, client: Client) -> None:
    returned(client, through)
    through(client, Request(path="/thanks", headers={**NAVIGATION, "sec-gpc": "1"}), Response())
    assert (client.stats()["accepted"], client.stats()["counts"].get("gpc")) == (0, 1)


@both
def test_refusal_in_a_cookie_after_a_banks_return_is_counted(through: Any, client: Client) -> None:
    sealed = cookie(returned(client, through), "_tt_carry_sealed")
    headers = {**NAVIGATION, "cookie": f"_tt_carry_sealed={sealed}; _tt_consent=d"}
    through(client, Request(path="/thanks", headers=headers), Response())
    assert (client.stats()["accepted"], client.stats()["counts"].get("denied")) == (0, 1)


@both
def test_banks_return_waits_in_the_page_until_the_visitor_agrees(through: Any, clock: Clock) -> None:
    client = new_client(clock, consent="required")
    returned(client, through)
    page = through(client, Request(path="/thanks", headers=NAVIGATION), Response())
    [entry] = config_of(page)["s"]
    assert client.stats()["accepted"] == 0
    assert reported(client, {"c": [[entry[3], entry[2]]], "w": "g"}) == {"load": True}
    assert client.stats()["accepted"] == 1
    client.close(1)


def ordered(number: int) -> tuple[str, dict[str, Any]]:
    return "Purchase", {"value": 5, "currency": "EUR", "order_id": f"A-{number}"}


@both
@pytest.mark.parametrize("returns", [2, 3, 40])
def test_banks_returns_that_look_alike_are_handed_to_nobody_and_counted(
    through: Any, client: Client, returns: int
) -> None:
    """People behind one proxy have one address: each event holds hashes of its own visitor."""
    for number in range(returns):
        returned(client, through, ordered(number))
    [waiting] = client.runtime.awaited.values()
    assert not any(waiting.sealed)
    for _ in range(returns + 1):
        page = through(client, Request(path="/thanks", headers=NAVIGATION), Response())
        assert not {"e", "s", "x"} & set(config_of(page))
    assert (client.stats()["accepted"], client.stats()["counts"].get("no_cookies")) == (0, returns)
    assert len(client.runtime.awaited) == 0


@both
def test_of_two_banks_returns_that_look_alike_the_one_with_cookies_arrives(through: Any, client: Client) -> None:
    sealed = cookie(returned(client, through, ordered(1)), "_tt_carry_sealed")
    returned(client, through, ordered(2))
    first = {**NAVIGATION, "cookie": f"_tt_carry_sealed={sealed}"}
    for headers, lost in ((first, None), (NAVIGATION, 1)):
        through(client, Request(path="/thanks", headers=headers), Response())
        assert (client.stats()["accepted"], client.stats()["counts"].get("no_cookies")) == (1, lost)


TEXT = (("Content-Type", "text/plain"),)
ELSEWHERE = {
    "an answer without an address": Response(headers=TEXT, pieces=(b"OK",), events=(BUY,)),
    "a download": Response(headers=(*TEXT, ("Content-Disposition", "attachment")), pieces=(b"a",), events=(BUY,)),
    "brackets of no address": redirect("http://[/thanks", BUY),
    "another host": redirect("http://other.example/thanks", BUY),
    "a subdomain": redirect("http://www.shop.example/thanks", BUY),
}


@both
@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize("host", ["shop.example", "other.example", "www.shop.example"])
def test_banks_return_that_names_no_address_of_its_host_is_handed_to_nobody(
    through: Any, client: Client, name: str, host: str
) -> None:
    through(client, Request("POST", "/return", headers=FROM_BANK), ELSEWHERE[name])
    page = through(client, Request(path="/thanks", headers={**NAVIGATION, "host": host}), Response())
    assert not {"e", "s", "x"} & set(config_of(page))
    assert client.stats()["accepted"] == 0


@both
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-site"},
        {"referer": "http://shop.example/cart"},
        {"referer": "http://SHOP.example/cart"},
    ],
)
def test_banks_return_waits_for_a_request_that_another_site_may_cause(
    through: Any, client: Client, headers: dict[str, str]
) -> None:
    returned(client, through)
    for given, accepted in ((headers, 0), ({"referer": "https://bank.example/"}, 1)):
        through(client, Request(path="/thanks", headers={**NAVIGATION, **given}), Response())
        assert client.stats()["accepted"] == accepted


@both
@pytest.mark.parametrize("name", ["referer", "sec-fetch-site", "accept-language", "user-agent"])
@pytest.mark.parametrize("value", ["", "http://[", "http://[::1", "\xff" * 32_768, "/" * 32_768, "[" * 32_768])
def test_garbage_in_a_header_leaves_the_request_as_it_is(through: Any, client: Client, name: str, value: str) -> None:
    returned(client, through)
    page = through(client, Request(path="/thanks", headers={**NAVIGATION, name: value}), Response())
    assert b"/_tiktok/" in page.body
    assert not any(counter.startswith("failure") for counter in client.stats()["counts"])
