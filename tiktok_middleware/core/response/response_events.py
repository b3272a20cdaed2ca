"""Route the events of one response, store them, and learn from their claims which browser copies leave with it."""

from __future__ import annotations

from collections.abc import Sequence

from tiktok_middleware.core.events.event import Claim, Event, OutboxEntry
from tiktok_middleware.core.response.actions import Commit
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.routed_event import Route, RoutedEvent
from tiktok_middleware.core.response.routing import choose
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.counted_before import note_claim
from tiktok_middleware.core.tracking.request_state import RequestState

__all__ = ["ResponseEvents"]


_WITHOUT_COPY = frozenset({Route.SERVER, Route.NOWHERE})


class ResponseEvents:
    """Events of one response between their routing and the bytes that carry their browser copies.

    Args:
        runtime: the configuration.
        state: state of the request.

    Attributes:
        leaving: events whose browser copies leave with the next bytes.
    """

    __slots__ = ("_runtime", "_state", "_taken", "leaving")

    def __init__(self, runtime: Runtime, state: RequestState) -> None:
        self._runtime = runtime
        self._state = state
        self._taken: Sequence[tuple[RoutedEvent, OutboxEntry]] = ()  # stored, but their claims have not come yet
        self.leaving: Sequence[RoutedEvent] = ()

    def routed(self, output: BrowserOutput) -> Commit | None:
        """Route the events tracked so far, and those that an earlier response sealed.

        Return what delivery is to store before their copies leave; None if there is nothing.
        """
        state = self._state
        choices = [*choose(output, state.take()), *output.opened()]
        made = [(choice, choice.submission(state)) for choice in choices]
        self.leaving = [*self.leaving, *(c for c, stored in made if stored is None and c.way is not Route.NOWHERE)]
        self._taken = [(choice, stored) for choice, stored in made if stored is not None]
        return Commit(tuple([stored for _, stored in self._taken])) if self._taken else None

    def claimed(self, claims: Sequence[Claim] | None) -> None:
        """Take the claims of the stored events; None if delivery did not answer in time."""
        won: list[RoutedEvent] = []
        for index, (choice, entry) in enumerate(self._taken):
            if claims is not None and choice.way is not Route.SEALED:
                note_claim(choice.event, entry, claims[index], self._runtime.notices)
            if choice.way in _WITHOUT_COPY:
                continue
            if choice.draft is not None and (claims is None or not claims[index].is_committed):
                # Nobody has seen the commit yet: the page asks for the copy later.
                self._runtime.notices.count("browser_uncommitted")
                won.append(choice.by_reference())
            elif claims[index].browser if claims is not None else self._leaves_unconfirmed(choice.event):
                won.append(choice)
        self.leaving = [*self.leaving, *won]
        self._taken = ()

    def left(self) -> Sequence[RoutedEvent]:
        """Return the events whose copies leave now, and forget them."""
        leaving, self.leaving = self.leaving, ()
        return leaving

    def lost(self, reason: str) -> None:
        """Count the browser copies that cannot leave any more."""
        for _ in self.left():
            self._runtime.notices.count(f"browser_{reason}")

    def _leaves_unconfirmed(self, event: Event) -> bool:
        """Return whether a browser copy leaves although its claim did not come in time. TikTok drops duplicates."""
        if not event.once or self._runtime.config.once_undecided == "send":
            return True
        self._runtime.notices.count("once_undecided")
        return False
