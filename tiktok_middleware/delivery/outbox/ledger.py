"""Ledger of an outbox: delivered and abandoned events, without the visitors' identity."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tiktok_middleware.core.events.event import PAGE_VIEW
from tiktok_middleware.delivery.outbox.base import LeasedRecord

__all__ = ["DELIVERED", "LedgerEntry", "ledger_entries"]

DELIVERED = "delivered"
"""Reason code of an event that TikTok has accepted."""

_MAX_ORDER_CHARS = 128
_MAX_CURRENCY_CHARS = 8


class LedgerEntry(msgspec.Struct, frozen=True, gc=False):
    """One server copy of an event, with its outcome.

    Attributes:
        environment: name of the environment.
        pixel: TikTok's ``event_source_id``.
        source: TikTok's ``event_source``.
        event: name of the event.
        event_id: id of the event.
        order_id: its order, or empty.
        value: its value, or None.
        currency: currency of the value, or empty.
        channels: ``server``, or ``browser+server`` if a browser copy was handed out too.
        reason: ``delivered``, or why it was abandoned: ``rejected`` or ``expired``.
        request_id: TikTok's id of the request, or empty.
        event_time: time of the event, in Unix seconds.
        at: when it was delivered or abandoned, in Unix seconds.
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
    """Return the ledger entries of rows. Page views get none, because they have no order and no value.

    Args:
        environment: name of the environment.
        rows: delivered or abandoned rows.
        reason: why they leave the outbox.
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
    """Return the order, value and currency of an item; properties that a team adds may have any type."""
    try:
        found = _decode(body).properties or _NOTHING
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = _of_any_type(body)
    order_id = "" if found.order_id is None else str(found.order_id)[:_MAX_ORDER_CHARS]
    return order_id, found.value, (found.currency or "")[:_MAX_CURRENCY_CHARS]


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
