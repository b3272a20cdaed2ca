"""Decide what the browser gets with one response: whether a script, which headers and cookies, within their limits."""

from __future__ import annotations

from collections.abc import Sequence

from tiktok_middleware.core.consent.precedence import SAID_COOKIE
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.http.cookies import delete_cookie
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.http.response_headers import Headers
from tiktok_middleware.core.pixel.redirect_cookie import (
    CARRY,
    COOKIE_LIMIT_CHARS,
    SEALED,
)
from tiktok_middleware.core.pixel.signed_event import TOKEN_LIMIT_CHARS as ENVELOPE_CHARS
from tiktok_middleware.core.response.earlier_events import EarlierEvents
from tiktok_middleware.core.response.event_headers import EventHeaders
from tiktok_middleware.core.response.first_party_cookies import (
    Header,
    choice_cookies,
    visit_cookie,
    visitor_cookies,
)
from tiktok_middleware.core.response.header_room import HeaderRoom
from tiktok_middleware.core.response.policy import Audience, Place, Plan, Timing
from tiktok_middleware.core.response.routed_event import Route, RoutedEvent, is_sealed
from tiktok_middleware.core.response.signed_entries import SignedEntries
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.visitor.url_redaction import holds_identity

__all__ = ["BrowserOutput", "visitor_headers"]

# Module constants: looking up an enum member by attribute costs more than comparing it.
_DOCUMENT, _EMBEDDED, _CARRY = Place.DOCUMENT, Place.EMBEDDED, Place.CARRY
_UNTOUCHABLE, _SHARED = Place.UNTOUCHABLE, Audience.SHARED
_LIVE, _ABSENT = Timing.LIVE, Timing.ABSENT
_GRANTED, _DENIED, _UNKNOWN = State.GRANTED, State.DENIED, State.UNKNOWN
_ANSWERS = frozenset({Place.ANSWER, Place.ABROAD})
_NO_HEAD = Head()
_NO_HEADERS: Headers = []


