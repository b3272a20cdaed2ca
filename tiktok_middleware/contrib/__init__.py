"""Integrations, one framework per file. No other part of the package imports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["HasTikTok"]


class HasTikTok(Protocol):
    """Type of a request with ``request.tiktok``, of any framework, for functions that several views share::

    def track_signup(request: HasTikTok) -> None:
        request.tiktok.track("CompleteRegistration")
    """

    @property
    def tiktok(self) -> Tracker:
        """Return the tracker of this request."""
        ...
