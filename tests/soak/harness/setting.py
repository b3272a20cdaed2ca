"""The client that the wrapped apps share, and the run's mode; configured as a customer would, by the environment."""

from __future__ import annotations

import gc
import os
from functools import lru_cache
from typing import Any

from tiktok_middleware import Client
from tiktok_middleware._log import NoticeLog
from tiktok_middleware.core.tracking.current import KEY

from .ledger import Ledger

__all__ = ["IS_BUSY", "LEDGER", "client", "track"]

#: Whether every HTML answer is made a document and every request tracks an event.
IS_BUSY = os.environ.get("SOAK_MODE") == "busy"
LEDGER = Ledger()


@lru_cache(maxsize=1)
def client() -> Client:
    """One per process; what our guard swallows is a fault."""
    original = NoticeLog.failure

    def failure(self: NoticeLog, part: str, error: BaseException) -> None:
        LEDGER.fault(f"swallowed in {part}: {error!r}")
        original(self, part, error)

    NoticeLog.failure = failure  # type: ignore[method-assign]
    return Client.from_env()


def track(raw: Any) -> None:
    """An event, as a view would track it, in a busy run."""
    if IS_BUSY:
        raw[KEY].track("ViewContent", value=1, currency="EUR", content_ids=["soak"])
        LEDGER.counts["events"] += 1


def close() -> None:
    """Deliver what is left and write the report."""
    gc.collect()  # a response that was never closed is judged when it goes
    if client.cache_info().currsize:
        client().flush()
        LEDGER.counts.update({f"stats_{name}": int(value) for name, value in _numbers(client().stats())})
        client().close()
    LEDGER.write()


def _numbers(stats: Any) -> list[tuple[str, float]]:
    pairs = stats._asdict() if hasattr(stats, "_asdict") else dict(stats)
    return [(name, value) for name, value in pairs.items() if isinstance(value, (int, float))]
