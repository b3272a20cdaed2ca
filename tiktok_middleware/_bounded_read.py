"""Read a request's body with a timeout, so that an unfinished body does not block a synchronous worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["READ_S", "read_within"]

#: How long a report's body may take, in seconds: it is small, and browsers send it at once.
READ_S = 2.0

# Maximum number of concurrent reads. When all are stuck, further reports are rejected at once.
_MOST_READS = 16
# Servers whose body only the request's own thread may read; they have timeouts of their own.
_BOUND_TO_THREAD = ("uwsgi.version", "mod_wsgi.version")

_free = threading.BoundedSemaphore(_MOST_READS)


def read_within(environ: Mapping[str, Any], limit_bytes: int, timeout_s: float = READ_S) -> bytes | None:
    """Return the body up to a limit; None if it does not come in time.

    Args:
        environ: the WSGI environ.
        limit_bytes: maximum number of bytes to read.
        timeout_s: timeout in seconds; after it the read continues in its thread until the connection is closed.
    """
    read: Callable[[int], bytes] = environ["wsgi.input"].read
    if any(key in environ for key in _BOUND_TO_THREAD):
        return _read(read, limit_bytes)
    if not _free.acquire(blocking=False):
        return None
    done: list[bytes] = []

    def work() -> None:
        try:
            done.append(_read(read, limit_bytes))
        finally:
            _free.release()

    thread = threading.Thread(target=work, name="tiktok-report", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the process cannot start another thread
        _free.release()
        return None
    thread.join(timeout_s)
    return done[0] if done else None


def _read(read: Callable[[int], bytes], limit_bytes: int) -> bytes:
    try:
        return bytes(read(limit_bytes))
    except Exception:  # noqa: BLE001  # servers raise their own errors after a disconnect
        return b""
