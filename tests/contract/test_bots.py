"""Through both adapters: a crawler gets the same page as everybody, and no server copy of its events is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.adapters import HTML, PAGE, Request, Response, Seen, make_client, through_asgi, through_wsgi
from tests.core.core_world import scope_request
from tiktok_middleware import Client, Config

GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
HEADLESS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36"
)
VIEW = Response(events=(("ViewContent", {"content_ids": ["SKU-1"]}),))
PAID = Response(
    headers=(("Content-Type", "application/json"),),
    pieces=(b"{}",),
    events=(("Purchase", {"order_id": "A-1", "value": 5, "currency": "EUR"}),),
)
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

Door = Callable[[Client, Request, Response], Seen]
DOORS: list[Door] = [through_asgi, through_wsgi]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("agent", "method", "response", "accepted"),
    [
        (PERSON, "GET", VIEW, 1),
        (GOOGLE, "GET", VIEW, 0),
        ("", "GET", VIEW, 1),  # nothing speaks against a person
        ("facebookexternalhit/1.1", "GET", VIEW, 0),
        (GOOGLE, "POST", PAID, 0),  # what a page's script asks for, run by a crawler
        ("Stripe/1.0 (+https://stripe.com/docs/webhooks)", "POST", PAID, 1),
        ("okhttp/4.12.0", "POST", PAID, 1),  # an app
        ("curl/8.5.0", "GET", VIEW, 1),  # tools try a site out, as long as nothing counts
        (HEADLESS, "GET", VIEW, 1),
    ],
)
def test_what_no_person_does_is_not_sent(
    door: Door, agent: str, method: str, response: Response, accepted: int
) -> None:
    client = make_client()
    door(
        client, Request(method, "/", headers={**(NAVIGATION if method == "GET" else {}), "user-agent": agent}), response
    )
    assert client.flush(20)
    stats = client.stats()
    assert stats["accepted"] == accepted
    assert stats["counts"].get("server_bot", 0) == 1 - accepted


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("agent", [HEADLESS, "curl/8.5.0"])
def test_where_events_count_a_tool_is_no_person(door: Door, agent: str) -> None:
    client = make_client()
    client.runtime.bot_pattern = make_live().runtime.bot_pattern
    door(client, Request(headers={**NAVIGATION, "user-agent": agent}), VIEW)
    assert client.stats()["counts"]["server_bot"] == 1


def make_live() -> Client:
    return Client(Config(pixel_id="C0000000000000000000", access_token="t", outbox="memory://"))


@pytest.mark.parametrize("door", DOORS)
def test_a_crawler_gets_the_bytes_that_everybody_gets(door: Door) -> None:
    plain = Response(headers=(HTML,), pieces=(PAGE,))
    seen: list[Any] = [
        door(make_client(), Request(headers={**NAVIGATION, "user-agent": agent}), plain) for agent in (PERSON, GOOGLE)
    ]
    assert seen[0] == seen[1]
    tracked = [
        door(make_client(), Request(headers={**NAVIGATION, "user-agent": agent}), VIEW) for agent in (PERSON, GOOGLE)
    ]
    assert tracked[0] == tracked[1]


def test_its_view_is_told_why() -> None:
    client = make_client()
    tracker = client.exchange(scope_request("/", {"user-agent": GOOGLE})).tracker
    assert tracker.page().channels.server.reason == "bot"
    assert tracker.track("Contact").channels.browser


OPPO = (
    "Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Version/4.0 Chrome/142.0.7444.142 Mobile Safari/537.36 trill_380004 BytedanceWebview/d8a21c6"
)
HOTJAR = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Hotjar Chrome/140.0.0.0 Safari/537.36"
METADATA = {"sec-fetch-mode": "navigate", "sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
HINTS = {"sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"', "sec-ch-ua-mobile": "?0"}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("agent", "headers", "bots", "pattern"),
    [
        (OPPO, {}, "auto", ""),
        (HOTJAR, {}, "auto", "Hotjar"),
        (HOTJAR, METADATA, "auto", ""),
        (HOTJAR, HINTS, "auto", ""),
        (HOTJAR, METADATA, "auto,-hotjar", "-hotjar"),
        (HOTJAR, {}, "+hotjar", ""),
        (GOOGLE, METADATA | HINTS, "auto", r"Googlebot\/"),
        (PERSON, METADATA, "auto,-Firefox/14[0-9]", "-Firefox/14[0-9]"),
        (PERSON, METADATA, "auto,+linux x86_64,-Firefox", ""),
    ],
)
def test_reason_bot_is_counted_with_its_pattern(
    door: Door, agent: str, headers: dict[str, str], bots: str, pattern: str
) -> None:
    client = make_client(bots=bots)
    door(client, Request(headers={**headers, "user-agent": agent}), VIEW)
    assert client.stats()["bots"] == ({pattern: 1} if pattern else {})
    assert client.stats()["counts"].get("server_bot", 0) == (1 if pattern else 0)
