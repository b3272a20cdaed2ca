"""How long a call takes, measured so that other work on the machine does not matter."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["least_s"]


def least_s(call: Callable[[], object], enough_s: float) -> float:
    """Return the least processor time of up to five calls, in seconds; one that stays below ``enough_s`` is the last."""
    least = float("inf")
    for _ in range(5):
        began = time.thread_time()
        call()
        least = min(least, time.thread_time() - began)
        if least < enough_s:
            break
    return least
