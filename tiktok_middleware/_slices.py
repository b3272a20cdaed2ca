"""Process a large compressed piece of a body in slices, so that the event loop can run other tasks in between.

A body may be split anywhere: slices give the same bytes as the whole piece.
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

#: Typical HTML is about ten times as long after decompression; gzip can hold up to a thousand times its size.
SLICE_BYTES = 2_048
_HOLD_S = 0.01  # half the time of a slow slice


async def received_in_slices(exchange: Exchange, client: Client, piece: bytes, *, last: bool) -> Forward | None:
    """Pass a piece to the exchange in slices, and return what leaves; None if all of it is held.

    Args:
        exchange: exchange of the response, whose body is compressed.
        client: stores the events that the exchange commits.
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
        elif step is PASS or exchange.phase is Phase.DONE:  # passed, or our code has failed with nothing held
            leaving.append(part)
            has_step = True
        if time.perf_counter() - since > _HOLD_S:
            await pause()
            since = time.perf_counter()
    return Forward(headers, b"".join(leaving)) if has_step else None
