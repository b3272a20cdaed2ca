"""Encode requests of TikTok's Events API 2.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tiktok_middleware.core.events.event import Event

__all__ = ["MAX_REQUEST_BYTES", "MAX_REQUEST_EVENTS", "encode_item", "encode_request"]

MAX_REQUEST_EVENTS = 1000
"""Maximum number of events. TikTok rejects the whole request if it holds more."""

MAX_REQUEST_BYTES = 1_000_000
"""Maximum size in bytes. TikTok documents no limit; this one is conservative."""

_encode = msgspec.json.Encoder().encode


def encode_item(
    event: Event,
    *,
    user: Mapping[str, object],
    page: Mapping[str, str] | None,
    limited_data_use: bool | None,
    lead: Mapping[str, str] | None = None,
) -> bytes:
    """Return one item of TikTok's ``data`` array as UTF-8 JSON with a fixed key order (TikTok, ``/event/track/``).

    Args:
        event: the event; its properties are encoded as they are.
        user: the ``user`` object. None, empty values and empty lists are left out, because TikTok forbids empty hashes.
        page: ``url`` and ``referrer``, or None for a source without pages.
        limited_data_use: the same flag as in the browser copy, or None for a source without the flag.
        lead: ``lead_id``, TikTok's id of the lead, and ``lead_event_source``, the CRM system's name, for ``crm``.
    """
    item: dict[str, object] = {
        "event": event.event,
        "event_time": event.event_time,
        "event_id": event.event_id,
        "user": {key: said for key, value in user.items() if value and (said := _said(value))},
    }
    if page:
        item["page"] = {key: value for key, value in page.items() if value}
    item["properties"] = event.properties
    if limited_data_use is not None:
        item["limited_data_use"] = limited_data_use
    known = {key: value for key, value in lead.items() if value} if lead else {}
    if known:
        item["lead"] = known
    # The encoder's result may keep a much larger buffer alive. Copy it, because the item may wait in memory.
    return bytes(memoryview(_encode(item)))


def _said(value: object) -> object:
    """Return the value; a list without its empty entries."""
    return [entry for entry in value if entry] if isinstance(value, (list, tuple)) else value


def encode_request(pixel: str, source: str, bodies: Sequence[bytes], test_event_code: str | None) -> bytes:
    """Return the body of one POST: the encoded items, joined under one ``event_source_id``.

    Args:
        pixel: TikTok's ``event_source_id``.
        source: TikTok's ``event_source``.
        bodies: 1 to 1,000 results of `encode_item`.
        test_event_code: code that shows the events under Test Events; TikTok expects it at the root, beside ``data``.
    """
    head: dict[str, str] = {"event_source": source, "event_source_id": pixel}
    if test_event_code:
        head["test_event_code"] = test_event_code
    return b"".join((_encode(head)[:-1], b',"data":[', b",".join(bodies), b"]}"))
