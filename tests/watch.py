"""Hears what the package counts and which of its own errors it swallows."""

from __future__ import annotations

from tiktok_middleware.reasons import COUNTERS, reason_of

__all__ = ["Watch"]


class Watch:
    """Collects the errors that the guard swallowed, and the counters that have no reason."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def counted(self, reason: str) -> None:
        if reason not in COUNTERS and reason_of(reason) is None:
            self.errors.append(AssertionError(f"{reason} is not in tiktok_middleware.reasons"))

    def failed(self, error: BaseException) -> None:
        self.errors.append(error)
