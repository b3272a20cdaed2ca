"""One request and its response, from start to end: the story that the package tells, without any I/O.

A door translates its protocol into a few calls and does what each answers::

    response_started(status, headers)  ->  Forward | Commit | None (hold the head)
    body_received(data, last)          ->  Forward | Commit | None (hold the bytes)
    body_unseen()                      ->  Forward | Commit         the server sends it by another way
    committed(claims)                  ->  Forward          after a Commit has been carried out
    give_up()                          ->  Forward | None   the app failed: what was held leaves as it is
    failed()                           ->  Forward | None   we failed: the same, and we do nothing more
    finish()                           ->  Commit | None    the response has ended: what was tracked since

What may be done with a response is ``policy.plan``'s to say; this class only carries it out, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Concatenate, ParamSpec

from tiktok_middleware.core.body import Body, open_body
from tiktok_middleware.core.carry import CARRY
from tiktok_middleware.core.csp import Policies, read_policies
from tiktok_middleware.core.event import Claim, Event, Submission
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.handout import Handout, Script
from tiktok_middleware.core.headers import Headers, with_changes
from tiktok_middleware.core.html import Search
from tiktok_middleware.core.policy import Head, Place, Plan, Timing, plan, says_html
from tiktok_middleware.core.setup import Setup
from tiktok_middleware.core.steps import Commit, Forward, Phase, Step
from tiktok_middleware.core.submission import late_submission, make_submission
from tiktok_middleware.core.tracker import Pending, Tracker
from tiktok_middleware.core.validators import bare_tags

__all__ = ["Commit", "Exchange", "Forward", "Phase", "Step"]


_P = ParamSpec("_P")


def _guarded(call: Callable[Concatenate[Exchange, _P], Step]) -> Callable[Concatenate[Exchange, _P], Step]:
    """Whatever goes wrong in our own code, the app's bytes pass untouched and one line is logged."""

    @wraps(call)
    def guarded(self: Exchange, /, *args: _P.args, **kwargs: _P.kwargs) -> Step:
        try:
            return call(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the promise: nothing of ours reaches the app
            self.notices.failure(call.__name__, error)
            return self.failed()

    return guarded


class Exchange:
    """One request and its response.

    Args:
        facts: the request.
        setup: the configuration.

    Attributes:
        phase: how far the response has come.
        tracker: what the view sees.
        plan: what may be done with the response; None before it started.
        notices: where our own mistakes are told.
    """

    # Defaults live on the class: most requests end before any of them changes.
    phase: Phase = Phase.WAITING
    plan: Plan | None = None
    _asked_for_marked: bool = False  # the request named a page with our script
    _head: Head = Head()
    _headers: Headers | None = None  # the app's, while the head has not left
    _body: Body | None = None  # the page's, from the search on
    _piece: bytes = b""  # what the app has just sent, until it is the body's to keep
    _held: bytes = b""  # what leaves with the next step
    _handout: Handout | None = None
    _taken: Sequence[Event] = ()  # handed to delivery, not yet known to be ours to emit
    _copies: Sequence[Event] = ()  # ours to emit in the page
    _then: Callable[[], Forward] | None = None  # what goes on once delivery has answered

    def __init__(self, facts: RequestFacts, setup: Setup) -> None:
        self._facts = facts
        self._setup = setup
        self.notices = setup.notices
        self.tracker = Tracker(facts, setup)

    # -- the request goes to the app

    def ask_as_bare(self) -> None:
        """Take our mark off a conditional request, where the app's page would get the same script again."""
        mark = self._setup.snippet.mark
        if not (self._setup.config.is_on and self._facts.mentions("if-none-match", mark)):
            return
        if self.tracker.consent.is_granted and not self._setup.config.browser_reason:
            self._facts.replace_header("if-none-match", bare_tags(self._facts.header("if-none-match"), mark))
            self._asked_for_marked = True

    # -- the response begins

    @_guarded
    def response_started(self, status: int, headers: Headers) -> Step:
        """The app's response head has come.

        Args:
            status: the HTTP status.
            headers: a list of pairs, of bytes or of text; it is not changed.
        """
        self._headers = headers
        if status >= 500:
            self._fail()
        if status == 304 and self._asked_for_marked:
            return Forward(with_changes(self._take_headers(), mark=self._setup.snippet.mark))
        if not (self._setup.config.is_on and self._concerns_us(headers)):
            return self._pass()
        self._head = head = Head.read(headers)
        # A response that remembers the visitor's word on consent is that visitor's, whatever its headers say.
        shared = False if self.tracker.consent_word else self.tracker.shared_word
        self.plan = plan(status, head, self._facts, now_s=self._setup.clock(), shared=shared)
        self._handout = Handout(self._facts, self._setup, self.tracker, self.plan)
        if self._handout.may_write_snippet:
            self.phase = Phase.SEARCHING
            self._body = open_body(head.content_encoding)
            return None
        return self._settle(self._leave_head)

    @_guarded
    def body_received(self, data: bytes, *, last: bool) -> Step:
        """Bytes of the body have come.

        Args:
            data: the next bytes; may be empty.
            last: True when no more follow.
        """
        body = self._body
        if body is None:
            return Forward(None, data)
        self._piece = data if isinstance(data, bytes) else bytes(data)  # a memoryview, which ASGI servers take too
        return self._search(body, last=last) if self.phase is Phase.SEARCHING else self._pass_on(body, last=last)

    @_guarded
    def body_unseen(self) -> Step:
        """The body goes a way of its own, such as a file that the server sends by its path."""
        self._body = None
        return self._without_place("body_unseen", Place.CARRY)

    @property
    def passes(self) -> bool:
        """Whether a piece that is not the last can go on as it is, without asking ``body_received``."""
        if self.phase is Phase.PASSING:
            return self._body is not None and self._body.is_untouched
        return self.phase is Phase.DONE

    # -- events leave with it

    @_guarded
    def committed(self, claims: Sequence[Claim] | None) -> Step:
        """Delivery has answered a Commit.

        Args:
            claims: one for each submission, or None where delivery could not say in time; then the copies
                go out, since a copy too many is dropped by TikTok and a lost one is lost.
        """
        won = []
        for index, event in enumerate(self._taken):
            if claims is None or claims[index].browser:
                won.append(event)
            elif event.once:
                self.notices.count("already_counted")
        self._copies = [*self._copies, *won]
        self._taken = ()
        then, self._then = self._then, None  # it knows us: let go of, we are freed with the request
        return then() if then is not None else None

    @_guarded
    def finish(self, late: Callable[[Tracker, Pending], None] | None = None) -> Step:
        """The response has ended; what was tracked since its head left can only go by the server.

        Args:
            late: takes what is tracked from now on, by code that outlives its response.
        """
        self.phase = Phase.DONE
        self.tracker.late = late
        made = [late_submission(pending, self.tracker) for pending in self.tracker.take()]
        submissions = tuple(submission for submission in made if submission is not None)
        return Commit(submissions) if submissions else None

    # -- or do not

    @_guarded
    def give_up(self) -> Step:
        """The app has failed: its events are discarded, and what was held leaves as the app sent it."""
        self._fail()
        return self.failed()

    def failed(self) -> Forward | None:
        """We have failed: what was held leaves as the app sent it, and nothing more is done."""
        headers, held = self._headers, self._held
        if self._body is not None:
            held += self._body.surrender(self._piece)
        self._headers, self._held, self._body, self._piece = None, b"", None, b""
        self.phase = Phase.DONE
        return Forward(headers, held) if headers is not None or held else None

    def _fail(self) -> None:
        for _ in range(self.tracker.discard()):
            self.notices.count("request_failed")

    def _concerns_us(self, headers: Headers) -> bool:
        """Whether there can be anything to do; most answers end here."""
        tracker = self.tracker
        return bool(
            tracker.pending
            or tracker.consent_word
            or says_html(headers)
            or "ttclid" in self._facts.query
            or self._facts.mentions("cookie", CARRY)
        )

    def _pass(self) -> Forward:
        return Forward(self._take_headers())

    def _take_headers(self) -> Headers:
        """The app's headers, on their way out; nothing of ours remains to be done."""
        headers, self._headers = self._headers or [], None
        self.phase = Phase.DONE
        return headers

    # -- the place is searched

    def _search(self, body: Body, *, last: bool) -> Step:
        search = body.feed(self._piece, last=last)
        self._piece = b""
        if search is Search.FOUND:
            self.phase = Phase.DONE if last else Phase.PASSING
            return self._settle(self._leave_with_script)
        if search is Search.NEVER:
            # Nor is the end of the body a place: it may lie inside a comment or a script.
            self.phase = Phase.DONE if last or body.is_untouched else Phase.PASSING
            self._held = body.surrender()
            if body.is_document:
                return self._without_place("no_head_end", Place.CARRY)
            return self._without_place("fragment", Place.ANSWER)
        if not body.is_document or self._must_hold_head:
            return None
        self._held = body.release()
        return self._settle(self._leave_without_script) if self._headers is not None else self._let_go(None)

    def _pass_on(self, body: Body, *, last: bool) -> Step:
        """What follows the place, or a body that is left as it came."""
        may_add = last and self.phase is Phase.PASSING and bool(self.tracker.pending) and not self._head.content_length
        if last:
            self.phase = Phase.DONE
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
        if self._headers is None or self.plan is None:
            for _ in self._copies:
                self.notices.count(f"browser_{reason}")
            self._copies = ()
            return self._let_go(None)
        self.plan = self.plan._replace(place=place, reasons=(reason, *self.plan.reasons))
        self._handout = Handout(self._facts, self._setup, self.tracker, self.plan)
        return self._settle(self._leave_head)

    # -- events are handed to delivery

    def _settle(self, then: Callable[[], Forward]) -> Forward | Commit:
        """Hand over what was tracked until now, then go on with ``then``."""
        taken = self.tracker.take()
        if not taken:
            return then()
        self._then = then
        events = [pending.event for pending in taken]
        may_go = self._handout.choose(events) if self._handout is not None else [False] * len(events)
        is_live = self.plan is None or self.plan.timing is Timing.LIVE
        handed: list[Event] = []
        submissions: list[Submission] = []
        for event, browser in zip(events, may_go, strict=True):
            server = bool(event.channels.server) and is_live and self.tracker.may_send
            if not is_live and event.channels.server:
                self.notices.count("server_prefetch")
            if browser or server:
                handed.append(event)
                submissions.append(make_submission(event, self.tracker, browser=browser, server=server))
        self._taken = handed
        return Commit(tuple(submissions)) if submissions else then()

    # -- bytes leave

    def _leave_head(self) -> Forward:
        """The head with its cookies and headers, and whatever of the body was held."""
        headers, handout = self._headers, self._handout
        if headers is not None and handout is not None:
            added = handout.headers(self._copies)
            headers = with_changes(headers, added=added, is_private=True) if added else headers
        self._copies = ()
        self.phase = Phase.DONE
        return self._let_go(headers)

    def _leave_with_script(self) -> Forward:
        """The page, with the script in its place."""
        script, body = self._script(), self._body
        if body is None:  # never with a page; keeps the types honest
            return self._let_go(self._headers)
        spliced = body.splice(script.data)
        growth_bytes = body.growth_bytes(script.data, spliced, self._head.content_length)
        headers = self._head_of_page(growth_bytes, is_personal=script.is_personal, mark=script.mark(self._setup))
        body.forget()
        self._held += spliced
        return self._let_go(headers)

    def _leave_without_script(self) -> Forward:
        """The first part of a streamed page, while its script is still to come."""
        is_personal = self._handout is not None and self._handout.may_be_personal
        return self._let_go(self._head_of_page(None, is_personal=is_personal))

    def _leave_end(self) -> Forward:
        """The last bytes of a streamed page, with what was tracked while it was made."""
        script = self._handout.late_script(self._copies, self._nonce) if self._handout is not None else b""
        self._held += self._body.end(script) if self._body is not None else b""
        self._copies = ()
        return self._let_go(None)

    def _let_go(self, headers: Headers | None) -> Forward:
        """Everything held, and the head if it is given; the last thing that can happen in a step."""
        held, self._held = self._held, b""
        if headers is not None:
            self._headers = None
        return Forward(headers, held)

    def _script(self) -> Script:
        script = self._handout.script(self._copies, self._nonce) if self._handout is not None else Script(b"")
        self._copies = ()
        return script

    @property
    def _policies(self) -> Policies | None:
        """The page's Content Security Policies; None where it has none, or is not to be asked."""
        enforced, report_only = self._head.content_security_policy, self._head.content_security_policy_report_only
        if self._setup.config.csp == "off" or not (enforced or report_only):
            return None
        return read_policies([enforced] if enforced else [], [report_only] if report_only else [])

    @property
    def _nonce(self) -> str:
        policies = self._policies
        return policies.nonce if policies is not None else ""

    def _say_what_is_blocked(self) -> None:
        """Tell the operator, once for each directive, what the page's policy keeps our scripts from."""
        policies = self._policies
        if policies is None:
            return
        origin = f"{self._facts.scheme}://{self._facts.host}"
        for blocked in policies.verdict(self._setup.config.pixel_url, origin, self._setup.helper_url(self._facts)):
            self.notices.once(f"csp {blocked.directive} {blocked.add}", blocked.advice)

    def _head_of_page(self, growth_bytes: int | None, *, is_personal: bool, mark: str = "") -> Headers | None:
        """The head of a page that a script goes into; None when it has left already."""
        if self._headers is None or self._handout is None:
            return None
        added = self._handout.headers([])
        extend = self._setup.extend_policy
        if extend is None:
            self._say_what_is_blocked()
        return with_changes(
            self._headers,
            added=added,
            body_growth_bytes=growth_bytes,
            is_private=bool(added) or is_personal,
            extend_policy=extend,
            mark=mark,
        )
