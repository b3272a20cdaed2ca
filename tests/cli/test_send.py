"""One event from the shell: what would be sent, what TikTok says to it, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result

from tests.cli.cli_world import Sandbox, running_sandbox
from tests.cli.test_main import run
from tests.core.core_world import PIXEL
from tests.delivery.delivery_world import running_api
from tiktok_middleware import Client, Config
from tiktok_middleware.core.events.ids import once_event_id

SECOND = "C0000000000000000002"
TOKEN = "5f4dcc3b5aa765d61d8327deb882cf99"
CONFIGURED = {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ACCESS_TOKEN": TOKEN, "TIKTOK_CRM_ID": "7000000000000000002"}
BUY = ("Purchase", "--value", "5.5", "--currency", "EUR")


def send(*arguments: str, **environ: str) -> Result:
    return run("send", *arguments, **{**CONFIGURED, "TIKTOK_API_URL": "http://127.0.0.1:9/v", **environ})


def bodies(*arguments: str, **environ: str) -> list[dict[str, Any]]:
    result = send(*arguments, "--dry-run", **environ)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_dry_run_prints_the_request_and_sends_nothing() -> None:
    [body] = bodies(*BUY, "--once", "A-1", "--email", "ada@example.com", "--property", 'contents=[{"content_id": "S"}]')
    assert (body["event_source"], body["event_source_id"]) == ("web", PIXEL)
    [item] = body["data"]
    assert item["event_id"] == once_event_id("Purchase", "A-1")
    assert item["properties"]["value"] == 5.5
    assert item["properties"]["contents"][0]["content_id"] == "S"
    assert len(item["user"]["email"]) == 64
    assert "ada" not in json.dumps(body)


def test_every_pixel_gets_its_own_and_a_lead_its_set() -> None:
    assert [body["event_source_id"] for body in bodies("Contact", TIKTOK_PIXEL_ID=f"{PIXEL},{SECOND}")] == [
        PIXEL,
        SECOND,
    ]
    [body] = bodies("Qualified", "--source", "crm", "--lead-id", "L-1", "--property", "description=a text")
    assert (body["event_source"], body["data"][0]["lead"]) == ("crm", {"lead_id": "L-1"})
    assert body["data"][0]["properties"]["description"] == "a text"


def test_the_page_and_its_click_id_go_along() -> None:
    [body] = bodies(
        "Purchase", "--value", "5", "--currency", "EUR", "--url", "https://shop.example/?ttclid=E.C.P.x&id=7"
    )
    item = body["data"][0]
    assert item["page"] == {"url": "https://shop.example/?ttclid=E.C.P.x"}
    assert item["user"] == {"ttclid": "E.C.P.x"}


def test_a_crm_event_names_its_system_and_goes_without_a_lead_id() -> None:
    [body] = bodies(
        "Qualifizierter Lead", "--source", "crm", "--lead-event-source", "HubSpot", "--email", "a@b.example"
    )
    assert body["data"][0]["event"] == "Qualifizierter Lead"
    assert body["data"][0]["lead"] == {"lead_event_source": "HubSpot"}


def test_it_says_what_tiktok_answers() -> None:
    with running_api() as api:
        result = send(*BUY, "--json", "--event-id", "e-1", TIKTOK_API_URL=api.url, TIKTOK_TEST_EVENT_CODE="T1")
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        assert said == {"event_source_id": PIXEL, "event_id": "e-1", "answer": "delivered", "reason": ""}
        [request] = api.requests
        assert json.loads(request.body)["test_event_code"] == "T1"
        api.body = b'{"code":40002,"message":"Batch.0.event: no"}'
        result = send(*BUY, "--event-id", "e-1", TIKTOK_API_URL=api.url)
        assert result.exit_code == 1
        assert result.output.strip() == f"{PIXEL} e-1 rejected 40002 Batch.0.event: no"


@pytest.mark.parametrize(
    ("arguments", "environ", "says"),
    [
        (("Checkout",), {}, "event is a name reserved by TikTok; allowed: 'InitiateCheckout'"),
        (("Purchase", "--email", "nobody"), {}, "identify.email"),
        (("Purchase", "--currency", "DOGE"), {}, "properties.currency"),
        (("Contact",), {"TIKTOK_ACCESS_TOKEN": ""}, "not sent: no_token"),
        (("Contact",), {"TIKTOK_PIXEL_ID": ""}, "not sent: no_pixel"),
        (("Contact",), {"TIKTOK_GPC": "maybe"}, "TIKTOK_GPC is 'maybe'"),
        (("Contact", "--source", "crm"), {"TIKTOK_CRM_ID": ""}, "TIKTOK_CRM_ID"),
        (("Contact", "--url", "shop.example"), {}, "url is a str"),
        (("Contact", "--source", "offline"), {}, "TIKTOK_OFFLINE_ID"),
    ],
)
def test_what_cannot_be_right_is_said(arguments: tuple[str, ...], environ: dict[str, str], says: str) -> None:
    result = send(*arguments, **environ)
    assert result.exit_code == 1
    assert says in result.output
    assert TOKEN not in result.output


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as made:
        yield made


@pytest.mark.parametrize(
    ("arguments", "source", "name"),
    [
        (("Purchase", "--value", "5", "--currency", "EUR"), "web", "Purchase"),
        (("Purchase", "--value", "5", "--currency", "EUR", "--url", "https://shop.example/thanks"), "web", "Purchase"),
        (("add_to_cart", "--property", 'items=[{"item_id": "S", "price": 5, "quantity": 2}]'), "web", "AddToCart"),
        (("PlaceAnOrder", "--source", "offline", "--email", "ada@example.com"), "offline", "PlaceAnOrder"),
        (("Qualifizierter Lead", "--source", "crm", "--lead-id", "1"), "crm", "Qualifizierter Lead"),
        (("Gewonnen", "--source", "crm", "--email", "ada@example.com"), "crm", "Gewonnen"),
    ],
)
def test_the_packages_own_sandbox_takes_what_is_sent(
    sandbox: Sandbox, arguments: tuple[str, ...], source: str, name: str
) -> None:
    environ = {
        "TIKTOK_API_URL": sandbox.url,
        "TIKTOK_TEST_EVENT_CODE": "T1",
        "TIKTOK_OFFLINE_ID": "7000000000000000001",
    }
    result = send(*arguments, "--json", **environ)
    assert (result.exit_code, json.loads(result.stdout)["answer"]) == (0, "delivered"), result.output
    made = Client(Config.from_env({**CONFIGURED, **environ, "TIKTOK_OUTBOX": "memory://"}))
    with made.tracker(source=source, email="ada@example.com", consent=True) as tiktok:
        tiktok.track(name)
    assert made.flush(20)
    assert made.stats()["delivered"] == 1
    made.close(1)
