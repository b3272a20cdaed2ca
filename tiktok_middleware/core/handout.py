"""What one response hands to the browser: script, headers and cookies, within their budgets; it sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tiktok_middleware.core.address import holds_identity
from tiktok_middleware.core.carry import CARRY, LIMIT_CHARS, MAX_AGE_S, read_carry, write_carry
from tiktok_middleware.core.consent import OWN_COOKIE, State
from tiktok_middleware.core.cookies import delete_cookie, set_cookie
from tiktok_middleware.core.event import Event
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.policy import Audience, Place, Plan, Timing
from tiktok_middleware.core.setup import Setup
from tiktok_middleware.core.snippet import Copy, answer_headers
from tiktok_middleware.core.tracker import Tracker
from tiktok_middleware.core.visitor import FRESH_COOKIE, LIFETIME_S, TTCLID, TTP
from tiktok_middleware.errors import TokenError

__all__ = ["HEADER_BUDGET_BYTES", "Handout", "Script"]

#: All that we add to one response's headers: proxies in front of an app often allow 4 KB for everything.
HEADER_BUDGET_BYTES = 1536

#: How long a visitor's own word is remembered: six months, the French authority's recommendation.
_CONSENT_MAX_AGE_S = 15_552_000

_PAGES = frozenset({Place.DOCUMENT, Place.EMBEDDED})
_NAVIGATIONS = _PAGES | {Place.CARRY}

Header = tuple[str, str]


class Script(NamedTuple):
    """Script elements, and whether they hold what only this visitor may see."""

    data: bytes
    is_personal: bool = False

    def mark(self, setup: Setup) -> str:
        """What marks the entity tag of a page that holds nothing else of ours; empty where it holds more."""
        return "" if self.is_personal else setup.snippet.mark


class Handout:
    """What goes to the browser with one response.

    Args:
        facts: the request.
        setup: the configuration.
        tracker: of the request.
        plan: what may be done with the response.
    """

    __slots__ = ("_facts", "_plan", "_setup", "_tracker")

    def __init__(self, facts: RequestFacts, setup: Setup, tracker: Tracker, plan: Plan) -> None:
        self._facts = facts
        self._setup = setup
        self._tracker = tracker
        self._plan = plan

    @property
    def may_write_snippet(self) -> bool:
        """Whether a page may carry our script. For a shared page this depends on nothing of the visitor's."""
        if self._plan.place not in _PAGES or not self._is_ours or self._setup.config.browser_reason:
            return False
        if self._tells_too_much:
            return False
        if self._is_shared:
            # Without a server that reads this visitor's consent only an implied one can be assumed, and the
            # script still asks the browser for its privacy signals.
            return self._setup.config.consent == "implied"
        return self._tracker.consent.is_granted

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
            refusal = refusal or self._does_not_fit([*copies, _copy(event)])
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
        if self._tracker.consent_word and (self._plan.place is Place.UNTOUCHABLE or not self._is_ours):
            return _within_budget(self._choice())  # what the visitor said is remembered whatever the response
        if self._plan.place is Place.UNTOUCHABLE or self._is_shared or not self._is_ours:
            return []
        return [*self._event_headers(events), *self._cookies()]

    def script(self, events: Sequence[Event], nonce: str) -> Script:
        """The page's script elements.

        Args:
            events: what delivery says is ours to emit.
            nonce: of the page's Content Security Policy.
        """
        config, snippet, mount = self._setup.config, self._setup.snippet, self._facts.mount
        page = config.page_view == "browser" and self._plan.place is Place.DOCUMENT and not self._tracker.has_page_view
        # Where consent is implied the script asks the browser for its refusals too: whoever keeps this page, against
        # its headers, for other visitors, keeps nothing that loads the pixel for those who said no.
        is_implied = config.consent == "implied"
        gate = 0 if not is_implied else 2 if config.gpc == "ignore" else 1
        if self._is_shared:
            return Script(snippet.constant(mount, page=page, gate=gate, limited=config.limited_data_use, nonce=nonce))
        carried = self._carried()
        limited = self._tracker.consent.limited_data_use
        is_same_for_all = is_implied and limited == config.limited_data_use
        copies = [*carried, *map(_copy, events)]
        identity = self._tracker.identity.pixel() if self._tracker.identity else None
        if not copies and not identity:
            gate = gate if is_same_for_all else 0
            data = snippet.constant(mount, page=page, gate=gate, limited=limited, nonce=nonce)
            return Script(data, is_personal=not is_same_for_all)
        clear = CARRY if carried else ""
        data = snippet.page(
            mount, page=page, limited=limited, identity=identity, copies=copies, clear_cookie=clear, nonce=nonce
        )
        return Script(data, is_personal=True)

    def late_script(self, events: Sequence[Event], nonce: str) -> bytes:
        """A second script, for events that were tracked while the page was sent."""
        return self._setup.snippet.late(list(map(_copy, events)), nonce=nonce) if events else b""

    @property
    def _tells_too_much(self) -> bool:
        """Whether the pixel, which reports a page's address as it is, would tell TikTok of a person."""
        return holds_identity(self._facts.target)

    @property
    def _is_shared(self) -> bool:
        return self._plan.audience is Audience.SHARED

    @property
    def _is_ours(self) -> bool:
        return not self._tracker.is_disabled and not self._setup.is_excluded(self._facts.path)

    def _no_copies_reason(self) -> str:
        if self._plan.place is Place.UNTOUCHABLE:
            return self._plan.reasons[0] if self._plan.reasons else "untouchable"
        if self._is_shared:
            return "shared"
        if self._plan.place is Place.ELSEWHERE:
            return "other_origin"
        if self._plan.timing is Timing.PREFETCH and self._plan.place not in _PAGES:
            return "prefetch"  # it would be fired on some other page, although nobody may ever come to this one
        if self._plan.place in _PAGES and self._tells_too_much:
            return "url_holds_identity"
        return self._tracker.consent.reason or self._setup.config.browser_reason

    def _is_wasted(self, event: Event) -> str:
        """Why the one browser copy that a ``once`` event has would be lost here; empty when it would not."""
        if not event.once:
            return ""
        if self._plan.timing is Timing.PREFETCH:
            return "prefetch"  # nobody may ever look at this page
        if self._plan.place is Place.ANSWER and not self._is_browser:
            return "no_browser"  # a payment provider's webhook, say
        return ""

    @property
    def _is_browser(self) -> bool:
        header = self._facts.header
        marks = ("sec-fetch-mode", "sec-fetch-site", "hx-request", "x-requested-with", "turbo-frame", "origin")
        return header("user-agent").startswith("Mozilla/") or any(map(header, marks))

    def _does_not_fit(self, copies: Sequence[Copy]) -> str:
        if self._plan.place is Place.ANSWER:
            return "" if _bytes(answer_headers(copies)) <= self._room_bytes else "too_large"
        if self._plan.place is Place.CARRY:
            token = write_carry([*self._carried(), *copies], self._setup.signer)
            fits = len(token) <= LIMIT_CHARS and _bytes([self._set(CARRY, token, MAX_AGE_S)]) <= self._room_bytes
            return "" if fits else "too_large"
        return ""

    @property
    def _room_bytes(self) -> int:
        """What the cookies leave of the budget: without them every later event is matched worse, not this one alone."""
        return HEADER_BUDGET_BYTES - _bytes(self._cookies())

    def _event_headers(self, events: Sequence[Event]) -> list[Header]:
        copies = list(map(_copy, events))
        if self._plan.place is Place.ANSWER:
            # Only scripts' own requests: on images it would keep caches from serving them.
            carried = self._carried() if self._facts.header("sec-fetch-dest") in {"", "empty"} else []
            with_carried = answer_headers([*carried, *copies]) if carried else []
            if with_carried and _bytes(with_carried) <= self._room_bytes:
                return with_carried
            return answer_headers(copies) if copies else []
        if self._plan.place is Place.CARRY and copies:
            token = write_carry([*self._carried(), *copies], self._setup.signer)
            return [self._set(CARRY, token, MAX_AGE_S)]
        return []

    def _cookies(self) -> list[Header]:
        """The visitor's choice and ids, or the end of them; the most important first."""
        wanted = self._choice()
        if self._tracker.consent.is_granted and self._plan.place in _NAVIGATIONS:
            wanted += self._visitor_cookies()
        return _within_budget(wanted)

    def _choice(self) -> list[Header]:
        """The visitor's word, and after a refusal the end of our cookies."""
        denied = self._tracker.consent.state is State.DENIED
        return [*self._word_cookie(), *(self._deletions() if denied else ())]

    def _carried(self) -> list[Copy]:
        """What an earlier response left to this one; none for who only looks ahead."""
        if self._plan.timing is not Timing.LIVE or not self._tracker.consent.is_granted:
            return []
        try:
            return read_carry(self._facts, self._setup.signer)
        except TokenError as error:
            self._setup.notices.count(f"carry_{error.reason}")
            return []

    def _word_cookie(self) -> list[Header]:
        word = self._tracker.consent_word
        return [self._set(OWN_COOKIE, word, _CONSENT_MAX_AGE_S)] if word else []

    def _visitor_cookies(self) -> list[Header]:
        visitor, ttp_setting = self._tracker.visitor, self._setup.config.ttp
        values = {TTCLID: visitor.ttclid, TTP: visitor.ttp}
        renew = [name for name in visitor.renew if name != TTP or ttp_setting != "off"]
        if ttp_setting == "mint" and not visitor.ttp and self._plan.place in _PAGES:
            values[TTP] = self._setup.random_bytes(14).hex()[:27]
            renew.append(TTP)
        if not renew:
            return []
        domain = self._setup.cookie_domain(self._facts.hostname)
        cookies = [self._set(name, values[name], LIFETIME_S[name], domain) for name in renew]
        fresh = "".join(sorted({*visitor.fresh, *("p" if TTP in renew else "")}))
        return [*cookies, self._set(FRESH_COOKIE, fresh, LIFETIME_S[FRESH_COOKIE])]

    def _deletions(self) -> list[Header]:
        """Our cookies of who said no; a domain cookie and a host-only one of one name are two cookies."""
        domain = self._setup.cookie_domain(self._facts.hostname)
        present = [name for name in (TTCLID, TTP, FRESH_COOKIE, CARRY) if name in self._facts.cookies]
        return [
            ("Set-Cookie", delete_cookie(name, domain=scope))
            for name in present
            for scope in ({"", domain} if name in {TTCLID, TTP} else {""})
        ]

    def _set(self, name: str, value: str, max_age_s: int, domain: str = "") -> Header:
        secure = self._facts.scheme == "https"
        return "Set-Cookie", set_cookie(
            name, value, max_age_s=max_age_s, domain=domain, secure=secure, http_only=name == FRESH_COOKIE
        )


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
