"""What only a real server shows: closed connections, and answers that never come."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.serving import serving
from tiktok_middleware.sandbox import create_app

pytestmark = pytest.mark.servers

TRACK = "/open_api/v1.3/event/track/"


@pytest.fixture
def sandbox() -> Iterator[httpx.Client]:
    with (
        serving(create_app(pixel_delay_ms=0)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client,
    ):
        yield client


def test_a_dropped_call_ends_without_an_answer(sandbox: httpx.Client) -> None:
    sandbox.post("/sandbox/settings", json={"api_mode": "drop"})
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.post(TRACK, json={}, headers={"access-token": "t"})
    (entry,) = sandbox.get("/sandbox/requests").json()
    assert (entry["status"], entry["code"], entry["message"]) == (0, None, "switched to drop")


def test_a_hanging_call_lasts_until_the_caller_gives_up(sandbox: httpx.Client) -> None:
    sandbox.post("/sandbox/settings", json={"api_mode": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        sandbox.post(TRACK, json={}, headers={"access-token": "t"}, timeout=0.3)
    for _ in range(100):
        entries = sandbox.get("/sandbox/requests").json()
        if entries:
            break
        time.sleep(0.02)
    assert [entry["message"] for entry in entries] == ["switched to hang"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/i18n/pixel/events.js"), ("POST", "/api/v2/pixel")])
def test_a_blocked_pixel_ends_without_an_answer(sandbox: httpx.Client, method: str, path: str) -> None:
    sandbox.post("/sandbox/settings", json={"pixel_mode": "blocked"})
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.request(method, path)
