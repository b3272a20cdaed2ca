"""What the core asks of the code around it: to report what happens, and to write drafts of events."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Notices"]


class Notices(Protocol):
    """Receives what the core has to report: counts, log lines and errors."""

    def count(self, reason: str) -> None:
        """Count one more occurrence of a reason code, a snake_case word."""

    def tracked_under(self, consent: str) -> None:
        """Count one more event of a visitor with this consent: ``granted``, or the reason code of any other."""

    def tracked_in(self, app: str) -> None:
        """Count one more event that was tracked in the built-in browser of this app."""

    def left_out_bot(self, pattern: str) -> None:
        """Count one more server copy that was left out because the user agent matches this pattern of bots."""

    def once(self, cause: str, message: str) -> None:
        """Log a message once per cause."""

    def detail(self, message: str) -> None:
        """Log a message for somebody who looks for one event."""

    def failure(self, part: str, error: BaseException) -> None:
        """Report an error of the middleware itself that was kept away from the app."""
