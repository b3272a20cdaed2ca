"""Build what the browser gets with one response: script, headers and cookies, within their size limits."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_not
from typing import NamedTuple

from tiktok_middleware.core.consent.precedence import SAID_COOKIE
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.events.event import PAGE_VIEW, Event, browser_properties, channels_closed
from tiktok_middleware.core.events.ids import timed_event_id
from tiktok_middleware.core.http.cookies import delete_cookie
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.http.response_headers import Headers
from tiktok_middleware.core.pixel.redirect_cookie import (
    CARRY,
    COOKIE_LIMIT_CHARS,
    COOKIE_MAX_AGE_S,
    SEALED,
    RedirectEvents,
    RedirectToken,
    carry_name,
    carry_names,
    kept_name,
    read_carry,
    read_sealed,
    write_carry,
    write_sealed,
)
from tiktok_middleware.core.pixel.signed_event import (
    SEALED_LIFE_S,
    SignedEvent,
    seal,
    template,
    template_life_s,
    write_signed_event,
)
from tiktok_middleware.core.pixel.signed_event import TOKEN_LIMIT_CHARS as ENVELOPE_CHARS
from tiktok_middleware.core.pixel.snippet import BrowserCopy, SnippetEntry, answer_headers
from tiktok_middleware.core.response.first_party_cookies import (
    Header,
    choice_cookies,
    site_cookie,
    visit_cookie,
    visitor_cookies,
)
from tiktok_middleware.core.response.header_room import HeaderRoom
from tiktok_middleware.core.response.policy import Audience, Place, Plan, Timing, cache_life_s
from tiktok_middleware.core.response.routed_event import Route, RoutedEvent
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.opened_event import opened_event
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.visitor.url_redaction import holds_identity
from tiktok_middleware.errors import TokenError

__all__ = ["BrowserOutput", "Script", "visitor_headers"]

# Module constants: looking up an enum member by attribute costs more than comparing it.
_DOCUMENT, _EMBEDDED, _CARRY, _ANSWER = Place.DOCUMENT, Place.EMBEDDED, Place.CARRY, Place.ANSWER
_ABROAD = Place.ABROAD
_UNTOUCHABLE, _SHARED = Place.UNTOUCHABLE, Audience.SHARED
_LIVE, _ABSENT = Timing.LIVE, Timing.ABSENT
_GRANTED, _DENIED, _UNKNOWN = State.GRANTED, State.DENIED, State.UNKNOWN
_NO_HEAD = Head()
_NO_HEADERS: Headers = []
_NOBODY = RequestState.identity  # the identity of most visitors


class Script(NamedTuple):
    """Script elements of a page.

    Attributes:
        data: their bytes.
        is_personal: whether they hold data of this visitor.
        is_constant: whether every page gets the same bytes.
    """

    data: bytes
    is_personal: bool = False
    is_constant: bool = False


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
            "_carried",
            "_has_opened",
            "_head",
            "_is_cut",
            "_is_excluded",
            "_room",
            "_routed",
            "_sealed",
            "_signed",
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
        self._carried: RedirectEvents | None = None
        self._sealed: RedirectToken | None = None
        self._signed: dict[int, tuple[Event, SnippetEntry]] = {}
        self._routed: tuple[Sequence[RoutedEvent], list[Header]] = (), []  # last events that became headers
        self._has_opened = False
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
        return self._may_use_carried

    @property
    def seals(self) -> bool:
        """Whether events travel as signed events, because consent, visitor or visit is not certain yet."""
        consent, timing = self.state.consent.state, self.plan.timing
        if not self.is_page:
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

    def opened(self) -> list[RoutedEvent]:
        """Return the events that an earlier response sealed, now that the visitor has agreed; only once."""
        if self._has_opened or not (self.is_page and self._may_use_carried):
            return []
        chosen = []
        way = Route.DIRECT if self.may_write_snippet else Route.SERVER
        for signed_event in self._read_sealed().signed_events:
            if (happened := opened_event(self.state, signed_event, signed_event.event_id)) is not None:
                event, visitor = happened
                has_server = not (self.runtime.server_reason or visitor.is_bot)
                chosen.append(RoutedEvent(event, way, has_server, visitor=visitor))
        self._has_opened = SEALED in self.request.kept
        return chosen

    def entry(self, event: Event) -> SnippetEntry:
        """Return the snippet's entry for a sealed event: name, properties, id and signed event.

        It is signed once: its size decides the route, and the page gets the same bytes.
        """
        known = self._signed.get(id(event))
        if known is None:
            known = self._signed[id(event)] = event, self._new_entry(event)  # the event is kept, so that its id() stays
        return known[1]

    def _new_entry(self, event: Event) -> SnippetEntry:
        runtime, now_s = self.runtime, int(self.runtime.clock())
        if self.is_shared:
            expires = now_s + template_life_s(cache_life_s(self._head, now_s))
            limited = runtime.config.limited_data_use
            signed_event = template(event, path=self.request.path, expires=expires, limited_data_use=limited)
        else:
            signed_event = self._signed_event(event)
        token = write_signed_event(signed_event, runtime.signer, runtime.pixels)
        return event.event, browser_properties(event), signed_event.event_id, token

    def travelling(self, event: Event) -> BrowserCopy:
        """Return the browser copy for a page that may have loaded the pixel under other consent than this request's.

        Without its own ``limited_data_use``, an event takes the flag of the pixel. The copy therefore states the flag,
        so that both copies agree.
        """
        name, properties, event_id = _copy(event)
        if self.runtime.config.gpc == "limit" or self.runtime.reader.may_limit:  # else the same on every page
            limited = self.state.consent.limited_data_use or event.limited_data_use
            properties = {**properties, "limited_data_use": limited}
        return name, properties, event_id

    def fits(self, choices: Sequence[RoutedEvent]) -> bool:
        """Whether all these events fit into the response beside its cookies."""
        if self.is_page:
            return all(len(self.entry(c.event)[3]) <= ENVELOPE_CHARS for c in choices[-1:] if _is_sealed(c))
        made = self._event_headers(choices)
        carrying = [len(value.partition(";")[0]) for name, value in made if name == "Set-Cookie"]
        is_small = not carrying or sum(carrying) + self._carried_chars <= COOKIE_LIMIT_CHARS
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
            return [*cookies, *(deleted(SEALED) if self._has_opened else ())]
        self._tell(choices)
        return [*self._event_headers(choices), *cookies]

    def script(self, choices: Sequence[RoutedEvent], nonce: str, *, has_base: bool = False) -> Script:
        """Return the script elements of the page.

        Args:
            choices: events whose claims delivery has granted.
            nonce: nonce of the page's Content Security Policy.
            has_base: whether the page has a ``<base>``.
        """
        self._tell(choices)
        runtime, state, request = self.runtime, self.state, self.request
        if not self.is_shared and state.consent.state is _DENIED:
            return Script(runtime.snippet.refused(request.mount, nonce, has_base=has_base), is_personal=True)
        is_document = self.plan.place is _DOCUMENT and not state.has_page_view
        page = runtime.counts_pages and is_document
        collect = runtime.collect_url(request) if runtime.browser_events else ""
        if self.is_shared:
            wait, hello, limited, gate = not runtime.is_implied, True, runtime.limited_data_use, runtime.gate
        else:
            consent = state.consent
            wait, hello, limited = consent.state is not _GRANTED, self.plan.timing is _ABSENT, consent.limited_data_use
            is_same_for_all = runtime.is_implied and not wait and limited == runtime.limited_data_use
            gate = runtime.gate if is_same_for_all else 0
        is_usual = not (choices or runtime.seals_pages)
        if is_usual and (self.is_shared or not (state.identity is not _NOBODY or self._has_carried)):
            data = runtime.snippet.constant(
                request.mount,
                page=page,
                gate=gate,
                limited=limited,
                wait=wait,
                hello=hello,
                collect=collect,
                nonce=nonce,
                has_base=has_base,
            )
            is_constant = self.is_shared or is_same_for_all
            return Script(data, is_personal=not is_constant, is_constant=is_constant)
        carried = self.carried
        data = runtime.snippet.page(
            request.mount,
            page=page,
            gate=gate if self.is_shared else 0,
            limited=limited,
            wait=wait,
            hello=hello,
            collect=collect,
            identity=state.identity.pixel() if state.identity and not self.is_shared else None,
            copies=[] if self.is_shared else [*carried.copies, *_copies(choices)],
            sealed=self._entries(choices, is_document=is_document),
            references=[*carried.references, *_references(choices), *self._read_sealed().references],
            clear_cookies=carried.names,
            nonce=nonce,
            has_base=has_base,
        )
        return Script(data, is_personal=not self.is_shared)

    def late_script(self, choices: Sequence[RoutedEvent], nonce: str) -> bytes:
        """Return a second script, for events that were tracked while the page was sent."""
        self._tell(choices)
        copies = [] if self.is_shared else _copies(choices)
        sealed = [self.entry(choice.event) for choice in choices if _is_sealed(choice)]
        return self.runtime.snippet.late(copies, sealed, nonce=nonce) if copies or sealed else b""

    def _tell(self, choices: Sequence[RoutedEvent]) -> None:
        """Report the browser copies that leave. A sealed event does not count before a browser confirms it."""
        if choices:
            self.runtime.handed_out([choice.event for choice in choices if choice.way is Route.DIRECT])

    def _entries(self, choices: Sequence[RoutedEvent], *, is_document: bool) -> list[SnippetEntry]:
        """Return the entries that the browser confirms: page view, sealed events of this and of earlier responses."""
        events = [choice.event for choice in choices if _is_sealed(choice)]
        if self.runtime.seals_pages and is_document:
            events.insert(0, self._page_view())
        entries = [self.entry(event) for event in events]
        if self.is_shared or not self._waits:
            return entries
        runtime = self.runtime
        return entries + [
            (
                held.event,
                browser_properties(held),
                held.event_id,
                write_signed_event(held, runtime.signer, runtime.pixels),
            )
            for held in self._read_sealed().signed_events
        ]

    def _page_view(self) -> Event:
        now_s = self.runtime.clock()
        event_id = timed_event_id(now_s, self.runtime.random_bytes(10))
        return Event(PAGE_VIEW, event_id, int(now_s), {}, channels_closed("", ""))

    def _signed_event(self, event: Event) -> SignedEvent:
        state = self.state
        return seal(
            event,
            path=self.request.path,
            expires=int(self.runtime.clock()) + SEALED_LIFE_S,
            limited_data_use=state.consent.limited_data_use,
            identity=state.identity,
        )

    def _event_headers(self, choices: Sequence[RoutedEvent]) -> list[Header]:
        """Return the events as headers (of an answer to a script) or as a redirect cookie.

        They are signed once: their size decides the route of the last event, and the response gets the same headers.
        """
        before, made = self._routed
        if not choices or len(before) != len(choices) or any(map(is_not, before, choices)):
            made = self._new_event_headers(choices)
            self._routed = choices, made
        return made

    def _new_event_headers(self, choices: Sequence[RoutedEvent]) -> list[Header]:
        signer, references = self.runtime.signer, _references(choices)
        copies = [self.travelling(choice.event) for choice in choices if _is_direct(choice)]
        place = self.plan.place
        if place is _ABROAD:
            made = answer_headers(copies, references) if copies or references else []
            return [*made, *self._exposing()] if made else []
        if place is _ANSWER:
            # Only for requests of scripts: on an image these headers would keep caches from serving it.
            carried = self.carried if self.request.header("sec-fetch-dest") in {"", "empty"} else RedirectEvents()
            alone = answer_headers(copies, references) if copies or references else []
            if not (carried.copies or carried.references):
                return alone
            together = answer_headers([*carried.copies, *copies], [*carried.references, *references])
            return together if self._takes([*together, *self._cookies()]) else alone
        if place is not _CARRY or not choices:
            return []
        if self.seals:
            sealed = RedirectToken([self._signed_event(c.event) for c in choices if _is_sealed(c)], references)
            token = write_sealed(sealed, signer, self.runtime.pixels) if any(sealed) else ""
            return [site_cookie(self.request, SEALED, token, COOKIE_MAX_AGE_S)] if token else []
        if not (copies or references):
            return []
        token = write_carry(copies, signer, references)
        return [site_cookie(self.request, carry_name(copies, references), token, COOKIE_MAX_AGE_S)]

    def kept_headers(self, events: Sequence[Event]) -> list[Header]:
        """Return a redirect cookie with the copies of events that the page is about to fire.

        If the visitor leaves the page before, the next one fires them. The page clears the cookie. The last events are
        left out if not all fit; their server copies count.
        """
        copies = [self.travelling(event) for event in events]
        while copies:
            token = write_carry(copies, self.runtime.signer)
            cookie = site_cookie(self.request, kept_name(copies), token, COOKIE_MAX_AGE_S)
            size = len(cookie[1].partition(";")[0]) + self._carried_chars
            if size <= COOKIE_LIMIT_CHARS and self._takes([cookie, *self._cookies()]):
                return [cookie]
            copies.pop()
        return []

    def _exposing(self) -> list[Header]:
        """Return the headers that let an allowed page of another origin read our headers of the answer."""
        return [
            ("Access-Control-Expose-Headers", "TikTok-Events"),
            ("Timing-Allow-Origin", self.request.header("origin")),
        ]

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

    @property
    def _waits(self) -> bool:
        return not self.state.consent.is_granted

    @property
    def _may_use_carried(self) -> bool:
        """Whether this response may pass on events of earlier ones: it is seen now, by one visitor, who has agreed."""
        return self.plan.timing is _LIVE and not self.is_shared and self.state.consent.is_granted

    @property
    def _has_carried(self) -> bool:
        return self.request.cookies_hold(CARRY) and (bool(self.carried.names) or any(self._read_sealed()))

    @property
    def carried(self) -> RedirectEvents:
        """The contents of earlier responses' redirect cookies with browser copies, if this response may use them."""
        if self._carried is None:
            self._carried = RedirectEvents()
            if self.request.cookies_hold(CARRY) and self._may_use_carried:
                self._carried = read_carry(self.request, self.runtime.signer)
                for fault in self._carried.faults:
                    self.runtime.notices.count(f"carry_{fault}")
        return self._carried

    @property
    def _carried_chars(self) -> int:
        """Length of the redirect cookies of earlier responses, in characters."""
        return sum(len(name) + len(self.request.kept[name]) + 1 for name in carry_names(self.request))

    def _read_sealed(self) -> RedirectToken:
        """Return the sealed events of earlier responses, read once; empty if refused, shared or fetched ahead."""
        if self._sealed is None:
            self._sealed = RedirectToken()
            is_known = self.state.consent.state is not _DENIED
            if SEALED in self.request.kept and self.plan.timing is _LIVE and not self.is_shared and is_known:
                runtime = self.runtime
                try:
                    self._sealed = read_sealed(self.request, runtime.signer, runtime.pixels, runtime.clock())
                except TokenError as error:
                    runtime.notices.count(f"carry_{error.reason}")
        return self._sealed


def visitor_headers(state: RequestState) -> list[Header]:
    """Return the due cookies of a visitor's ids, for a response that has room for all headers that we may add.

    Args:
        state: state of a request whose visitor has agreed.
    """
    return visitor_cookies(state.request, state.runtime, state)


def _is_sealed(choice: RoutedEvent) -> bool:
    return choice.way is Route.SEALED and choice.deferred is None


def _copies(choices: Sequence[RoutedEvent]) -> list[BrowserCopy]:
    return [_copy(choice.event) for choice in choices if _is_direct(choice)]


def _is_direct(choice: RoutedEvent) -> bool:
    return choice.way is Route.DIRECT and choice.deferred is None


def _references(choices: Sequence[RoutedEvent]) -> list[str]:
    return [choice.deferred.ref for choice in choices if choice.deferred is not None]


def deleted(name: str) -> list[Header]:
    """Return the header that deletes a host-only cookie."""
    return [("Set-Cookie", delete_cookie(name))]


def _copy(event: Event) -> BrowserCopy:
    return event.event, browser_properties(event), event.event_id
