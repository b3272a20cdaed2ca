"""What one response hands to the browser: script, headers and cookies, within their budgets; it sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tiktok_middleware.core.address import holds_identity
from tiktok_middleware.core.carry import CARRY, LIMIT_CHARS, MAX_AGE_S, read_carry, write_carry
from tiktok_middleware.core.event import Event
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.policy import Audience, Place, Plan, Timing
from tiktok_middleware.core.set_cookies import Header, choice_cookies, site_cookie, visitor_cookies
from tiktok_middleware.core.setup import Setup
from tiktok_middleware.core.snippet import Copy, answer_headers
from tiktok_middleware.core.state import State
from tiktok_middleware.core.tracker import Tracker
from tiktok_middleware.errors import TokenError

__all__ = ["HEADER_BUDGET_BYTES", "Handout", "Script"]

#: All that we add to one response's headers: proxies in front of an app often allow 4 KB for everything.
HEADER_BUDGET_BYTES = 1536

# Looking up an enum's member by its name costs more than comparing it.
_DOCUMENT, _EMBEDDED, _CARRY, _ANSWER = Place.DOCUMENT, Place.EMBEDDED, Place.CARRY, Place.ANSWER
_UNTOUCHABLE, _SHARED, _LIVE = Place.UNTOUCHABLE, Audience.SHARED, Timing.LIVE
_GRANTED, _DENIED = State.GRANTED, State.DENIED
_NOBODY = Tracker.identity  # of most visitors


class Script(NamedTuple):
    """Script elements.

    Attributes:
        data: their bytes.
        is_personal: whether they hold what only this visitor may see.
        nonce: of the page's Content Security Policy; another one each time.
    """

    data: bytes
    is_personal: bool = False


class Handout:
    """What goes to the browser with one response.

    Args:
        facts: the request.
        setup: the configuration.
        tracker: of the request.
        plan: what may be done with the response.
    """

    __slots__ = ("_facts", "_is_excluded", "_is_page", "_is_shared", "_plan", "_setup", "_tells", "_tracker")

    def __init__(self, facts: RequestFacts, setup: Setup, tracker: Tracker, plan: Plan) -> None:
        self._facts = facts
        self._setup = setup
        self._tracker = tracker
        self._plan = plan
        self._tells: bool | None = None
        place = plan.place
        self._is_page = place is _DOCUMENT or place is _EMBEDDED
        self._is_shared = plan.audience is _SHARED
        self._is_excluded = setup.has_exclusions and setup.is_excluded(facts.path)

    @property
    def may_write_snippet(self) -> bool:
        """Whether a page may carry our script. For a shared page this depends on nothing of the visitor's."""
        setup = self._setup
        if not self._is_page or self._is_excluded or self._tracker.is_disabled or setup.browser_reason:
            return False
        if self._tells_too_much:
            return False
        if self._is_shared:
            # Without a server that reads this visitor's consent only an implied one can be assumed, and the
            # script still asks the browser for its privacy signals.
            return setup.is_implied
        return self._tracker.consent.state is _GRANTED

    @property
    def may_be_personal(self) -> bool:
        """Whether a script that is still to come may hold what only this visitor may see."""
        return not self._is_shared

    def choose(self, events: Sequence[Event]) -> list[bool]:
        """Which of the events can go to the browser with this response; each refusal is counted by reason."""
        reason = self._no_copies_reason()
        chosen: list[bool] = []
        copies: list[Copy] = []
        for event in events:
            refusal = reason or event.channels.browser.reason or self._is_wasted(event)
            if not (refusal or self._is_page):
                refusal = self._does_not_fit([*copies, _copy(event)])
            if refusal:
                self._setup.notices.count(f"browser_{refusal}")
            else:
                copies.append(_copy(event))
            chosen.append(not refusal)
        return chosen

    def headers(self, events: Sequence[Event]) -> list[Header]:
        """Headers to add: events where they travel in headers, and cookies.

        Args:
            events: what delivery says is ours to emit.
        """
        is_ours = not (self._is_excluded or self._tracker.is_disabled)
        if self._tracker.consent_word and (self._plan.place is _UNTOUCHABLE or not is_ours):
            # What the visitor said is remembered whatever the response.
            return _within_budget(choice_cookies(self._facts, self._setup, self._tracker))
        if self._plan.place is _UNTOUCHABLE or self._is_shared or not is_ours:
            return []
        return self._cookies() if self._is_page else [*self._event_headers(events), *self._cookies()]

    def script(self, events: Sequence[Event], nonce: str) -> Script:
        """The page's script elements.

        Args:
            events: what delivery says is ours to emit.
            nonce: of the page's Content Security Policy.
        """
        setup, tracker, mount = self._setup, self._tracker, self._facts.mount
        page = setup.counts_pages and self._plan.place is _DOCUMENT and not tracker.has_page_view
        if self._is_shared:
            usual = setup.limited_data_use
            data = setup.snippet.constant(mount, page=page, gate=setup.gate, limited=usual, nonce=nonce)
            return Script(data)
        carried = self._carried() if CARRY in self._facts.cookie_header else []
        limited = tracker.consent.limited_data_use
        identity = tracker.identity.pixel() if tracker.identity is not _NOBODY and tracker.identity else None
        if not (carried or events or identity):
            is_same_for_all = setup.is_implied and limited == setup.limited_data_use
            gate = setup.gate if is_same_for_all else 0
            data = setup.snippet.constant(mount, page=page, gate=gate, limited=limited, nonce=nonce)
            return Script(data, is_personal=not is_same_for_all)
        data = setup.snippet.page(
            mount,
            page=page,
            limited=limited,
            identity=identity,
            copies=[*carried, *map(_copy, events)],
            clear_cookie=CARRY if carried else "",
            nonce=nonce,
        )
        return Script(data, is_personal=True)

    def late_script(self, events: Sequence[Event], nonce: str) -> bytes:
        """A second script, for events that were tracked while the page was sent."""
        return self._setup.snippet.late(list(map(_copy, events)), nonce=nonce) if events else b""

    @property
    def _tells_too_much(self) -> bool:
        """Whether the pixel, which reports a page's address as it is, would tell TikTok of a person."""
        if self._tells is None:
            self._tells = holds_identity(self._facts.target)
        return self._tells

    def _no_copies_reason(self) -> str:
        if self._plan.place is _UNTOUCHABLE:
            return self._plan.reasons[0] if self._plan.reasons else "untouchable"
        if self._is_shared:
            return "shared"
        if self._plan.place is Place.ELSEWHERE:
            return "other_origin"
        if self._plan.timing is Timing.PREFETCH and not self._is_page:
            return "prefetch"  # it would be fired on some other page, although nobody may ever come to this one
        if self._is_page and self._tells_too_much:
            return "url_holds_identity"
        return self._tracker.consent.reason or self._setup.browser_reason

    def _is_wasted(self, event: Event) -> str:
        """Why the one browser copy that a ``once`` event has would be lost here; empty when it would not."""
        if not event.once:
            return ""
        if self._plan.timing is Timing.PREFETCH:
            return "prefetch"  # nobody may ever look at this page
        if self._plan.place is _ANSWER and not self._facts.is_browser:
            return "no_browser"  # a payment provider's webhook, say
        return ""

    def _does_not_fit(self, copies: Sequence[Copy]) -> str:
        if self._plan.place is _ANSWER:
            return "" if _bytes(answer_headers(copies)) <= self._room_bytes else "too_large"
        if self._plan.place is _CARRY:
            token = write_carry([*self._carried(), *copies], self._setup.signer)
            needed_bytes = _bytes([site_cookie(self._facts, CARRY, token, MAX_AGE_S)])
            return "" if len(token) <= LIMIT_CHARS and needed_bytes <= self._room_bytes else "too_large"
        return ""

    @property
    def _room_bytes(self) -> int:
        """What the cookies leave of the budget: without them every later event is matched worse, not this one alone."""
        return HEADER_BUDGET_BYTES - _bytes(self._cookies())

    def _event_headers(self, events: Sequence[Event]) -> list[Header]:
        copies = list(map(_copy, events))
        if self._plan.place is _ANSWER:
            # Only scripts' own requests: on images it would keep caches from serving them.
            carried = self._carried() if self._facts.header("sec-fetch-dest") in {"", "empty"} else []
            with_carried = answer_headers([*carried, *copies]) if carried else []
            if with_carried and _bytes(with_carried) <= self._room_bytes:
                return with_carried
            return answer_headers(copies) if copies else []
        if self._plan.place is _CARRY and copies:
            token = write_carry([*self._carried(), *copies], self._setup.signer)
            return [site_cookie(self._facts, CARRY, token, MAX_AGE_S)]
        return []

    def _cookies(self) -> list[Header]:
        """The visitor's choice and ids, or the end of them; the most important first."""
        facts, setup, tracker = self._facts, self._setup, self._tracker
        state = tracker.consent.state
        wanted = choice_cookies(facts, setup, tracker) if tracker.consent_word or state is _DENIED else []
        if state is _GRANTED and (self._is_page or self._plan.place is _CARRY):
            wanted += visitor_cookies(facts, setup, tracker, may_mint=self._is_page)
        return _within_budget(wanted) if wanted else wanted

    def _carried(self) -> list[Copy]:
        """What an earlier response left to this one; none for who only looks ahead."""
        if CARRY not in self._facts.kept or self._plan.timing is not _LIVE or not self._tracker.consent.is_granted:
            return []
        try:
            return read_carry(self._facts, self._setup.signer)
        except TokenError as error:
            self._setup.notices.count(f"carry_{error.reason}")
            return []


def _copy(event: Event) -> Copy:
    return event.event, event.properties, event.event_id


def _bytes(headers: Sequence[Header]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _within_budget(headers: Sequence[Header]) -> list[Header]:
    """The headers, in order, as far as the budget goes.

    It ends at the first that does not fit: the last one says that those before it are fresh.
    """
    count = len(headers)
    while _bytes(headers[:count]) > HEADER_BUDGET_BYTES:
        count -= 1
    return list(headers[:count])
