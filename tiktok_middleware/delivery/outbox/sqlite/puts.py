"""The last put of each writer, packed into one value of an outbox file, so that a repeated put changes nothing.

The value is in a row that every put writes anyway, so it costs no further page.
"""

from __future__ import annotations

from collections.abc import Sequence

from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.delivery.outbox.base import claim_of

__all__ = ["find_put", "with_put"]

_WRITER_BYTES = 8
_ID_BYTES = 16
_HEAD_BYTES = 18  # the id and the number of claims; the claims follow, one byte each
_MAX_BYTES = 3500  # fits into one page of the file; above that, the writers with the oldest puts are removed


def find_put(puts: bytes, put_id: bytes) -> list[Claim] | None:
    """Return the claims of a put; None if it is not its writer's last put."""
    if put_id not in puts:  # nearly always
        return None
    start, end = _place(puts, put_id)
    if puts[start : start + _ID_BYTES] != put_id:
        return None
    return [claim_of(bool(byte & 1), bool(byte & 2)) for byte in puts[start + _HEAD_BYTES : end]]


def with_put(puts: bytes, put_id: bytes, claims: Sequence[Claim]) -> bytes:
    """Return the value with a new put in front and without its writer's earlier put."""
    start, end = _place(puts, put_id)
    won = bytes([claim.browser + 2 * claim.server for claim in claims])
    before = puts[:start] if start else b""
    found = b"".join((put_id, len(won).to_bytes(2, "big"), won, before, puts[end:]))
    return found if len(found) <= _MAX_BYTES else _cut(found)


def _place(puts: bytes, put_id: bytes) -> tuple[int, int]:
    """Return start and end of the same writer's put; the end of the value twice if there is none."""
    writer, start, size = put_id[:_WRITER_BYTES], 0, len(puts)
    while start < size:
        end = start + _HEAD_BYTES + int.from_bytes(puts[start + _ID_BYTES : start + _HEAD_BYTES], "big")
        if puts.startswith(writer, start):
            return start, end
        start = end
    return size, size


def _cut(puts: bytes) -> bytes:
    """Return as many of the first puts as fit into `_MAX_BYTES`."""
    end = 0
    while (after := end + _HEAD_BYTES + int.from_bytes(puts[end + _ID_BYTES : end + _HEAD_BYTES], "big")) <= _MAX_BYTES:
        end = after
    return puts[:end]
