"""Delivery of events: the outbox that stores them and the sender that posts them to TikTok."""

from typing import Any

from tiktok_middleware._moved import move, moved_name

move(f"{__name__}.courier", {"Courier": "tiktok_middleware.sinks:BatchWorker"})

_HOMES = {
    "Delivery": "tiktok_middleware.delivery.delivery",
    "DeliveryOptions": "tiktok_middleware.delivery.options",
    "open_delivery": "tiktok_middleware.delivery.delivery",
}


def __getattr__(name: str) -> Any:
    return moved_name(__name__, name, _HOMES)
