"""What a request costs in calls of our own functions: no clock, so that no busy machine makes it fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

import tiktok_middleware
from tests.bench.asgi_adapter import AsgiDoor
from tests.bench.asgi_adapter import bare as asgi_app
from tests.bench.wsgi_adapter import WsgiDoor
from tests.bench.wsgi_adapter import bare as wsgi_app
from tests.contract.adapters import make_client
from tiktok_middleware import Client
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

OURS = str(Path(tiktok_middleware.__file__).parent)

# A few more than today's. Whoever needs a greater number makes every request of that kind dearer.
MOST = {
    ("asgi", "json"): 12,
    ("asgi", "page"): 40,
    ("asgi", "long"): 40,
    ("asgi", "stream"): 94,
    ("asgi", "landing"): 42,
    ("wsgi", "json"): 10,
    ("wsgi", "page"): 43,
    ("wsgi", "long"): 43,
    ("wsgi", "stream"): 105,
    ("wsgi", "landing"): 46,
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = make_client()
    yield made
    made.close()


def calls_of(door: AsgiDoor | WsgiDoor, scene: str) -> int:
    """How many of our functions, comprehensions included, one request calls."""
    door.many(scene, 3)  # what is read once is read now
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(OURS)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        door.many(scene, 1)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize(("door", "scene"), MOST, ids=map("-".join, MOST))
def test_a_request_calls_no_more_of_our_functions_than_it_did(client: Client, door: str, scene: str) -> None:
    through: AsgiDoor | WsgiDoor
    if door == "asgi":
        through = AsgiDoor(AsgiMiddleware(asgi_app(), client))
    else:
        through = WsgiDoor(WsgiMiddleware(wsgi_app(), client))
    calls = calls_of(through, scene)
    through.close()
    assert 5 < calls <= MOST[door, scene]
