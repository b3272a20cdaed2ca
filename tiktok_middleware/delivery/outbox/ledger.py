"""Ledger of an outbox: delivered and abandoned events, without the visitors' identity."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tiktok_middleware.core.events.event import PAGE_VIEW
from tiktok_middleware.delivery.outbox.base import LeasedRecord

__all__ = ["DELIVERED", "SHARED_FIELDS", "LedgerEntry", "ledger_entries"]

DELIVERED = "delivered"
"""Reason code of an event that TikTok has accepted."""

_MAX_ORDER_CHARS = 128
_MAX_CURRENCY_CHARS = 8


class LedgerEntry(msgspec.Struct, frozen=True, gc=False):
    """One server copy of an event, with its outcome. Entries that are made together share the first five fields.

    Attributes:
        environment: name of the environment.
        pixel: TikTok's ``event_source_id``.
        reason: ``delivered``, or why it was abandoned: ``rejected`` or ``expired``.
        request_id: TikTok's id of the request, or empty.
        at: when it was delivered or abandoned, in Unix seconds.
        source: TikTok's ``event_source``.
        event: name of the event.
        event_id: id of the event.
        order_id: its order, or empty.
        value: its value, or None.
        currency: currency of the value, or empty.
        channels: ``server``, or ``browser+server`` if a browser copy was handed out too.
        event_time: time of the event, in Unix seconds.
    """

    environment: str
    pixel: str
    reason: str
    request_id: str
    at: float
    source: str
    event: str
    event_id: str
    order_id: str
    value: float | None
    currency: str
    channels: str
    event_time: int


SHARED_FIELDS = 5
"""How many of the first fields have the same value in all entries that are made together."""


class _Properties(msgspec.Struct, gc=False):
    value: float | None = None
    currency: str | None = None
    order_id: str | int | None = None


class _Item(msgspec.Struct, gc=False):
    properties: _Properties | None = None


_NOTHING = _Properties()
_decode_all = msgspec.json.Decoder(list[_Item]).decode


def ledger_entries(
    environment: str, rows: Sequence[LeasedRecord], reason: str, request_id: str, at: float
) -> list[LedgerEntry]:
    """Return the ledger entries of rows. Page views get none, because they have no order and no value.

    Args:
        environment: name of the environment.
        rows: delivered or abandoned rows of one pixel.
        reason: why they leave the outbox.
        request_id: TikTok's id of the request, or empty.
        at: Unix seconds.
    """
    records = [row.record for row in rows if row.record.event != PAGE_VIEW]
    return [
        LedgerEntry(
            environment,
            record.pixel,
            reason,
            request_id,
            at,
            record.source,
            record.event,
            record.event_id,
            "" if order.order_id is None else str(order.order_id)[:_MAX_ORDER_CHARS],
            order.value,
            (order.currency or "")[:_MAX_CURRENCY_CHARS],
            "browser+server" if record.paired else "server",
            record.event_time,
        )
        for record, order in zip(records, _orders([record.body for record in records]), strict=True)
    ]


def _orders(bodies: Sequence[bytes]) -> list[_Properties]:
    """Return the order, value and currency of each item; properties that a team adds may have any type."""
    try:
        found = [item.properties or _NOTHING for item in _decode_all(b"[%b]" % b",".join(bodies))]
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = []
    return found if len(found) == len(bodies) else [_of_any_type(body) for body in bodies]


def _of_any_type(body: bytes) -> _Properties:
    """Return those properties that have the right type, for an item where some have not."""
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
