"""The last put of each writer, packed into one value of an outbox file, so that a repeated put changes nothing.

A put writes the row that holds this value anyway, so that remembering it costs no further page.
"""

from __future__ import annotations

from collections.abc import Sequence

from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.delivery.outbox.base import claim_of

__all__ = ["find_put", "with_put"]

_WRITER_BYTES = 8
_ID_BYTES = 16
_HEAD_BYTES = 18  # the id, and how many claims follow, one byte each
_MAX_BYTES = 3500  # stays within one page of the file; of too many writers those that wrote long ago are forgotten


def find_put(puts: bytes, put_id: bytes) -> list[Claim] | None:
    """The claims of a put; None where it is not its writer's last one."""
    start, end = _place(puts, put_id)
    if puts[start : start + _ID_BYTES] != put_id:
        return None
    return [claim_of(bool(byte & 1), bool(byte & 2)) for byte in puts[start + _HEAD_BYTES : end]]


def with_put(puts: bytes, put_id: bytes, claims: Sequence[Claim]) -> bytes:
    """The value with a new put in front, in the place of its writer's earlier one."""
    start, end = _place(puts, put_id)
    won = bytes([claim.browser + 2 * claim.server for claim in claims])
    found = b"".join((put_id, len(won).to_bytes(2, "big"), won, puts[:start], puts[end:]))
    return found if len(found) <= _MAX_BYTES else _cut(found)


def _place(puts: bytes, put_id: bytes) -> tuple[int, int]:
    """Where the put of the same writer begins and ends; twice the end where there is none."""
    writer, start, size = put_id[:_WRITER_BYTES], 0, len(puts)
    while start < size:
        end = start + _HEAD_BYTES + int.from_bytes(puts[start + _ID_BYTES : start + _HEAD_BYTES], "big")
        if puts.startswith(writer, start):
            return start, end
        start = end
    return size, size


def _cut(puts: bytes) -> bytes:
    """As many of the first puts as fit."""
    end = 0
    while (after := end + _HEAD_BYTES + int.from_bytes(puts[end + _ID_BYTES : end + _HEAD_BYTES], "big")) <= _MAX_BYTES:
        end = after
    return puts[:end]
