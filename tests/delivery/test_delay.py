"""A purchase can wait, and one that is cancelled before it left never leaves on the server channel."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import PIXEL, Api, ToldSink, record, submission, wait_until
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.core.events.ids import once_event_id
from tiktok_middleware.core.events_api.answers import Delivered, Retry
from tiktok_middleware.delivery.delivery import Delivery, DeliveryOptions, open_delivery
from tiktok_middleware.errors import EventError

Open = Callable[..., tuple[Delivery, ToldSink]]


@pytest.fixture
def open_(outbox: str) -> Iterator[Open]:
    opened: list[Delivery] = []

    def open_one(**options: Any) -> tuple[Delivery, ToldSink]:
        sink = ToldSink()
        opened.append(
            open_delivery(DeliveryOptions(outbox=outbox, tokens={PIXEL: "t"}, sink=lambda _: sink, **options))
        )
        return opened[-1], sink

    yield open_one
    for delivery in opened:
        delivery.close(0.1)


def purchase(key: str, event: str = "Purchase") -> Any:
    return submission(record(key, event=event, event_time=time.time()), browser=True, once=True)


def test_only_purchases_wait(open_: Open) -> None:
    delivery, sink = open_(delay_s=600.0)
    claims = delivery.submit([purchase("order"), purchase("lead", "Contact")]).result(10)
    assert claims == [Claim(browser=True, server=True)] * 2, "the browser copy leaves as usual"
    assert wait_until(lambda: sink.sent == ["lead"])
    began = time.monotonic()
    assert not delivery.flush(60), "it says at once that an event waits"
    assert time.monotonic() - began < 30


def test_a_purchase_leaves_after_its_delay(open_: Open) -> None:
    delivery, sink = open_(delay_s=0.3)
    delivery.submit([purchase("order"), purchase("lead", "Contact")]).result(10)
    assert wait_until(lambda: sink.sent == ["lead", "order"])
    assert delivery.flush(5)


def test_a_purchase_that_is_cancelled_in_time_never_leaves(open_: Open) -> None:
    delivery, sink = open_(delay_s=0.5)
    delivery.submit([purchase("order"), purchase("other")]).result(10)
    assert delivery.cancel("order").result(10)
    assert delivery.submit([purchase("order")]).result(10)[0].server is False, "nor does a repetition"
    assert wait_until(lambda: sink.sent == ["other"])
    assert delivery.flush(5)
    assert sink.sent == ["other"]
    assert delivery.stats()["waiting"] == 0


def test_a_purchase_can_be_cancelled_before_it_is_tracked(open_: Open) -> None:
    delivery, sink = open_()
    assert delivery.cancel("order").result(10)
    assert delivery.submit([purchase("order")]).result(10) == [Claim(browser=True, server=False)]
    assert delivery.flush(5)
    assert sink.sent == []


def test_a_purchase_that_was_sent_cannot_be_cancelled(open_: Open) -> None:
    delivery, sink = open_()
    delivery.submit([purchase("order")]).result(10)
    assert delivery.flush(5)
    assert sink.sent == ["order"]
    assert not delivery.cancel("order").result(10)


def test_a_purchase_that_waits_for_another_try_can_be_cancelled(open_: Open) -> None:
    delivery, sink = open_()
    sink.answer = lambda batch: [Retry(0.3, "503")] * len(batch)
    delivery.submit([purchase("order")]).result(10)
    assert wait_until(lambda: delivery.stats()["retried"] == 1)
    assert delivery.cancel("order").result(10)
    sink.answer = lambda batch: [Delivered()] * len(batch)
    time.sleep(0.6)
    assert sink.sent == ["order"]


def test_operators_do_not_hasten_what_is_delayed(tmp_path: Path) -> None:
    from tiktok_middleware.delivery.outbox.admin import OutboxAdmin
    from tiktok_middleware.delivery.outbox.dead_letters import RowFilter

    path = tmp_path / "o.sqlite3"
    options = DeliveryOptions(
        outbox=f"sqlite:///{path}", tokens={PIXEL: "t"}, sink=lambda _: ToldSink(), delay_s=3600.0
    )
    delivery = open_delivery(options)
    delivery.submit([purchase("order")]).result(10)
    admin = OutboxAdmin(path, time.time)
    assert admin.retry(RowFilter()).hastened == 0
    [row] = admin.rows(RowFilter())
    assert (row.reason, round(row.at - time.time(), -2)) == ("delayed", 3600)
    delivery.close(0.1)


# -- by the client


@pytest.fixture
def client(tmp_path: Path, api: Api) -> Iterator[Client]:
    client = Client(
        Config(pixel_id=PIXEL, access_token="t", api_url=api.url, outbox=f"sqlite:///{tmp_path}/o.sqlite3", delay=3600)
    )
    yield client
    client.close(0.1)


def buy(client: Client, order: Any) -> None:
    with client.tracker(consent=True) as tiktok:
        tiktok.track("Purchase", value=5, currency="EUR", order_id=order)


@pytest.mark.parametrize(("tracked", "cancelled"), [("A-1001", "A-1001"), (1001, " 1001"), ("1001", 1001)])
def test_the_client_cancels_by_the_key_of_the_order(client: Client, tracked: object, cancelled: object) -> None:
    buy(client, tracked)
    assert wait_until(lambda: client.stats()["waiting"] == 1)
    assert client.cancel(once=cancelled)
    assert client.stats()["waiting"] == 0


def test_the_client_cancels_on_an_event_loop(client: Client) -> None:
    buy(client, "A-1")
    assert wait_until(lambda: client.stats()["waiting"] == 1)
    assert asyncio.run(client.cancel_async(once="A-1"))
    assert client.stats()["waiting"] == 0


def test_another_event_is_cancelled_by_its_name(client: Client) -> None:
    assert client.cancel(once="A-1", event="complete_payment")
    buy(client, "A-1")
    assert client.flush(0.1)
    assert json.dumps(client.stats()["duplicates"]) == "1"


@pytest.mark.parametrize("key", ["", None, "null", []])
def test_a_key_that_names_nothing_is_refused(client: Client, key: object) -> None:
    with pytest.raises(EventError, match="once"):
        client.cancel(once=key)


class Silent(Delivery):
    """A delivery whose outbox never answers whether an event was cancelled."""

    def cancel(self, event_id: str) -> Future[bool]:
        return Future()


def test_an_outbox_that_does_not_answer_is_said(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(Config(pixel_id=PIXEL), delivery=Silent(DeliveryOptions()))
    assert client.cancel(once="A-1", timeout_s=0.01) is False
    assert "a Purchase could not be cancelled" in caplog.text
    assert client.stats()["counts"]["not_cancelled"] == 1


def test_the_id_is_that_of_track(client: Client) -> None:
    buy(client, "A-1")
    assert once_event_id("Purchase", "A-1")
