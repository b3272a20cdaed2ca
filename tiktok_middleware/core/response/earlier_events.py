"""Events of earlier responses, which the browser brings back in redirect cookies."""

from __future__ import annotations

from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.redirect_cookie import (
    CARRY,
    SEALED,
    RedirectEvents,
    RedirectToken,
    carry_names,
    read_carry,
    read_sealed,
)
from tiktok_middleware.core.response.routed_event import Route, RoutedEvent
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.opened_event import opened_event
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.errors import TokenError

__all__ = ["EarlierEvents"]

_DENIED = State.DENIED


class EarlierEvents:
    """Events of earlier responses, each cookie read once.

    Args:
        request: the request.
        runtime: the configuration.
        state: state of the request.
        is_seen: whether one visitor sees the response now. Otherwise no events are read.

    Attributes:
        has_opened: whether sealed events have been opened, so that their cookie is deleted.
    """

    __slots__ = ("_carried", "_is_seen", "_request", "_runtime", "_sealed", "_state", "has_opened")

    def __init__(self, request: RequestView, runtime: Runtime, state: RequestState, *, is_seen: bool) -> None:
        self._request = request
        self._runtime = runtime
        self._state = state
        self._is_seen = is_seen
        self._carried: RedirectEvents | None = None
        self._sealed: RedirectToken | None = None
        self.has_opened = False

    @property
    def may_use(self) -> bool:
        """Whether this response may pass on events of earlier ones: its visitor sees it now and has agreed."""
        return self._is_seen and self._state.consent.is_granted

    @property
    def are_any(self) -> bool:
        """Whether there are events or references of earlier responses."""
        if not (self._request.cookies_hold(CARRY) or self._state.returned):
            return False
        return bool(self.carried.names) or any(self.sealed)

    @property
    def carried(self) -> RedirectEvents:
        """The contents of redirect cookies with browser copies, if this response may use them."""
        if self._carried is None:
            self._carried = RedirectEvents()
            if self._request.cookies_hold(CARRY) and self.may_use:
                self._carried = read_carry(self._request, self._runtime.signer)
                for fault in self._carried.faults:
                    self._runtime.notices.count(f"carry_{fault}")
        return self._carried

    @property
    def carried_chars(self) -> int:
        """Length of the redirect cookies, in characters."""
        return sum(len(name) + len(self._request.kept[name]) + 1 for name in carry_names(self._request))

    @property
    def sealed(self) -> RedirectToken:
        """The sealed events. Empty if the visitor has refused; each sealed event is then counted under that reason.

        Also empty if the response is shared, or if no person sees it now, such as a prefetch.
        """
        if self._sealed is None:
            self._sealed = self._read_sealed() if self._is_seen else RedirectToken()
            if self._state.consent.state is _DENIED:
                for _ in (*self._sealed.signed_events, *self._sealed.references):
                    self._runtime.notices.count(self._state.consent.reason)
                self._sealed = RedirectToken()
        return self._sealed

    def _read_sealed(self) -> RedirectToken:
        runtime = self._runtime
        if SEALED in self._request.kept:
            try:
                return read_sealed(self._request, runtime.signer, runtime.pixels, runtime.clock())
            except TokenError as error:
                runtime.notices.count(f"carry_{error.reason}")
        return self._state.returned or RedirectToken()

    def opened(self, route: Route) -> list[RoutedEvent]:
        """Return the sealed events with their route, now that the visitor has agreed; only once."""
        if self.has_opened or not self._is_seen:
            return []
        sealed, chosen = self.sealed, []
        if not self.may_use:
            return []
        for signed_event in sealed.signed_events:
            if (happened := opened_event(self._state, signed_event, signed_event.event_id)) is not None:
                event, visitor = happened
                has_server = not (self._runtime.server_reason or visitor.is_bot)
                chosen.append(RoutedEvent(event, route, has_server, visitor=visitor))
        self.has_opened = SEALED in self._request.kept or self._state.returned is not None
        return chosen
