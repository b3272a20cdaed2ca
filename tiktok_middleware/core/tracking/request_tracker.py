"""Tracker of a request. It reads the request only when the app or the response needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import RequestView, UnreadableRequest
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["RequestTracker"]

#: Makes a request view of a raw scope or environ, the trusted proxies and the headers.
ReadRequest = Callable[[MutableMapping[str, Any], Proxies, Any], RequestView]


class RequestTracker(Tracker):
    """Tracker of a request, which reads the request on first use.

    Args:
        raw: a copy of the ASGI scope or WSGI environ. Routers write into the original, and the original holds this
            tracker: a reference to it would be a cycle.
        headers: headers of the request, by the names of its protocol.
        runtime: the configuration.
        read: makes the request view.

    Attributes:
        late: takes events that are tracked after the response has ended; None until then.
    """

    __slots__ = ("headers", "late", "raw", "read")

    def __init__(
        self, raw: MutableMapping[str, Any], headers: Mapping[Any, Any], runtime: Runtime, read: ReadRequest
    ) -> None:
        self.raw: MutableMapping[str, Any] = raw
        self.headers: Mapping[Any, Any] = headers
        self.runtime = runtime
        self.read: ReadRequest = read
        self.said: RequestState | None = None
        self.late: Callable[[RequestState, TrackedEvent], None] | None = None

    def _new_state(self) -> RequestState:
        runtime = self.runtime
        try:
            state = RequestState(self.read(self.raw, runtime.proxies, self.headers), runtime)
        except Exception as error:  # noqa: BLE001  # our failures never reach the view
            runtime.notices.failure("request", error)
            state = RequestState(UnreadableRequest(self.raw, runtime.proxies), runtime)
            state.refusal = "unreadable_request"
            state.is_disabled = True
        state.late = self.late
        return state

    @property
    def has_ended(self) -> bool:
        """Whether the response has ended."""
        return self.late is not None

    def end(self, late: Callable[[RequestState, TrackedEvent], None]) -> RequestState | None:
        """Mark the response as ended.

        Args:
            late: takes events that are tracked from now on.

        Return the state if events have not left yet, else None.
        """
        self.late = late
        said = self.said
        if said is None:
            return None
        said.late = late
        return said if said.pending else None
