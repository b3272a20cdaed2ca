"""Work through a large compressed piece of a body in slices, and let the event loop do other work between them.

A body may be cut anywhere, so that slices give the same bytes as the whole piece.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase
from tiktok_middleware.delivery.process.event_loop import pause

if TYPE_CHECKING:
    from tiktok_middleware.client import Client
    from tiktok_middleware.core.response.exchange import Exchange

__all__ = ["SLICE_BYTES", "received_in_slices"]

#: Compressed, HTML is some ten times shorter; the worst that gzip can hold is a thousand times as long.
SLICE_BYTES = 2_048
_HOLD_S = 0.01  # half of what a slow slice takes


async def received_in_slices(exchange: Exchange, client: Client, piece: bytes, *, last: bool) -> Forward | None:
    """Return what leaves once the exchange has received the piece; None where all of it is held.

    Args:
        exchange: of the response, whose body is compressed.
        client: carries out what the exchange wants stored.
        piece: the next bytes of the body.
        last: True when no more follow.
    """
    headers, leaving, has_step = None, [], False
    since = time.perf_counter()
    for start in range(0, len(piece), SLICE_BYTES):
        part = piece[start : start + SLICE_BYTES]
        is_last = last and start + SLICE_BYTES >= len(piece)
        step = exchange.body_received(part, last=is_last)
        if isinstance(step, Commit):
            step = await client.carry_out_async(exchange, step)
        if isinstance(step, Forward):
            headers = headers if step.headers is None else step.headers
            leaving.append(step.body)
            has_step = True
        elif step is PASS or exchange.phase is Phase.DONE:  # passed on, or we have failed with nothing held
            leaving.append(part)
            has_step = True
        if time.perf_counter() - since > _HOLD_S:
            await pause()
            since = time.perf_counter()
    return Forward(headers, b"".join(leaving)) if has_step else None
