"""Random bytes for ids, read from the system in larger amounts."""

from __future__ import annotations

import os
from collections import deque

__all__ = ["random_bytes"]

_BLOCK_BYTES = 16
_BLOCKS = 128

_blocks: deque[bytes] = deque()
_process = os.getpid()


def random_bytes(count: int) -> bytes:
    """Return so many random bytes from the system's secure source.

    Each read from the system lets other threads of the process run first, so that under load each id would make its
    request wait. Here one read serves many ids. No byte is used twice, in no thread and in no child process.
    """
    global _blocks, _process
    if count > _BLOCK_BYTES:
        return os.urandom(count)
    if _process != os.getpid():  # after a fork the parent has the same blocks
        _blocks, _process = deque(), os.getpid()
    try:
        block = _blocks.popleft()
    except IndexError:
        fresh = os.urandom(_BLOCK_BYTES * _BLOCKS)
        block, *others = (fresh[at : at + _BLOCK_BYTES] for at in range(0, len(fresh), _BLOCK_BYTES))
        _blocks.extend(others)
    return block[:count]
