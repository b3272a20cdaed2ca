"""One order is one conversion, with one copy on each channel: page, webhook, reload, second browser, in any order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest

from tests.contract.adapters import NOW, PAGE, TRACKED, Request, Response, Seen, through_asgi, through_wsgi
from tests.core.core_world import Clock
from tiktok_middleware import Client, Config
from tiktok_middleware.core.events.event import Channel
from tiktok_middleware.core.events.ids import once_event_id

ID = once_event_id("Purchase", "A-1")
HOUR_S = 3600
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
VISIT = Request(
    path="/thanks", headers={"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "user-agent": PERSON}
)
ORDER: dict[str, Any] = {"order_id": "A-1", "value": 59.9, "currency": "EUR"}
THANKS = Response(events=(("Purchase", ORDER),))

Door = Callable[[Client, Request, Response], Seen]
DOORS: list[Door] = [through_asgi, through_wsgi]


class Shop:
    """One host: a thank-you page behind a door, a webhook beside it, and how many copies left on each channel."""

    def __init__(self, door: Door, clock: Clock) -> None:
        self.door = door
        self.clock = clock
        config = Config(
            pixel_id="C0000000000000000000",
            access_token="t",
            secret_key="k",
            api_url="http://127.0.0.1:9/v",
            outbox="memory://",
            sink="import:tests.contract.adapters:make_sink",
        )
        self.client = Client(config, clock=clock)
        self.browser = 0

    def visit(self, **more: Any) -> None:
        response = Response(events=(("Purchase", {**ORDER, **more}),))
        self.browser += len(re.findall(ID, self.door(self.client, VISIT, response).body.decode()))

    def webhook(self, **more: Any) -> None:
        with self.client.tracker(consent=True) as tiktok:
            tiktok.track("Purchase", once="A-1", value=59.9, currency="EUR", **more)

    @property
    def server(self) -> int:
        return int(self.client.stats()["accepted"])


@pytest.fixture(params=DOORS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    found = Shop(request.param, Clock(NOW))
    yield found
    found.client.close(0)


@pytest.mark.parametrize("order", sorted(set(permutations(["visit", "webhook", "visit", "webhook"]))))
def test_webhook_and_thank_you_page_make_one_pair(shop: Shop, order: tuple[str, ...]) -> None:
    for step in order:
        getattr(shop, step)()
        shop.clock.now += 60
    assert (shop.browser, shop.server) == (1, 1)


@pytest.mark.parametrize("order", [("visit", "webhook"), ("webhook", "visit")])
def test_each_channel_once_and_neither_after_the_other_is_forgotten(shop: Shop, order: tuple[str, ...]) -> None:
    """TikTok drops a second copy for 48 hours; one that comes later would be a second conversion."""
    getattr(shop, order[0])()
    first = shop.browser, shop.server
    shop.clock.now += 49 * HOUR_S
    for _ in range(2):
        getattr(shop, order[1])()
        getattr(shop, order[0])()
    assert (shop.browser, shop.server) == first
    assert shop.browser + shop.server <= 2


def test_a_webhook_just_inside_the_window_completes_the_pair(shop: Shop) -> None:
    shop.webhook()
    shop.clock.now += 46 * HOUR_S
    shop.visit()
    assert (shop.browser, shop.server) == (1, 1)


def test_reload_back_and_a_second_browser_after_49_hours_add_nothing(shop: Shop) -> None:
    shop.visit()
    for hours in (0, 1, 48, 300 * 24):
        shop.clock.now += hours * HOUR_S
        shop.visit()
    assert (shop.browser, shop.server) == (1, 1)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("first", ["visit", "webhook"])
def test_two_hosts_agree_on_the_id_and_past_the_window_no_browser_copy_goes(door: Door, first: str) -> None:
    """Hosts without a shared outbox: within 48 hours TikTok drops the second copy; later a host has only its own."""
    clock = Clock(NOW)
    one, other = Shop(door, clock), Shop(door, clock)
    getattr(one, first)(event_time=NOW)
    clock.now += 46 * HOUR_S
    other.visit(event_time=NOW)
    other.webhook(event_time=NOW)
    assert (other.browser, other.server) == (1, 1)  # with the same id, for TikTok to drop
    third = Shop(door, clock)
    clock.now = NOW + 47 * HOUR_S + 1
    third.visit(event_time=NOW)
    third.webhook(event_time=NOW)
    assert (third.browser, third.server) == (0, 1)
    assert third.client.stats()["counts"]["browser_too_old"] == 1
    for host in (one, other, third):
        host.client.close(0)


@pytest.mark.parametrize("first", ["visit", "webhook"])
@pytest.mark.parametrize("hours", [49, 100, 160])
def test_late_order_is_sent_unless_this_host_sent_it_before(shop: Shop, first: str, hours: int) -> None:
    getattr(shop, first)(event_time=NOW)
    sent = shop.browser + shop.server
    shop.clock.now += hours * HOUR_S
    for _ in range(2):
        shop.visit(event_time=NOW)
        shop.webhook(event_time=NOW)
    assert shop.browser + shop.server == sent


@pytest.mark.parametrize("steps", [("webhook", "visit"), ("visit", "webhook"), ("webhook", "webhook")])
def test_late_order_that_was_never_sent_gets_one_server_copy(shop: Shop, steps: tuple[str, ...]) -> None:
    for step in steps:
        getattr(shop, step)(event_time=NOW - 72 * HOUR_S)
        shop.clock.now += 60
    assert (shop.browser, shop.server) == (0, 1)


def test_view_learns_after_its_response_that_and_when_the_order_was_counted(shop: Shop) -> None:
    shop.visit()
    assert (TRACKED[-1].channels.browser, TRACKED[-1].channels.server) == (Channel(sends=True), Channel(sends=True))
    shop.clock.now += 60
    shop.visit()
    counted = Channel(sends=False, reason="already_counted", first_at=NOW)
    assert (TRACKED[-1].channels.browser, TRACKED[-1].channels.server) == (counted, counted)


def test_event_of_a_stream_that_was_counted_before_says_so_too(shop: Shop) -> None:
    shop.webhook()
    shop.clock.now += 60
    response = Response(pieces=(PAGE, b"more"), late_events=(("Purchase", ORDER),))
    shop.door(shop.client, VISIT, response)
    server = TRACKED[-1].channels.server
    assert (server.reason, server.first_at) == ("already_counted", NOW)


def test_webhook_learns_at_the_end_of_its_block_when_the_order_was_counted(shop: Shop) -> None:
    shop.visit()
    shop.clock.now += 60
    with shop.client.tracker(consent=True) as tiktok:
        event = tiktok.track("Purchase", once="A-1", value=59.9, currency="EUR")
        assert event.channels.server
    assert event.channels.server == Channel(sends=False, reason="already_counted", first_at=NOW)
    late = tiktok.track("Purchase", once="A-1", value=59.9, currency="EUR")
    assert late.channels.server == event.channels.server
    assert shop.client.stats()["counts"]["already_counted"] == 2


def test_webhook_on_an_event_loop_learns_the_same() -> None:
    shop = Shop(through_asgi, Clock(NOW))

    async def webhook() -> str:
        async with shop.client.tracker(consent=True) as tiktok:
            event = tiktok.track("Purchase", once="A-1", value=59.9, currency="EUR")
        return event.channels.server.reason

    assert [asyncio.run(webhook()) for _ in range(2)] == ["", "already_counted"]
    shop.client.close(0)


def test_an_order_that_failed_can_still_be_counted(shop: Shop) -> None:
    shop.door(shop.client, VISIT, Response(status=500, events=(("Purchase", ORDER),)))
    assert shop.server == 0
    shop.webhook()
    shop.visit()
    assert (shop.browser, shop.server) == (1, 1)
