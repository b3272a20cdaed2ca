"""The ledger of an outbox: which events were delivered or given up, without whom they were about."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tiktok_middleware.core.events.event import PAGE_VIEW
from tiktok_middleware.delivery.outbox.base import LeasedRecord

__all__ = ["DELIVERED", "LedgerEntry", "ledger_entries"]

DELIVERED = "delivered"
"""The reason code of an event that TikTok has accepted."""

_MAX_ORDER_CHARS = 128
_MAX_CURRENCY_CHARS = 8


class LedgerEntry(msgspec.Struct, frozen=True, gc=False):
    """One server copy of an event and what became of it.

    Attributes:
        environment: the name of the environment.
        pixel: TikTok's ``event_source_id``.
        source: TikTok's ``event_source``.
        event: name of the event.
        event_id: its id.
        order_id: the order that it names, or empty.
        value: its value, or None.
        currency: the currency of the value, or empty.
        channels: ``server``, or ``browser+server`` where a browser copy was handed out too.
        reason: ``delivered``, or why it was given up: ``rejected``, ``expired``, ``cancelled``.
        request_id: TikTok's id of the request, or empty.
        event_time: Unix seconds.
        at: when it was delivered or given up, Unix seconds.
    """

    environment: str
    pixel: str
    source: str
    event: str
    event_id: str
    order_id: str
    value: float | None
    currency: str
    channels: str
    reason: str
    request_id: str
    event_time: int
    at: float


class _Properties(msgspec.Struct, gc=False):
    value: float | None = None
    currency: str | None = None
    order_id: str | int | None = None


class _Item(msgspec.Struct, gc=False):
    properties: _Properties | None = None


_NOTHING = _Properties()
_decode = msgspec.json.Decoder(_Item).decode


def ledger_entries(
    environment: str, rows: Sequence[LeasedRecord], reason: str, request_id: str, at: float
) -> list[LedgerEntry]:
    """The entries of rows; page views have none, because they name no order and no value.

    Args:
        environment: the name of the environment.
        rows: what was delivered or given up.
        reason: why they are gone.
        request_id: TikTok's id of the request, or empty.
        at: Unix seconds.
    """
    found: list[LedgerEntry] = []
    for row in rows:
        record = row.record
        if record.event == PAGE_VIEW:
            continue
        order_id, value, currency = _told(record.body)
        channels = "browser+server" if record.paired else "server"
        found.append(
            LedgerEntry(
                environment,
                record.pixel,
                record.source,
                record.event,
                record.event_id,
                order_id,
                value,
                currency,
                channels,
                reason,
                request_id,
                record.event_time,
                at,
            )
        )
    return found


def _told(body: bytes) -> tuple[str, float | None, str]:
    """The order, the value and the currency that an item names; a team's own property may hold anything."""
    try:
        found = _decode(body).properties or _NOTHING
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = _of_any_type(body)
    order_id = "" if found.order_id is None else str(found.order_id)[:_MAX_ORDER_CHARS]
    return order_id, found.value, (found.currency or "")[:_MAX_CURRENCY_CHARS]


def _of_any_type(body: bytes) -> _Properties:
    """The properties that are of the right type, of those where one is not."""
    try:
        item = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NOTHING
    given = item.get("properties") if isinstance(item, dict) else None
    given = given if isinstance(given, dict) else {}
    value, currency, order_id = (given.get(name) for name in ("value", "currency", "order_id"))
    return _Properties(
        value=float(value) if isinstance(value, (int, float)) else None,
        currency=currency if isinstance(currency, str) else None,
        order_id=order_id if isinstance(order_id, (str, int)) else None,
    )
