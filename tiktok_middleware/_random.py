"""Random bytes for ids, read from the system in larger amounts."""

from __future__ import annotations

import os
import time
from collections import deque

__all__ = ["random_bytes"]

_BLOCK_BYTES = 16
_BLOCKS = 128

_LIFE_S = 1.0

_blocks: deque[bytes] = deque()
_read_by = os.getpid()
_read_at = 0.0


def random_bytes(count: int) -> bytes:
    """Return so many random bytes from the system's secure source.

    Each read from the system lets other threads of the process run first, so that under load each id would make its
    request wait. Here one read serves the ids of one second. No byte is used twice, in no thread and in no child
    process. A copy of the process that is started later, such as a restored snapshot, reads its own.
    """
    global _blocks, _read_by, _read_at
    if count > _BLOCK_BYTES:
        return os.urandom(count)
    process, now_s = os.getpid(), time.time()
    if process != _read_by or not 0 <= now_s - _read_at < _LIFE_S:  # after a fork the parent has the same blocks
        _blocks, _read_by, _read_at = deque(), process, now_s
    try:
        block = _blocks.popleft()
    except IndexError:
        fresh = os.urandom(_BLOCK_BYTES * _BLOCKS)
        block, *others = (fresh[at : at + _BLOCK_BYTES] for at in range(0, len(fresh), _BLOCK_BYTES))
        _blocks.extend(others)
    return block[:count]
