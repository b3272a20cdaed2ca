"""The webhook example sells: in whatever order webhook and thank-you page come, TikTok gets one purchase on each channel."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Iterator
from itertools import permutations
from types import ModuleType
from typing import Any

import pytest

from tests.contrib.shared import NAVIGATION, inline_events
from tests.contrib.shared import _taken as taken
from tests.core.core_world import GOOD_TTP

PERSON = {**NAVIGATION, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    taken.clear()
    for name, value in {
        "TIKTOK_PIXEL_ID": "C0000000000000000000",
        "TIKTOK_ACCESS_TOKEN": "token",
        "TIKTOK_OUTBOX": "memory://",
        "TIKTOK_SINK": "import:tests.contrib.shared:make_sink",
        "TIKTOK_TRUSTED_PROXIES": "1",
        "PAYMENT_SECRET": "whsec_of_the_tests",
    }.items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module("examples.payment_webhook")
    yield module
    module.client.close(0)
    del sys.modules["examples.payment_webhook"]


class Shop:
    """One order's way through the example."""

    def __init__(self, example: ModuleType) -> None:
        self.example = example
        self.http = example.app.test_client()
        self.copies: list[list[Any]] = []
        self.http.set_cookie("_ttp", GOOD_TTP)
        headers = {**PERSON, "X-Forwarded-For": "9.9.9.9"}
        answer = self.http.post(
            "/checkout/A-1?ttclid=E.C.P.1", data={"email": "ada@example.com"}, headers=headers, buffered=True
        )
        self.payment = answer.get_json()

    def webhook(self, *, age_s: int = 0, signature: str = "", **changes: Any) -> int:
        now_s = int(time.time())
        event = {"type": "payment_intent.succeeded", "created": now_s, "data": {"object": self.payment}, **changes}
        body = json.dumps(event).encode()
        at_s = now_s - age_s
        header = signature or f"t={at_s},v1={'0' * 64},v1={self.example.signature(body, at_s)},v0=test"
        # The provider's own address and name, which are nobody's.
        headers = {"Stripe-Signature": header, "User-Agent": "Stripe/1.0", "X-Forwarded-For": "3.18.12.63"}
        answer = self.http.post("/webhook", data=body, headers=headers, content_type="application/json", buffered=True)
        return int(answer.status_code)

    def thanks(self) -> int:
        answer = self.http.get("/thanks/A-1", headers=PERSON, buffered=True)
        self.copies += inline_events(answer.text)
        return int(answer.status_code)

    @property
    def server(self) -> list[Any]:
        assert self.example.client.flush(20)
        return [json.loads(record.body) for record in taken]


@pytest.mark.parametrize("order", sorted(set(permutations(["webhook", "webhook", "thanks", "thanks"]))))
def test_one_order_is_one_purchase_on_each_channel(example: ModuleType, order: tuple[str, ...]) -> None:
    shop = Shop(example)
    for step in order:
        assert getattr(shop, step)() < 300
    [server], [copy] = shop.server, shop.copies
    assert (copy[0], copy[2]) == (server["event"], server["event_id"])
    assert copy[1]["value"] == server["properties"]["value"] == 59.9


def test_the_webhooks_purchase_is_the_visitors(example: ModuleType) -> None:
    shop = Shop(example)
    assert len(shop.payment["metadata"]["tiktok"]) <= 500
    assert shop.webhook() == 204
    [server] = shop.server
    user = server["user"]
    assert (user["ttclid"], user["ttp"], user["ip"]) == ("E.C.P.1", GOOD_TTP, "9.9.9.9")
    assert len(user["email"]) == 64
    assert "Stripe" not in json.dumps(server)


@pytest.mark.parametrize("signature", ["t=1,v1=00", "nonsense", "t=x,v1=", "v1=", ",=,", "t=1,t=2,v1=é"])
def test_a_webhook_that_nobody_signed_is_refused(example: ModuleType, signature: str) -> None:
    shop = Shop(example)
    assert shop.webhook(signature=signature) == 400
    assert shop.webhook(age_s=301) == 400
    assert shop.server == []


def test_other_news_of_the_provider_count_nothing(example: ModuleType) -> None:
    shop = Shop(example)
    assert shop.webhook(type="payment_intent.created") == 204
    assert shop.server == []


def test_a_snapshot_that_was_tampered_with_is_nobody(example: ModuleType) -> None:
    shop = Shop(example)
    shop.payment["metadata"]["tiktok"] += "x"
    assert shop.webhook() == 204
    assert shop.server == []
    assert example.client.stats()["counts"]["snapshot_forged"] == 2
