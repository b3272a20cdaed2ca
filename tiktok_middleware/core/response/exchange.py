"""One request and its response, from start to end, decided without I/O.

An adapter (``asgi.py``, ``wsgi.py``) translates its protocol into these calls, and does what each returns::

    response_started(status, headers)  ->  PASS | Forward | Commit | None (hold the head)
    body_received(data, last)          ->  PASS | Forward | Commit | None (hold the bytes)
    body_unseen()                      ->  Forward | Commit         the server sends the body itself
    committed(claims)                  ->  Forward          after a Commit has been carried out
    give_up()                          ->  Forward | None   the app failed: held bytes leave unchanged
    failed()                           ->  Forward | None   our code failed: the same, and nothing more is done
    finish()                           ->  Commit | None    the response has ended: events tracked since the head left

``policy.plan`` says what may be done with the response, ``routing.choose`` gives each event its route, and this class
carries both out in order. Every call runs under one guard: if our code fails, the app's bytes pass untouched and one
line is logged.

The file is longer than others because it holds the whole order of a response; what each step does is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_head import Head, says_html
from tiktok_middleware.core.http.response_headers import Headers, with_changes
from tiktok_middleware.core.page.body import Body, open_body
from tiktok_middleware.core.page.head_end import Search
from tiktok_middleware.core.page.held_memory import Share
from tiktok_middleware.core.pixel.redirect_cookie import CARRY
from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.decision_cache import Effects, Key, page_key
from tiktok_middleware.core.response.decision_recorder import DecisionRecorder
from tiktok_middleware.core.response.next_request import await_next_request
from tiktok_middleware.core.response.page_csp import nonce_of, say_what_is_blocked, with_markup
from tiktok_middleware.core.response.page_script import late_script, page_script
from tiktok_middleware.core.response.policy import Codec, Place, Plan, Timing, plan
from tiktok_middleware.core.response.response_events import ResponseEvents
from tiktok_middleware.core.response.routed_event import RoutedEvent
from tiktok_middleware.core.response.skipped_pages import is_sealed_page, note_unread, note_without_place, reason_of
from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
from tiktok_middleware.core.tracking.server_event import late_entries
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.core.visitor.click_ids import TTCLID

__all__ = ["PASS", "Commit", "Exchange", "Forward", "Phase", "Step"]

# Module constants: looking up an enum member by attribute costs more than comparing it.
_SEARCHING, _PASSING, _REWRITING, _DONE = Phase.SEARCHING, Phase.PASSING, Phase.REWRITING, Phase.DONE
_NAVIGATED = frozenset({Place.DOCUMENT, Place.EMBEDDED, Place.CARRY})
_IDENTITY, _OPAQUE, _ABSENT, _DENIED = Codec.IDENTITY, Codec.OPAQUE, Timing.ABSENT, State.DENIED
_FOUND, _MORE = Search.FOUND, Search.MORE


class Exchange:
    """One request and its response.

    The response starts, its body arrives, events are committed, the script goes into the page, the response ends.

    Args:
        tracker: tracker of the request.
        key: key under which the decision's effects are recorded; None when they are not.
        is_key_of_tags: whether the key holds the tags of the page's head.

    Attributes:
        phase: how far the response has come.
        tracker: tracker of the request.
        state: state of the tracker.
        plan: what may be done with the response; None before it started.
    """

    # Defaults are class attributes: most requests end before any of them changes.
    phase: Phase = Phase.WAITING
    plan: Plan | None = None
    _head: Head = Head()
    _headers: Headers | None = None  # of the app, while the head has not left
    _body: Body | None = None  # of the page, from the start of the search
    _now_s: float = 0.0  # Unix seconds, read only if the head has an `Expires`
    _share: Share | None = None  # share of the memory for pages whose head end has not come
    _piece: bytes = b""  # bytes that the app has just sent, until the body has them
    _held: bytes = b""  # bytes that leave with the next step
    _output: BrowserOutput | None = None
    _then: Callable[[], Forward] | None = None  # called once delivery has answered

    def __init__(self, tracker: Tracker, key: Key | None = None, *, is_key_of_tags: bool = False) -> None:
        self.tracker = tracker
        state = tracker.state
        self.state: RequestState = state
        self._request: RequestView = state.request
        self._runtime = state.runtime
        self._recorder: DecisionRecorder | None = None
        if key is not None:
            self._recorder = recorder = DecisionRecorder(key, state, is_key_of_tags=is_key_of_tags)
            self._request, self._runtime = recorder.request, recorder.runtime
        self._events = ResponseEvents(self._runtime, state)

    @classmethod
    def resumed(cls, tracker: Tracker, effects: Effects, headers: Headers, key: Key | None = None) -> Exchange:
        """Return an exchange for a held page with a recorded decision, whose head end is still to be found.

        Args:
            tracker: tracker of the request.
            effects: effects of the decision.
            headers: headers of the app, which are held.
            key: key under which the script for the tags of this page's head is recorded; None when it is not.
        """
        exchange = cls(tracker, key, is_key_of_tags=key is not None)
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
        """Return an exchange for a page whose head and script have left.

        Args:
            tracker: tracker of the request.
            effects: effects of the decision.
            headers: headers of the app.
        """
        exchange = cls.resumed(tracker, effects, headers)
        exchange._headers = None  # noqa: SLF001  # of the same class
        exchange.phase = _PASSING
        return exchange

    def _swallowed(self, part: str, error: Exception) -> Forward | None:
        self._runtime.notices.failure(part, error)
        return self.failed()

    # -- the response starts

    @property
    def is_coded(self) -> bool:
        """Whether the body is compressed and has to be decoded."""
        return self.plan is not None and self.plan.codec is Codec.CODED

    def response_started(self, status: int, headers: Headers) -> Step:
        """Take the app's response head.

        Args:
            status: the HTTP status.
            headers: a list of pairs of bytes or text; not changed.
        """
        self._headers = headers
        try:
            if status >= 500:
                self._fail()
            if status == 304 and self.state.asked_for_marked:
                return Forward(with_changes(self._take_headers(), mark=self._runtime.snippet.mark))
            state, request = self.state, self._request
            # Most responses fail this check and pass unchanged.
            if self._runtime.is_on and (
                state.pending
                or says_html(headers)
                or state.consent_word
                or state.returned
                or request.cookies_hold(CARRY)
                or TTCLID in request.query
            ):
                return self._begin(status, headers)
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            return self._swallowed("response_started", error)
        self._headers = None
        self.phase = _DONE
        return PASS

    def body_received(self, data: bytes, *, last: bool) -> Step:
        """Take bytes of the body.

        Args:
            data: the next bytes; may be empty.
            last: True when no more follow.
        """
        body = self._body
        if body is None:
            return PASS
        if not isinstance(data, bytes):
            data = bytes(data)  # a memoryview, which ASGI servers accept; any other type is an error of the app
        try:
            if self.phase is not _SEARCHING:
                return self._pass_on(body, data, last=last)
            self._piece = data
            return self._search(body, last=last)
        except Exception as error:  # noqa: BLE001  # as above
            return self._swallowed("body_received", error)

    def body_unseen(self) -> Step:
        """Go on without the body: the server sends it itself, such as a file by its path."""
        try:
            self._body = None
            return self._without_place("body_unseen", Place.CARRY)
        except Exception as error:  # noqa: BLE001  # as above
            return self._swallowed("body_unseen", error)

    # -- events are committed

    def committed(self, claims: Sequence[Claim] | None) -> Step:
        """Take the answer of delivery to a Commit.

        Args:
            claims: one for each submission; None if delivery did not answer in time. Then all browser copies leave,
                except those of ``once`` events if TIKTOK_ONCE_UNDECIDED=hold.
        """
        try:
            self._events.claimed(claims)
            then, self._then = self._then, None  # `then` refers to this object: break the cycle
            return then() if then is not None else None
        except Exception as error:  # noqa: BLE001  # as above
            return self._swallowed("committed", error)

    def finish(self, late: Callable[[RequestState, TrackedEvent], None] | None = None) -> Commit | None:
        """End the response. Events that were tracked since the head left only get a server copy.

        Args:
            late: takes events that are tracked after the response, such as by a background task.
        """
        self.phase = _DONE
        self.state.late = late
        try:
            late_ones = late_entries(self.state)
            return Commit(tuple([entry for _, entry in late_ones])) if late_ones else None
        except Exception as error:  # noqa: BLE001  # as above
            self._swallowed("finish", error)
            return None

    # -- failures

    def give_up(self) -> Step:
        """Take a failure of the app: discard its events, and send held bytes unchanged."""
        try:
            self._fail()
        except Exception as error:  # noqa: BLE001  # as above
            return self._swallowed("give_up", error)
        return self.failed()

    def failed(self) -> Forward | None:
        """Take a failure of our code: send held bytes unchanged, and do nothing more."""
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
        """Decide what may be done with the response. Open the body if it gets the script, else send the head."""
        state, request, runtime = self.state, self._request, self._runtime
        self._head = head = Head.read(headers)
        # A response that stores the visitor's choice is for that visitor alone, whatever its headers say.
        shared = False if state.consent_word else state.shared_word
        self._now_s = runtime.clock() if head.expires else 0.0
        self.plan = made = plan(status, head, request, now_s=self._now_s, shared=shared)
        if made.timing is _ABSENT:
            state.doubt_consent("cookies_absent")
        elif runtime.is_bridged and made.place in _NAVIGATED and runtime.reader(request) is State.UNKNOWN:
            state.doubt_consent("consent_unknown")  # the consent platform in the page may have changed the choice since
        self._output = output = BrowserOutput(request, runtime, state, made, head, headers=headers)
        if runtime.mints and output.may_mint:
            state.mint_ttp()
        if output.may_write_snippet:
            self._open_body(made)
            return self._hold(headers)
        if made.codec is _OPAQUE or is_sealed_page(made, head):
            note_unread(made, head, runtime)
            self._record_nothing()
        return self._settle(self._leave_head)

    def _open_body(self, plan: Plan) -> None:
        self._body = open_body(
            self._head.content_encoding,
            is_charset_named=plan.is_charset_named,
            is_page=plan.takes_fragments,
            heads=self._runtime.heads,
            page=page_key(self.state.request.path, plan),
        )

    def _hold(self, headers: Headers) -> Step:
        """Hold a copy of the head until the head end is found; the app may reuse its list for another response."""
        self._headers = headers.copy()
        self.phase = _SEARCHING
        return None

    def _take_headers(self) -> Headers:
        """Return the app's headers, and end the work on this response."""
        headers, self._headers = self._headers or [], None
        self.phase = _DONE
        return headers

    # -- the head end is searched

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
        """Go on before the head end has come: hold the bytes, or send those that the search no longer needs."""
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
        """Stop the search. The end of the body gets no script either, as it may be inside a comment or a script."""
        self.phase = _DONE if last or body.is_untouched else _REWRITING
        self._held += body.surrender()
        fragment = self.plan.fragment if self.plan is not None else Place.ANSWER
        return self._without_place(reason, Place.CARRY if body.is_document else fragment)

    def _pass_on(self, body: Body, data: bytes, *, last: bool) -> Step:
        """Pass bytes after the head end, or of a body without a script; add late events to the last bytes."""
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
        """Whether the head must be held because its ``Content-Length`` may still change."""
        return self._headers is not None and bool(self._head.content_length)

    def _without_place(self, reason: str, place: Place) -> Step:
        """Go on without a head end. If the head has not left yet, its headers can still carry events."""
        note_without_place(reason, place, self._runtime)
        if self._headers is None or self.plan is None:
            self._events.lost(reason)
            return self._let_go(None)
        self._record_nothing()  # the body decided
        self.plan = self.plan._replace(place=place, reasons=(reason, *self.plan.reasons))
        self._output = BrowserOutput(
            self._request, self._runtime, self.state, self.plan, self._head, headers=self._headers
        )
        return self._settle(self._leave_head)

    # -- events go to delivery

    def _settle(self, then: Callable[[], Forward]) -> Forward | Commit:
        """Route the events tracked so far and commit them, then call ``then``."""
        output, state = self._output, self.state
        if output is None or not (state.pending or state.returned or self._request.cookies_hold(CARRY)):
            return then()
        commit = self._events.routed(output)
        if commit is None:
            return then()
        self._then = then
        return commit

    def _record_nothing(self) -> None:
        """Record that the decision depends on more than the key of the decision cache."""
        if self._recorder is not None:
            self._recorder.record(None)

    # -- bytes leave

    def _leave_head(self) -> Forward:
        """Send the head with added headers and cookies, and the held bytes of the body."""
        headers, output, leaving = self._headers, self._output, self._events.left()
        if headers is not None and output is not None:
            added = output.headers(leaving)
            if leaving or self.state.returned:
                await_next_request(output, headers, leaving)
            if self._recorder is not None and not leaving:
                self._recorder.record(Effects.of(output))
            if added or output.is_without_script_for_visitor:
                headers = with_changes(headers, added=added, is_private=True, now_s=self._now_s)
        self.phase = _DONE
        return self._let_go(headers)

    def _leave_with_script(self) -> Forward:
        """Send the page, with the script at the head end."""
        output, body = self._output, self._body
        if output is None or body is None:  # never for a page; narrows the types
            return self._let_go(self._headers)
        if self.state.runtime.page_watch is not None:
            self.state.runtime.page_watch(lambda: self.state.request)
        tags = body.tags
        leaving = self._events.left()
        if self.state.returned:
            await_next_request(output, [], ())
        recorder = self._recorder if self._headers is not None and not leaving else None
        if recorder is not None and tags.are_any and recorder.is_missing_tags():
            recorder.record_page(output, page_script(output, (), self._nonce), self._nonce)  # as if it had no such tags
        if tags.policies:
            self._head = with_markup(self._head, tags.policies)
            say_what_is_blocked(self._head, self._runtime, self.state.request)
        nonce = self._nonce
        made = page_script(output, leaving, nonce)
        script, is_personal, is_constant = made
        spliced = body.splice(script)
        if self.phase is _PASSING and not body.is_untouched:
            self.phase = _REWRITING
        headers = None
        if self._headers is not None:
            growth_bytes = body.growth_bytes(script, spliced, self._head.content_length)
            mark = self._runtime.snippet.mark if is_constant and not nonce else ""
            headers = self._head_of_page(
                self._headers, output, growth_bytes, leaving, is_personal=is_personal, mark=mark
            )
            if recorder is not None:
                recorder.record_page(output, None if tags.policies and nonce else made, nonce)
        body.forget()
        self._held += spliced
        return self._let_go(headers)

    def _leave_without_script(self) -> Forward:
        """Send the first part of a streamed page, before its head end has come."""
        headers, output = self._headers, self._output
        if headers is not None and output is not None:
            headers = self._head_of_page(headers, output, None, (), is_personal=output.may_be_personal)
        return self._let_go(headers)

    def _leave_end(self) -> Forward:
        """Send the last bytes of a streamed page, with the events tracked since its head left."""
        script = late_script(self._output, self._events.left(), self._nonce) if self._output is not None else b""
        self._held += self._body.end(script) if self._body is not None else b""
        return self._let_go(None)

    def _let_go(self, headers: Headers | None) -> Forward:
        """Send all held bytes, and the head if it is given."""
        held, self._held = self._held, b""
        if headers is not None:
            self._headers = None
        return Forward(headers, held)

    @property
    def _nonce(self) -> str:
        told = self.state.nonce
        return nonce_of(self._head, self._runtime, told) if self._head.has_policy else told

    def _head_of_page(
        self,
        headers: Headers,
        output: BrowserOutput,
        growth_bytes: int | None,
        leaving: Sequence[RoutedEvent],
        *,
        is_personal: bool,
        mark: str = "",
    ) -> Headers:
        """Return the headers of a page that gets a script."""
        added = [*output.headers([]), *output.headers_for_script(leaving)]
        extend = self._runtime.extend_policy
        if extend is None and self._head.has_policy:
            say_what_is_blocked(self._head, self._runtime, self.state.request)
        return with_changes(
            headers,
            added=added,
            body_growth_bytes=growth_bytes,
            is_private=bool(added) or is_personal,
            extend_policy=extend,
            mark=mark,
            now_s=self._now_s,
        )
