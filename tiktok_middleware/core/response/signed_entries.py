"""Sealed events as entries of the page's script: name, properties, id and signed event."""

from __future__ import annotations

from tiktok_middleware.core.events.event import PAGE_VIEW, Event, browser_properties, channels_closed
from tiktok_middleware.core.events.ids import timed_event_id
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.pixel.signed_event import (
    SEALED_LIFE_S,
    SignedEvent,
    seal,
    template,
    template_life_s,
    write_signed_event,
)
from tiktok_middleware.core.pixel.snippet import SnippetEntry
from tiktok_middleware.core.response.policy import cache_life_s
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState

__all__ = ["SignedEntries"]


class SignedEntries:
    """Signs the events of one response.

    Args:
        request: the request.
        runtime: the configuration.
        state: state of the request.
        head: parsed head of the response.
        is_shared: whether other visitors may get the same response.
        path: path of the page that its events belong to.
    """

    __slots__ = ("_head", "_is_shared", "_known", "_path", "_request", "_runtime", "_state")

    def __init__(
        self, request: RequestView, runtime: Runtime, state: RequestState, head: Head, *, is_shared: bool, path: str
    ) -> None:
        self._request = request
        self._runtime = runtime
        self._state = state
        self._head = head
        self._is_shared = is_shared
        self._path = path
        self._known: dict[int, tuple[Event, SnippetEntry]] = {}

    def entry(self, event: Event) -> SnippetEntry:
        """Return the entry of an event.

        It is signed once: its size decides the route, and the page gets the same bytes.
        """
        known = self._known.get(id(event))
        if known is None:
            known = self._known[id(event)] = event, self._new_entry(event)  # the event is kept, so that its id() stays
        return known[1]

    def _new_entry(self, event: Event) -> SnippetEntry:
        runtime, now_s = self._runtime, int(self._runtime.clock())
        if self._is_shared:
            expires = now_s + template_life_s(cache_life_s(self._head, now_s))
            limited = runtime.config.limited_data_use
            signed_event = template(event, path=self._request.path, expires=expires, limited_data_use=limited)
        else:
            signed_event = self.signed_event(event)
        token = write_signed_event(signed_event, runtime.signer, runtime.pixels)
        return event.event, browser_properties(event), signed_event.event_id, token

    def page_view(self) -> SnippetEntry:
        """Return the entry of the page's own view."""
        now_s = self._runtime.clock()
        event_id = timed_event_id(now_s, self._runtime.random_bytes(10))
        return self._new_entry(Event(PAGE_VIEW, event_id, int(now_s), {}, channels_closed("", "")))

    def resigned(self, signed_event: SignedEvent) -> SnippetEntry:
        """Return the entry of an event that an earlier response has sealed."""
        token = write_signed_event(signed_event, self._runtime.signer, self._runtime.pixels)
        return signed_event.event, browser_properties(signed_event), signed_event.event_id, token

    def signed_event(self, event: Event) -> SignedEvent:
        """Return an event of this visitor as a signed event."""
        state = self._state
        return seal(
            event,
            path=self._path,
            expires=int(self._runtime.clock()) + SEALED_LIFE_S,
            limited_data_use=state.consent.limited_data_use,
            identity=state.identity,
        )
