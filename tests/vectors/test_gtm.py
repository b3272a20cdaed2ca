"""What TikTok's own tag manager templates accept is accepted here, and the same stands on both channels."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.core.core_world import DOORS, MakeRequest, runtime_of
from tests.vectors.gtm import VECTORS, Vector
from tiktok_middleware.core.events.event import browser_properties
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_event import make_entry
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.sandbox.check import check_item

NOW = 1_760_000_000


def sent(vector: Vector, make: MakeRequest) -> tuple[Any, dict[str, Any]]:
    """The event as the browser gets it, and the server's copy."""
    address = urlsplit(vector.url)
    headers = {"user-agent": "Mozilla/5.0", "cookie": vector.cookies, "referer": vector.referrer}
    target = f"{address.path}?{address.query}" if address.query else address.path
    state = RequestState(make(target, {name: value for name, value in headers.items() if value}), runtime_of())
    tracker = Tracker(state)
    tracker.identify(**vector.user)
    event = tracker.track(vector.event, vector.properties)
    (record,) = make_entry(event, state, browser=True, server=True).records
    return event, json.loads(record.body)


def test_there_are_at_least_sixty() -> None:
    assert len(VECTORS) >= 60
    assert len({vector.id for vector in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("make", DOORS)
@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
def test_what_tiktoks_own_tags_take_is_sent(vector: Vector, make: MakeRequest) -> None:
    event, item = sent(vector, make)
    assert (event.event, item["event"]) == (vector.name, vector.name)
    assert event.event_id == item["event_id"]
    assert browser_properties(event) == item["properties"]
    properties = item["properties"]
    assert {key: properties.get(key) for key in vector.sent} == vector.sent
    assert not properties.keys() & set(vector.absent)
    user = item["user"]
    assert {key: user.get(key) for key in vector.sent_user} == vector.sent_user
    assert [problem.path for problem in check_item(item, source="web", now=NOW) if problem.refuses] == []
