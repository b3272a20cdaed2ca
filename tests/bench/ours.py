"""The client under measurement: everything switched on, an outbox on disk, a loopback address for TikTok's."""

from __future__ import annotations

from typing import Any

from tiktok_middleware import Client, Config
from tiktok_middleware.core.tracking.current import KEY

__all__ = ["PIXEL", "TOKEN", "make_client", "track_in"]

PIXEL = "C4BENCHBENCHBENCH000"
TOKEN = "not-a-token"
_CONTENTS = [{"content_id": "MUG-350", "content_name": "Morning mug", "price": 24.5, "quantity": 1}]


def make_client(outbox: str, api_url: str) -> Client:
    """A client with pixel, token and this outbox."""
    return Client(
        Config(pixel_id=PIXEL, access_token=TOKEN, outbox=outbox, api_url=api_url, secret_key="0123456789abcdef" * 2)
    )


def track_in(raw: Any) -> None:
    """What the view of the tracked page does, where there is a tracker."""
    tracker = raw.get(KEY)
    if tracker is not None:
        tracker.track("ViewContent", value=24.5, currency="EUR", contents=_CONTENTS)