class BrowserOutput:
    """Everything that the browser gets with one response.

    Args:
        request: the request.
        runtime: the configuration.
        state: state of the request.
        plan: what may be done with the response.
        head: parsed head of the response.
        headers: all headers of the app, which leave less room for ours.

    Attributes:
        is_page: whether the response is a page, whole or in a frame.
        is_shared: whether other visitors may get the same response.
    """

    __slots__ = (
        *(
            "_app_headers",
            "_earlier",
            "_entries",
            "_event_headers",
            "_head",
            "_is_cut",
            "_is_excluded",
            "_is_seen",
            "_room",
            "_tells",
        ),
        *("request", "is_page", "is_shared", "plan", "runtime", "state"),
    )

    def __init__(
        self,
        request: RequestView,
        runtime: Runtime,
        state: RequestState,
        plan: Plan,
        head: Head = _NO_HEAD,
        *,
        headers: Headers = _NO_HEADERS,
    ) -> None:
        self.request = request
        self.runtime = runtime
        self.state = state
        self.plan = plan
        place = plan.place
        self.is_page: bool = place is _DOCUMENT or place is _EMBEDDED
        self.is_shared: bool = plan.audience is _SHARED
        self._head = head
        self._app_headers = headers
        self._room: HeaderRoom | None = None
        self._is_cut = False
        self._is_excluded = runtime.has_exclusions and runtime.is_excluded(request.path)
        self._is_seen = plan.timing is _LIVE and not self.is_shared
        self._earlier: EarlierEvents | None = None
        self._entries: SignedEntries | None = None
        self._event_headers: EventHeaders | None = None
        self._tells: bool | None = None

    @property
    def may_write_snippet(self) -> bool:
        """Whether the page gets the script. For a shared page this does not depend on the visitor."""
        runtime, state = self.runtime, self.state
        if not self.is_page or self._is_excluded or state.is_disabled or runtime.browser_reason:
            return False
        return not self.tells_too_much

    @property
    def is_without_script_for_visitor(self) -> bool:
        """Whether this page lacks the script only because of the visitor. No shared cache may keep such a page."""
        runtime, state = self.runtime, self.state
        if not self.is_page or self.is_shared or self._is_excluded or state.is_disabled or runtime.browser_reason:
            return False
        return not self.may_write_snippet

    @property
    def may_be_personal(self) -> bool:
        """Whether a script that is written later may hold data of this visitor."""
        return not self.is_shared

    @property
    def may_mint(self) -> bool:
        """Whether this response sets a new ``_ttp`` for a visitor without one."""
        if not self.runtime.mints or not self.is_page or self._is_excluded or self.state.is_disabled:
            return False
        return self._is_seen and self.state.consent.is_granted

    @property
    def seals(self) -> bool:
        """Whether events travel as signed events, because consent, visitor or visit is not certain yet."""
        consent, timing = self.state.consent.state, self.plan.timing
        if not self.is_page:
            if self.plan.place in _ANSWERS:
                # The page that asked keeps the event in its memory, until the visitor agrees in it.
                return self._is_seen and consent is _UNKNOWN and self.request.is_browser and not self.state.is_disabled
            is_unclear = timing is _ABSENT or self.state.is_doubted
            return is_unclear and self.plan.place is _CARRY and not self.is_shared and consent is not _DENIED
        if not self.may_write_snippet:
            return False
        return self.is_shared or consent is _UNKNOWN or (timing is not _LIVE and consent is not _DENIED)

    @property
    def tells_too_much(self) -> bool:
        """Whether the page's address holds identity, which the pixel would report unredacted.

        For a shared page only the path counts, because the gate in the page checks the full address.
        """
        if self._tells is None:
            self._tells = holds_identity(self.request.path if self.is_shared else self.request.target)
        return self._tells

    @property
    def entries(self) -> SignedEntries:
        """Sealed events of this response, as entries of the page's script."""
        if self._entries is None:
            # An answer belongs to the page that asked for it.
            path = self.request.page_path if self.plan.place in _ANSWERS else self.request.path
            self._entries = SignedEntries(
                self.request, self.runtime, self.state, self._head, is_shared=self.is_shared, path=path
            )
        return self._entries

    @property
    def earlier(self) -> EarlierEvents:
        """Events of earlier responses."""
        if self._earlier is None:
            self._earlier = EarlierEvents(self.request, self.runtime, self.state, is_seen=self._is_seen)
        return self._earlier

    @property
    def event_headers(self) -> EventHeaders:
        """Events of this response that travel in headers."""
        if self._event_headers is None:
            self._event_headers = EventHeaders(
                self.request,
                self.runtime,
                self.state,
                self.plan.place,
                entries=self.entries,
                earlier=self.earlier,
                fits=lambda headers: self._takes([*headers, *self._cookies()]),
            )
        return self._event_headers

    def opened(self) -> list[RoutedEvent]:
        """Return the events that an earlier response sealed, now that the visitor has agreed; only once."""
        return self.earlier.opened(Route.DIRECT if self.may_write_snippet else Route.SERVER) if self.is_page else []

    def fits(self, choices: Sequence[RoutedEvent]) -> bool:
        """Whether all these events fit into the response beside its cookies."""
        if self.is_page:
            return all(len(self.entries.entry(c.event)[3]) <= ENVELOPE_CHARS for c in choices[-1:] if is_sealed(c))
        made = self.event_headers.of(choices, seals=self.seals)
        carrying = [len(value.partition(";")[0]) for name, value in made if name == "Set-Cookie"]
        is_small = not carrying or sum(carrying) + self.earlier.carried_chars <= COOKIE_LIMIT_CHARS
        return is_small and self._takes([*made, *self._cookies()])

    def _takes(self, headers: list[Header]) -> bool:
        """Whether these headers fit into the response."""
        cookie_header = self.state.request.cookie_header  # not logged: is_roomy() checks its size
        if self._room is None:
            self._room = HeaderRoom.beside(self._app_headers, cookie_header)
        return self._room.takes(headers, cookie_header)

    @property
    def no_room_reason(self) -> str:
        """Reason code for a browser copy that does not fit into this response."""
        return "too_large" if self.is_page else "no_header_room"

    def headers(self, choices: Sequence[RoutedEvent]) -> list[Header]:
        """Return the headers to add: cookies, and events that travel in headers.

        Args:
            choices: events whose claims delivery has granted.
        """
        is_ours = not (self._is_excluded or self.state.is_disabled)
        if self.state.consent_word and (self.plan.place is _UNTOUCHABLE or not is_ours):
            # Store the choice of the visitor with any response.
            return self._cut(choice_cookies(self.request, self.runtime, self.state))
        if self.plan.place is _UNTOUCHABLE or self.is_shared or not is_ours:
            return []
        cookies = self._cookies()
        if self._is_cut:
            self.runtime.notices.count("no_header_room")
        if self.is_page:
            has_ended = self._earlier is not None and self._earlier.has_opened and SEALED in self.request.kept
            return [*cookies, *(deleted(SEALED) if has_ended else ())]
        self.tell(choices)
        made = self.event_headers.of(choices, seals=self.seals) if choices or self.request.cookies_hold(CARRY) else []
        return [*made, *cookies]

    def headers_for_script(self, choices: Sequence[RoutedEvent]) -> list[Header]:
        """Return the headers of a page that a script has asked for, and may insert without running its scripts.

        They hold the events of the page's own script once more; each event fires once in a tab. Events that do not fit
        stand in the page alone.
        """
        request = self.request
        if self.is_shared or not choices or request.header("sec-fetch-dest") != "empty":
            return []
        if self.plan.timing is not Timing.LIVE:  # what is fetched ahead waits until somebody sees it
            return []
        if request.header("sec-fetch-site") != "same-origin" or request.is_of_worker:
            return []
        made = self.event_headers.for_script(choices, seals=self.seals)
        return made if self._takes([*made, *self._cookies()]) else []

    def tell(self, choices: Sequence[RoutedEvent]) -> None:
        """Report the browser copies that leave. A sealed event does not count before a browser confirms it."""
        if choices:
            self.runtime.handed_out([choice.event for choice in choices if choice.way is Route.DIRECT])

    def _cookies(self) -> list[Header]:
        """Return the cookies of the visitor's choice and ids, or their deletions; the most important first."""
        state = self.state
        request, runtime = state.request, state.runtime  # not logged: these cookies are made anew for each request
        consent = state.consent.state
        has_word = bool(state.consent_word) or consent is _DENIED or self.request.cookies_hold(SAID_COOKIE)
        wanted = choice_cookies(request, runtime, state) if has_word else []
        visit = visit_cookie(request, state) if consent is _GRANTED else []
        if consent is _GRANTED and (self.is_page or self.plan.place is _CARRY):
            wanted += visitor_cookies(request, runtime, state)
        return self._cut([*wanted, *visit])

    def _cut(self, cookies: list[Header]) -> list[Header]:
        """Return the cookies that fit, in order. Cookies that record a refusal are always kept.

        Stop at the first that does not fit: the last cookie of the visitor's ids states that the ones before are fresh.
        """
        if not cookies or self._takes(cookies):
            return cookies
        self._is_cut = True
        is_refusal = self.state.consent.state is _DENIED
        kept = [cookie for cookie in cookies if is_refusal and not cookie[1].startswith(CARRY)]
        for cookie in cookies:
            if cookie in kept:
                continue
            if not self._takes([*kept, cookie]):
                break
            kept.append(cookie)
        return kept

    @property
    def sets_visitor_cookies(self) -> bool:
        """Whether this response sets the cookies of the visitor's ids when they are due."""
        if self.plan.place is _UNTOUCHABLE or self.is_shared or self._is_excluded or self.state.is_disabled:
            return False
        return self.state.consent.state is _GRANTED and (self.is_page or self.plan.place is _CARRY)


def visitor_headers(state: RequestState) -> list[Header]:
    """Return the due cookies of a visitor's ids, for a response that has room for all headers that we may add.

    Args:
        state: state of a request whose visitor has agreed.
    """
    return visitor_cookies(state.request, state.runtime, state)


def deleted(name: str) -> list[Header]:
    """Return the header that deletes a host-only cookie."""
    return [("Set-Cookie", delete_cookie(name))]
