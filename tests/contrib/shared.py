"""What the framework tests share: a client whose sink keeps what it is given, and a look into pages."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tiktok_middleware import Client, Config
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.delivery.delivery import DeliveryOptions

PIXEL = "C0000000000000000000"
PAGE = "<!doctype html><html><head><title>Shop</title></head><body>Hello</body></html>"
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}

_taken: list[Record] = []


class KeepingSink:
    """Takes everything and keeps it."""

    def send(self, batch: Sequence[Record]) -> list[Verdict]:
        _taken.extend(batch)
        return [Delivered()] * len(batch)

    def close(self) -> None:
        pass


def make_sink(_options: DeliveryOptions) -> KeepingSink:
    return KeepingSink()


def make_client(**options: Any) -> Client:
    """A client whose server copies end in this process."""
    _taken.clear()
    defaults = {"pixel_id": PIXEL, "access_token": "token-of-the-tests", "outbox": "memory://", "strict": True}
    return Client(Config(**{**defaults, "sink": "import:tests.contrib.shared:make_sink", **options}))


def sent(client: Client) -> list[dict[str, Any]]:
    """The server copies so far, as TikTok would get them."""
    assert client.flush(20)
    return [msgspec.json.decode(record.body) for record in _taken]


def inline_events(html: str) -> list[list[Any]]:
    """The events that a page's script fires: ``[name, properties, event_id]`` each."""
    found = re.search(r"\}\)\(window,document,(\{.*?\})\);</script>", html, re.DOTALL)
    assert found, "the page carries no snippet"
    events: list[list[Any]] = json.loads(found[1]).get("e", [])
    return events


def assert_page_of_a_refusal(client: Client, html: str) -> None:
    """Check that a page is ``PAGE`` with our script for a later grant, and has nothing of TikTok's."""
    script = client.runtime.snippet.refused("").decode("ascii")
    before, found, after = html.partition(script)
    assert (before + after, found) == (PAGE, script)
    for word in (PIXEL, "tiktok.com", "ttq", "ttclid", "_ttp"):
        assert word not in html


def is_pair(browser: Sequence[Any], server: dict[str, Any]) -> bool:
    """Whether the two copies are TikTok's idea of one event."""
    return (browser[0], browser[1], browser[2]) == (server["event"], server["properties"], server["event_id"])
