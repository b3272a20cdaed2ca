"""Events that travel in headers: of an answer to a script, or as a redirect cookie for the next page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_not

from tiktok_middleware.core.events.event import Event, browser_properties
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.redirect_cookie import (
    COOKIE_LIMIT_CHARS,
    COOKIE_MAX_AGE_S,
    SEALED,
    RedirectEvents,
    RedirectToken,
    carry_name,
    kept_name,
    write_carry,
    write_sealed,
)
from tiktok_middleware.core.pixel.snippet import BrowserCopy, answer_headers, sealed_headers
from tiktok_middleware.core.response.earlier_events import EarlierEvents
from tiktok_middleware.core.response.first_party_cookies import Header, site_cookie
from tiktok_middleware.core.response.policy import Place
from tiktok_middleware.core.response.routed_event import RoutedEvent, is_direct, is_sealed, references_of
from tiktok_middleware.core.response.signed_entries import SignedEntries
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState

__all__ = ["EventHeaders"]

_ABROAD, _ANSWER, _CARRY = Place.ABROAD, Place.ANSWER, Place.CARRY


class EventHeaders:
    """Makes the headers that hold the events of one response.

    Args:
        request: the request.
        runtime: the configuration.
        state: state of the request.
        place: where the browser copy can go.
        entries: signs the events.
        earlier: events of earlier responses.
        fits: returns whether headers fit into the response beside its cookies.
    """

    __slots__ = ("_earlier", "_entries", "_fits", "_made", "_place", "_request", "_runtime", "_state")

    def __init__(
        self,
        request: RequestView,
        runtime: Runtime,
        state: RequestState,
        place: Place,
        *,
        entries: SignedEntries,
        earlier: EarlierEvents,
        fits: Callable[[list[Header]], bool],
    ) -> None:
        self._request = request
        self._runtime = runtime
        self._state = state
        self._place = place
        self._entries = entries
        self._earlier = earlier
        self._fits = fits
        self._made: tuple[Sequence[RoutedEvent], list[Header]] = (), []  # last events that became headers

    def of(self, choices: Sequence[RoutedEvent], *, seals: bool) -> list[Header]:
        """Return the events as headers.

        They are signed once: their size decides the route of the last event, and the response gets the same headers.

        Args:
            choices: the events.
            seals: whether they travel as signed events.
        """
        before, made = self._made
        if not choices or len(before) != len(choices) or any(map(is_not, before, choices)):
            made = self._new(choices, seals=seals)
            self._made = choices, made
        return made

    def for_script(self, choices: Sequence[RoutedEvent], *, seals: bool) -> list[Header]:
        """Return the events of a page as the headers of an answer, for a script that asked for the page."""
        references = references_of(choices)
        if seals:
            entries = [self._entries.entry(choice.event) for choice in choices if is_sealed(choice)]
            tokens = [(token, event_id) for _, _, event_id, token in entries]
            return sealed_headers(tokens, references) if tokens or references else []
        copies = [self.travelling(choice.event) for choice in choices if is_direct(choice)]
        return answer_headers(copies, references) if copies or references else []

    def travelling(self, event: Event) -> BrowserCopy:
        """Return the browser copy for a page that may have loaded the pixel under other consent than this request's.

        Without its own ``limited_data_use``, an event takes the flag of the pixel. The copy therefore states the flag,
        so that both copies agree.
        """
        name, properties, event_id = event.event, browser_properties(event), event.event_id
        if self._runtime.config.gpc == "limit" or self._runtime.reader.may_limit:  # else the same on every page
            limited = self._state.consent.limited_data_use or event.limited_data_use
            properties = {**properties, "limited_data_use": limited}
        return name, properties, event_id

    def _new(self, choices: Sequence[RoutedEvent], *, seals: bool) -> list[Header]:
        signer, references = self._runtime.signer, references_of(choices)
        copies = [self.travelling(choice.event) for choice in choices if is_direct(choice)]
        place = self._place
        if seals and place is not _CARRY:
            made = self.for_script(choices, seals=True)
            return [*made, *self._exposing()] if made and place is _ABROAD else made
        if place is _ABROAD:
            made = self.for_script(choices, seals=False)
            return [*made, *self._exposing()] if made else []
        if place is _ANSWER:
            # Only for requests of scripts: on an image these headers would keep caches from serving it.
            carried = (
                self._earlier.carried if self._request.header("sec-fetch-dest") in {"", "empty"} else RedirectEvents()
            )
            alone = answer_headers(copies, references) if copies or references else []
            if not (carried.copies or carried.references):
                return alone
            together = answer_headers([*carried.copies, *copies], [*carried.references, *references])
            return together if self._fits(together) else alone
        if place is not _CARRY or not choices:
            return []
        if seals:
            sealed = RedirectToken([self._entries.signed_event(c.event) for c in choices if is_sealed(c)], references)
            token = write_sealed(sealed, signer, self._runtime.pixels) if any(sealed) else ""
            return [site_cookie(self._request, SEALED, token, COOKIE_MAX_AGE_S)] if token else []
        if not (copies or references):
            return []
        token = write_carry(copies, signer, references)
        return [site_cookie(self._request, carry_name(copies, references), token, COOKIE_MAX_AGE_S)]

    def kept(self, events: Sequence[Event]) -> list[Header]:
        """Return a redirect cookie with the copies of events that the page is about to fire.

        If the visitor leaves the page before, the next one fires them. The page clears the cookie. The last events are
        left out if not all fit; their server copies count.
        """
        copies = [self.travelling(event) for event in events]
        while copies:
            token = write_carry(copies, self._runtime.signer)
            cookie = site_cookie(self._request, kept_name(copies), token, COOKIE_MAX_AGE_S)
            size = len(cookie[1].partition(";")[0]) + self._earlier.carried_chars
            if size <= COOKIE_LIMIT_CHARS and self._fits([cookie]):
                return [cookie]
            copies.pop()
        return []

    def _exposing(self) -> list[Header]:
        """Return the headers that let an allowed page of another origin read our headers of the answer."""
        return [
            ("Access-Control-Expose-Headers", "TikTok-Events"),
            ("Timing-Allow-Origin", self._request.header("origin")),
        ]
