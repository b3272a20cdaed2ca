"""Conversions without a browser, through a real client: stored when the block ends, dropped when it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from tests.core.core_world import GOOD_TTP, NOW, PIXEL, Clock, scope_request
from tiktok_middleware.client import Client, deliver_to
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import Claim, OutboxEntry, Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_tracker import server_tracker
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.errors import EventError
from tiktok_middleware.server_job import JOB_WAIT_S, ServerJob
from tiktok_middleware.testing import Recorder

SETS: dict[str, Any] = {"offline_id": "7000000000000000001", "crm_id": "7000000000000000002"}
sent: list[Record] = []


class Sink:
    def send(self, batch: Sequence[Record]) -> list[Verdict]:
        sent.extend(batch)
        return [Delivered()] * len(batch)

    def close(self) -> None:
        pass


def make_sink(_: object) -> Sink:
    return Sink()


@pytest.fixture
def clients() -> Iterator[list[Client]]:
    made: list[Client] = []
    sent.clear()
    yield made
    for client in made:
        client.close(0)


@pytest.fixture
def client(clients: list[Client]) -> Client:
    return client_of(clients)


def client_of(
    clients: list[Client], *, secret_keys: tuple[str, ...] = (), clock: Clock | None = None, **options: Any
) -> Client:
    config = Config(
        **{
            "pixel_id": PIXEL,
            "access_token": "t",
            "secret_key": "" if secret_keys else "k",
            "outbox": "memory://",
            "sink": "import:tests.test_server_job:make_sink",
            "api_url": "http://127.0.0.1:9/v",
            **options,
        }
    )
    client = Client(config, secret_keys=secret_keys, clock=clock or Clock())
    clients.append(client)
    return client


def snapshot_of(client: Client) -> str:
    request = scope_request("/pay?ttclid=E.C.P.1", {"user-agent": "Mozilla/5.0", "cookie": f"_ttp={GOOD_TTP}"})
    return Tracker(RequestState(request, client.runtime)).snapshot()


def buy(tiktok: Tracker, order: str = "A-1", **more: Any) -> None:
    tiktok.track("Purchase", once=order, value=5, currency="EUR", **more)


def arrived(client: Client) -> list[Record]:
    assert client.flush(20)
    return sent


def counted(client: Client) -> dict[str, int]:
    return dict(client.stats()["counts"])


def test_a_webhooks_purchase_arrives_as_its_visitors(client: Client) -> None:
    token = snapshot_of(client)
    with client.tracker(token, email="ada@example.com") as tiktok:
        buy(tiktok)
        assert client.stats()["submitted"] == 0  # nothing leaves before the block has ended well
    (record,) = arrived(client)
    user = msgspec.json.decode(record.body)["user"]
    assert (user["ttclid"], user["ttp"], len(user["email"])) == ("E.C.P.1", GOOD_TTP, 64)
    assert not record.paired


def test_a_webhook_that_comes_twice_counts_once(client: Client) -> None:
    for _ in range(3):
        with client.tracker(snapshot_of(client)) as tiktok:
            buy(tiktok)
    assert len(arrived(client)) == 1
    assert client.stats()["duplicates"] == 2


def test_at_the_end_of_the_block_it_is_on_disk(clients: list[Client], tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    client = client_of(clients, outbox=f"sqlite:///{path}")
    with client.tracker() as tiktok:
        buy(tiktok)
    assert client.stats()["uncommitted"] == 0
    assert client.stats()["accepted"] == 1


def test_a_block_that_fails_tells_no_lies(client: Client) -> None:
    def failing() -> None:
        with client.tracker() as tiktok:
            buy(tiktok, "A-1")
            buy(tiktok, "A-2", keep=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert len(arrived(client)) == 1
    assert counted(client)["job_failed"] == 1


class HungDelivery(Recorder):
    """A disk that never answers."""

    def submit(self, submissions: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        return Future()


class BrokenDelivery(Recorder):
    """A mistake of ours."""

    def submit(self, submissions: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        raise ZeroDivisionError


def test_on_an_event_loop(client: Client) -> None:
    async def hook(*, fails: bool) -> None:
        async with client.tracker(snapshot_of(client)) as tiktok:
            buy(tiktok, "A-1")
            if fails:
                raise ZeroDivisionError

    for backend in ("asyncio", "trio"):
        with pytest.raises(ZeroDivisionError):
            anyio.run(lambda: hook(fails=True), backend=backend)
        assert arrived(client) == []
    for backend in ("asyncio", "trio"):
        anyio.run(lambda: hook(fails=False), backend=backend)
    assert len(arrived(client)) == 1


def test_a_plain_block_on_an_event_loop_waits_no_longer_than_a_response(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async def hook() -> None:
        with client.tracker() as tiktok:
            buy(tiktok)

    start = time.monotonic()
    with deliver_to(HungDelivery()), anyio.from_thread.start_blocking_portal() as portal:
        portal.call(hook)
    assert time.monotonic() - start < JOB_WAIT_S / 2
    assert counted(client)["undurable"] == 1
    assert "was not on disk within 250 ms" in caplog.text


@pytest.mark.parametrize("is_async", [False, True])
def test_a_disk_that_hangs_holds_a_job_up_for_a_bounded_time(client: Client, is_async: bool) -> None:
    job = ServerJob(server_tracker(client.runtime, None), client, wait_s=0.01)

    async def hook() -> None:
        async with job as tiktok:
            buy(tiktok)

    with deliver_to(HungDelivery()):
        if is_async:
            anyio.run(hook)
        else:
            with job as tiktok:
                buy(tiktok)
    assert counted(client)["undurable"] == 1


@pytest.mark.swallows
def test_our_own_mistake_does_not_reach_the_job(client: Client) -> None:
    with deliver_to(BrokenDelivery()), client.tracker() as tiktok:
        buy(tiktok)
    assert counted(client)["failures"] == 1


def test_what_is_tracked_after_the_block_still_goes(client: Client) -> None:
    with client.tracker() as tiktok:
        pass
    buy(tiktok)
    assert len(arrived(client)) == 1


def test_an_empty_block_stores_nothing(client: Client) -> None:
    with client.tracker():
        pass
    assert client.stats()["submitted"] == 0


def test_sources_go_to_their_own_event_sets(clients: list[Client]) -> None:
    client = client_of(clients, **SETS)
    with client.tracker(source="offline", phone="+49 30 1234567") as tiktok:
        buy(tiktok, event_time=NOW - 20 * 86400)
    with client.tracker(source="crm", lead_id="L-1") as tiktok:
        tiktok.track("QualifiedLead")
    found = {(record.source, record.pixel) for record in arrived(client)}
    assert found == {("offline", SETS["offline_id"]), ("crm", SETS["crm_id"])}
    assert client.stats()["buried"] == {}


def test_a_strict_client_raises_at_once(clients: list[Client]) -> None:
    client = client_of(clients, strict=True)
    with pytest.raises(EventError, match="TIKTOK_OFFLINE_ID"):
        client.tracker(source="offline")
    with pytest.raises(EventError, match=r"identify\.e_mail"):
        client.tracker(e_mail="ada@example.com")


def test_in_production_the_same_is_counted(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with client.tracker(source="offline", e_mail="ada@example.com") as tiktok:
        buy(tiktok)
    assert arrived(client) == []
    assert counted(client)["invalid"] >= 2
    assert "TIKTOK_OFFLINE_ID" in caplog.text
    assert "ada@example.com" not in caplog.text


@pytest.mark.parametrize("strict", [False, True])
def test_without_a_pixel_a_job_does_nothing(clients: list[Client], strict: bool) -> None:
    client = client_of(clients, pixel_id="", strict=strict)
    with client.tracker() as tiktok:
        assert tiktok.track("Contact").channels.server.reason == "no_pixel"
    assert client.stats()["submitted"] == 0


# -- whose key


@pytest.mark.parametrize(
    ("options", "warns"),
    [({"secret_key": ""}, True), ({"secret_key": "k"}, False), ({"secret_keys": ("framework",)}, False)],
)
def test_a_snapshot_without_a_key_of_its_own_is_said_once(
    clients: list[Client], caplog: pytest.LogCaptureFixture, options: dict[str, Any], warns: bool
) -> None:
    caplog.set_level(logging.WARNING, "tiktok_middleware")
    client = client_of(clients, **options)
    for _ in range(3):
        assert snapshot_of(client)
    assert caplog.text.count("TIKTOK_SECRET_KEY") == warns


def test_another_process_reads_it_a_year_later(clients: list[Client]) -> None:
    token = snapshot_of(client_of(clients))
    later = client_of(clients, clock=Clock(NOW + 399 * 86400), access_token="rotated")
    with later.tracker(token) as tiktok:
        buy(tiktok)
    (record,) = arrived(later)
    assert msgspec.json.decode(record.body)["user"]["ttp"] == GOOD_TTP
