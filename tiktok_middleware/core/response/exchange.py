"""One request and its response, from start to end: the story that the package tells, without any I/O.

A door translates its protocol into a few calls and does what each answers::

    response_started(status, headers)  ->  PASS | Forward | Commit | None (hold the head)
    body_received(data, last)          ->  PASS | Forward | Commit | None (hold the bytes)
    body_unseen()                      ->  Forward | Commit         the server sends it by another way
    committed(claims)                  ->  Forward          after a Commit has been carried out
    give_up()                          ->  Forward | None   the app failed: what was held leaves as it is
    failed()                           ->  Forward | None   we failed: the same, and we do nothing more
    finish()                           ->  Commit | None    the response has ended: what was tracked since

What may be done with a response is ``policy.plan``'s to say; this class only carries it out, in order. Each call runs
under a guard of its own: whatever goes wrong in our code, the app's bytes pass untouched and one line is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.events.event import Claim, Event
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_head import Head, says_html
from tiktok_middleware.core.http.response_headers import Headers, with_changes
from tiktok_middleware.core.page.body import Body, open_body
from tiktok_middleware.core.page.head_end import Search
from tiktok_middleware.core.page.held_memory import Share
from tiktok_middleware.core.pixel.redirect_cookie import CARRY
from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.decision_cache import Effects, Key, record
from tiktok_middleware.core.response.page_csp import nonce_of, say_what_is_blocked, with_markup
from tiktok_middleware.core.response.policy import Codec, Place, Plan, Timing, plan
from tiktok_middleware.core.response.read_log import LoggedFacts, ReadLog, logged_setup
from tiktok_middleware.core.response.routed_event import Route, RoutedEvent
from tiktok_middleware.core.response.routing import choose
from tiktok_middleware.core.response.skipped_pages import note_unread, note_without_place, reason_of
from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
from tiktok_middleware.core.tracking.server_event import late_entries
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.core.visitor.click_ids import TTCLID

__all__ = ["PASS", "Commit", "Exchange", "Forward", "Phase", "Step"]

# Looking up an enum's member by its name costs more than comparing it.
_SEARCHING, _PASSING, _REWRITING, _DONE = Phase.SEARCHING, Phase.PASSING, Phase.REWRITING, Phase.DONE
_NAVIGATED = frozenset({Place.DOCUMENT, Place.EMBEDDED, Place.CARRY})
_IDENTITY, _OPAQUE, _ABSENT, _DENIED = Codec.IDENTITY, Codec.OPAQUE, Timing.ABSENT, State.DENIED
_FOUND, _MORE = Search.FOUND, Search.MORE


class Exchange:
    """One request and its response.

    Args:
        tracker: of the request.
        key: under which the decision's effects are recorded; None where they are not.

    Attributes:
        phase: how far the response has come.
        tracker: of the request.
        state: of the tracker.
        plan: what may be done with the response; None before it started.
    """

    # Defaults live on the class: most requests end before any of them changes.
    phase: Phase = Phase.WAITING
    plan: Plan | None = None
    _head: Head = Head()
    _headers: Headers | None = None  # the app's, while the head has not left
    _log: ReadLog | None = None  # what the decision has read, while it is recorded
    _body: Body | None = None  # the page's, from the search on
    _now_s: float = 0.0  # read where the head has an `Expires`
    _share: Share | None = None  # of the memory for unfinished heads
    _piece: bytes = b""  # what the app has just sent, until it is the body's to keep
    _held: bytes = b""  # what leaves with the next step
    _output: BrowserOutput | None = None
    _taken: Sequence[RoutedEvent] = ()  # handed to delivery, not yet known to be ours to emit
    _leaving: Sequence[RoutedEvent] = ()  # ours to emit with the response
    _then: Callable[[], Forward] | None = None  # what goes on once delivery has answered

    def __init__(self, tracker: Tracker, key: Key | None = None) -> None:
        self.tracker = tracker
        state = tracker.state
        self.state: RequestState = state
        self._request: RequestView = state.request
        self._runtime = state.runtime
        self._key = key
        if key is not None:
            self._log = log = ReadLog()
            self._request = LoggedFacts(state.request, self._runtime.proxies, log)
            self._runtime = logged_setup(self._runtime, log)

    @classmethod
    def resumed(cls, tracker: Tracker, effects: Effects, headers: Headers) -> Exchange:
        """Go on with a page whose decision was replayed, and whose script is still to be placed.

        Args:
            tracker: of the request.
            effects: of the decision.
            headers: the app's, which are held.
        """
        exchange = cls(tracker)
        exchange.plan = effects.plan
        exchange._head = head = Head.read(headers)
        exchange._output = BrowserOutput(
            exchange._request, exchange._runtime, exchange.state, effects.plan, head, headers=headers
        )
        exchange._open_body(effects.plan)
        exchange._hold(headers)
        return exchange

    @classmethod
    def passing(cls, tracker: Tracker, effects: Effects, headers: Headers) -> Exchange:
        """Go on with a page whose head and script have left.

        Args:
            tracker: of the request.
            effects: of the decision.
            headers: the app's.
        """
        exchange = cls.resumed(tracker, effects, headers)
        exchange._headers = None  # noqa: SLF001  # a new one of ours
        exchange.phase = _PASSING
        return exchange

    def _swallowed(self, part: str, error: Exception) -> Forward | None:
        self._runtime.notices.failure(part, error)
        return self.failed()

    # -- the response begins

    @property
    def is_coded(self) -> bool:
        """Whether the body is compressed and has to be read."""
        return self.plan is not None and self.plan.codec is Codec.CODED

    def response_started(self, status: int, headers: Headers) -> Step:
        """The app's response head has come.

        Args:
            status: the HTTP status.
            headers: a list of pairs, of bytes or of text; it is not changed.
        """
        self._headers = headers
        try:
            if status >= 500:
                self._fail()
            if status == 304 and self.state.asked_for_marked:
                return Forward(with_changes(self._take_headers(), mark=self._runtime.snippet.mark))
            state, request = self.state, self._request
            # Whether there can be anything to do: most answers end here.
            if self._runtime.is_on and (
                state.pending
                or says_html(headers)
                or state.consent_word
                or request.cookies_hold(CARRY)
                or TTCLID in request.query
            ):
                return self._begin(status, headers)
        except Exception as error:  # noqa: BLE001  # the promise: nothing of ours reaches the app
            return self._swallowed("response_started", error)
        self._headers = None
        self.phase = _DONE
        return PASS

    def body_received(self, data: bytes, *, last: bool) -> Step:
        """Bytes of the body have come.

        Args:
            data: the next bytes; may be empty.
            last: True when no more follow.
        """
        body = self._body
        if body is None:
            return PASS
        if not isinstance(data, bytes):
            data = bytes(data)  # a memoryview, which ASGI servers take too; what is no bytes is the app's own mistake
        try:
            if self.phase is not _SEARCHING:
                return self._pass_on(body, data, last=last)
            self._piece = data
            return self._search(body, last=last)
        except Exception as error:  # noqa: BLE001  # as above
            return self._swallowed("body_received", error)

    def body_unseen(self) -> Step:
        """The body goes a way of its own, such as a file that the server sends by its path."""
        try:
            self._body = None
            return self._without_place("body_unseen", Place.CARRY)
        except Exception as error:  # noqa: BLE001  # as above
            return self._swallowed("body_unseen", error)

    # -- events leave with it

    def committed(self, claims: Sequence[Claim] | None) -> Step:
        """Delivery has answered a Commit.

        Args:
            claims: one for each submission, or None where delivery could not say in time. Then a new event's
                browser copy goes, and so does that of an event that counts once, unless TIKTOK_ONCE_UNDECIDED=hold.
        """
        try:
            won = []
            for index, choice in enumerate(self._taken):
                if choice.way is Route.SERVER:
                    continue
                if claims is None:
                    if self._leaves_unconfirmed(choice.event):
                        won.append(choice)
                elif claims[index].browser:
                    won.append(choice)
                elif choice.event.once:
                    self._runtime.notices.count("already_counted")
            self._leaving = [*self._leaving, *won]
            self._taken = ()
            then, self._then = self._then, None  # it knows us: let go of, we are freed with the request
            return then() if then is not None else None
        except Exception as error:  # noqa: BLE001  # as above
            return self._swallowed("committed", error)

    def _leaves_unconfirmed(self, event: Event) -> bool:
        """Whether a browser copy goes although its claim was not confirmed in time: TikTok drops a copy too many."""
        if not event.once or self._runtime.config.once_undecided == "send":
            return True
        self._runtime.notices.count("once_undecided")
        return False

    def finish(self, late: Callable[[RequestState, TrackedEvent], None] | None = None) -> Commit | None:
        """The response has ended; what was tracked since its head left can only go by the server.

        Args:
            late: takes what is tracked from now on, by code that outlives its response.
        """
        self.phase = _DONE
        self.state.late = late
        try:
            entries = late_entries(self.state)
            return Commit(entries) if entries else None
        except Exception as error:  # noqa: BLE001  # as above
            self._swallowed("finish", error)
            return None

    # -- or do not

    def give_up(self) -> Step:
        """The app has failed: its events are discarded, and what was held leaves as the app sent it."""
        try:
            self._fail()
        except Exception as error:  # noqa: BLE001  # as above
            return self._swallowed("give_up", error)
        return self.failed()

    def failed(self) -> Forward | None:
        """We have failed: what was held leaves as the app sent it, and nothing more is done."""
        headers, held = self._headers, self._held
        held += self._body.surrender(self._piece) if self._body is not None else self._piece
        self._headers, self._held, self._body, self._piece = None, b"", None, b""
        self._share = None
        self.phase = _DONE
        return Forward(headers, held) if headers is not None or held else None

    def _fail(self) -> None:
        for _ in range(self.state.discard()):
            self._runtime.notices.count("request_failed")

    def _begin(self, status: int, headers: Headers) -> Step:
        """Decide what may be done with the response, and do what needs no body."""
        state, request, runtime = self.state, self._request, self._runtime
        self._head = head = Head.read(headers)
        # A response that remembers the visitor's word on consent is that visitor's, whatever its headers say.
        shared = False if state.consent_word else state.shared_word
        self._now_s = runtime.clock() if head.expires else 0.0
        self.plan = made = plan(status, head, request, now_s=self._now_s, shared=shared)
        if made.timing is _ABSENT:
            state.doubt_consent("cookies_absent")
        elif runtime.is_bridged and made.place in _NAVIGATED and runtime.reader(request) is State.UNKNOWN:
            state.doubt_consent("consent_unknown")  # the platform in the page may have changed its record since
        self._output = output = BrowserOutput(request, runtime, state, made, head, headers=headers)
        if runtime.mints and output.may_mint:
            state.mint_ttp()
        if output.may_write_snippet:
            self._open_body(made)
            return self._hold(headers)
        if made.codec is _OPAQUE:
            note_unread(made, head, runtime)
            self._record(None)
        return self._settle(self._leave_head)

    def _open_body(self, plan: Plan) -> None:
        self._body = open_body(
            self._head.content_encoding, is_charset_named=plan.is_charset_named, is_page=plan.takes_fragments
        )

    def _hold(self, headers: Headers) -> Step:
        """Keep the head until the place is found; the app may go on to use its list for another response."""
        self._headers = headers.copy()
        self.phase = _SEARCHING
        return None

    def _take_headers(self) -> Headers:
        """The app's headers, on their way out; nothing of ours remains to be done."""
        headers, self._headers = self._headers or [], None
        self.phase = _DONE
        return headers

    # -- the decision is recorded

    def _record(self, effects: Effects | None) -> None:
        """Keep the effects of this decision for others of its kind.

        Args:
            effects: None where they depend on more than the request's kind.
        """
        key, log, state = self._key, self._log, self.state
        if key is None or log is None:
            return
        self._key = None
        # A refusal deletes cookies, each visitor's own; a coded body is not only spliced.
        is_usual = (
            state.is_untouched
            and state.consent.state is not _DENIED
            and (effects is None or effects.script is None or effects.plan.codec is _IDENTITY)
        )
        record(state.runtime, key, log, effects if is_usual else None)

    # -- the place is searched

    def _search(self, body: Body, *, last: bool) -> Step:
        search = body.feed(self._piece, last=last)
        self._piece = b""
        if search is _MORE:
            return self._go_on(body)
        self._share = None
        if search is _FOUND:
            self.phase = _DONE if last else _PASSING
            return self._settle(self._leave_with_script)
        return self._give_up_place(body, reason_of(body), last=last)

    def _go_on(self, body: Body) -> Step:
        """The place has not come yet: hold the bytes, or let go of those that no longer matter."""
        is_released = body.is_document and not self._must_hold_head
        if is_released:
            self._held = body.release()
            if self._headers is not None:
                return self._settle(self._leave_without_script)
        if self._share is None:
            self._share = self._runtime.page_memory.share()
        if not self._share.holds(body.held_bytes):
            self._share = None
            return self._give_up_place(body, "head_memory_full", last=False)
        return self._let_go(None) if is_released else None

    def _give_up_place(self, body: Body, reason: str, *, last: bool) -> Step:
        """No script goes into this body, not even at its end, which may lie inside a comment or a script."""
        self.phase = _DONE if last or body.is_untouched else _REWRITING
        self._held += body.surrender()
        fragment = self.plan.fragment if self.plan is not None else Place.ANSWER
        return self._without_place(reason, Place.CARRY if body.is_document else fragment)

    def _pass_on(self, body: Body, data: bytes, *, last: bool) -> Step:
        """What follows the place, or a body that is left as it came."""
        is_rewritten = self.phase is _REWRITING
        may_add = last and self.phase is not _DONE and bool(self.state.pending) and not self._head.content_length
        if last:
            self.phase = _DONE
        if not (is_rewritten or may_add):
            return PASS
        self._piece = data
        self._held = body.more(self._piece, last=last and not may_add)
        self._piece = b""
        if may_add and body.is_open:
            return self._settle(self._leave_end)
        if may_add:
            self._held += body.end(b"")
        return self._let_go(None)

    @property
    def _must_hold_head(self) -> bool:
        """A promised length can only be kept true while its head is still here."""
        return self._headers is not None and bool(self._head.content_length)

    def _without_place(self, reason: str, place: Place) -> Step:
        """There is no place in this body; while the head is still here, its headers can carry events."""
        note_without_place(reason, place, self._runtime)
        if self._headers is None or self.plan is None:
            for _ in self._leaving:
                self._runtime.notices.count(f"browser_{reason}")
            self._leaving = ()
            return self._let_go(None)
        self._record(None)  # by its body
        self.plan = self.plan._replace(place=place, reasons=(reason, *self.plan.reasons))
        self._output = BrowserOutput(
            self._request, self._runtime, self.state, self.plan, self._head, headers=self._headers
        )
        return self._settle(self._leave_head)

    # -- events are handed to delivery

    def _settle(self, then: Callable[[], Forward]) -> Forward | Commit:
        """Hand over what was tracked until now, then go on with ``then``."""
        output, state = self._output, self.state
        if output is None or not (state.pending or self._request.cookies_hold(CARRY)):
            return then()
        choices = [*choose(output, state.take()), *output.opened()]
        made = [(choice, choice.submission(state)) for choice in choices]
        self._leaving = [*self._leaving, *(c for c, stored in made if stored is None and c.way is not Route.NOWHERE)]
        self._taken = [choice for choice, stored in made if stored is not None]
        submissions = tuple(stored for _, stored in made if stored is not None)
        if not submissions:
            return then()
        self._then = then
        return Commit(submissions)

    # -- bytes leave

    def _leave_head(self) -> Forward:
        """The head with its cookies and headers, and whatever of the body was held."""
        headers, output = self._headers, self._output
        if headers is not None and output is not None:
            added = output.headers(self._leaving)
            if not self._leaving:
                self._record(Effects.of(output))
            if added or output.is_without_script_for_visitor:
                headers = with_changes(headers, added=added, is_private=True, now_s=self._now_s)
        self._leaving = ()
        self.phase = _DONE
        return self._let_go(headers)

    def _leave_with_script(self) -> Forward:
        """The page, with the script in its place."""
        output, body = self._output, self._body
        if output is None or body is None:  # never with a page; keeps the types honest
            return self._let_go(self._headers)
        if self.state.runtime.page_watch is not None:
            self.state.runtime.page_watch(self.state.request)
        tags = body.tags
        if tags.policies:
            self._head = with_markup(self._head, tags.policies)
            say_what_is_blocked(self._head, self._runtime, self._request)
        nonce = self._nonce
        script, is_personal, is_constant = output.script(self._leaving, nonce, has_base=tags.has_base)
        is_usual = not (self._leaving or tags.are_any)
        self._leaving = ()
        spliced = body.splice(script)
        if self.phase is _PASSING and not body.is_untouched:
            self.phase = _REWRITING
        headers = None
        if self._headers is not None:
            growth_bytes = body.growth_bytes(script, spliced, self._head.content_length)
            mark = self._runtime.snippet.mark if is_constant and not nonce else ""
            headers = self._head_of_page(self._headers, output, growth_bytes, is_personal=is_personal, mark=mark)
            if is_usual:
                self._record(Effects.of(output, script, is_personal=is_personal, mark=mark))
        body.forget()
        self._held += spliced
        return self._let_go(headers)

    def _leave_without_script(self) -> Forward:
        """The first part of a streamed page, while its script is still to come."""
        headers, output = self._headers, self._output
        if headers is not None and output is not None:
            headers = self._head_of_page(headers, output, None, is_personal=output.may_be_personal)
        return self._let_go(headers)

    def _leave_end(self) -> Forward:
        """The last bytes of a streamed page, with what was tracked while it was made."""
        script = self._output.late_script(self._leaving, self._nonce) if self._output is not None else b""
        self._held += self._body.end(script) if self._body is not None else b""
        self._leaving = ()
        return self._let_go(None)

    def _let_go(self, headers: Headers | None) -> Forward:
        """Everything held, and the head if it is given; the last thing that can happen in a step."""
        held, self._held = self._held, b""
        if headers is not None:
            self._headers = None
        return Forward(headers, held)

    @property
    def _nonce(self) -> str:
        told = self.state.nonce
        return nonce_of(self._head, self._runtime, told) if self._head.has_policy else told

    def _head_of_page(
        self, headers: Headers, output: BrowserOutput, growth_bytes: int | None, *, is_personal: bool, mark: str = ""
    ) -> Headers:
        """The head of a page that a script goes into."""
        added = output.headers([])
        extend = self._runtime.extend_policy
        if extend is None and self._head.has_policy:
            say_what_is_blocked(self._head, self._runtime, self._request)
        return with_changes(
            headers,
            added=added,
            body_growth_bytes=growth_bytes,
            is_private=bool(added) or is_personal,
            extend_policy=extend,
            mark=mark,
            now_s=self._now_s,
        )
