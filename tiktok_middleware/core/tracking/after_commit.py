"""An event that waits for the app's transaction: released when it commits, counted when it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktok_middleware.core.runtime import Notices
    from tiktok_middleware.core.tracking.request_state import TrackedEvent

__all__ = ["AfterCommit"]


class AfterCommit:
    """What a database is to call after a commit. A rollback lets go of it without a call, and that is counted.

    Args:
        pending: the event.
        release: takes it once the transaction has committed.
        notices: where a rollback is counted, as ``rolled_back``.
    """

    __slots__ = ("_notices", "_pending", "_release")

    def __init__(self, pending: TrackedEvent, release: Callable[[TrackedEvent], None], notices: Notices) -> None:
        self._pending: TrackedEvent | None = pending
        self._release = release
        self._notices = notices

    def __call__(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            self._release(pending)

    def __del__(self) -> None:
        if self._pending is not None:
            self._notices.count("rolled_back")
