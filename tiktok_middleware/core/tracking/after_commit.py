"""Hold an event until the app's transaction commits; count it if the transaction is rolled back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktok_middleware.core.runtime import Notices
    from tiktok_middleware.core.tracking.request_state import TrackedEvent

__all__ = ["AfterCommit"]


class AfterCommit:
    """After-commit hook for one event. A rollback discards the hook without calling it, which is counted.

    Args:
        pending: the event.
        release: takes the event once the transaction has committed.
        notices: counts a rollback, as ``rolled_back``.
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
