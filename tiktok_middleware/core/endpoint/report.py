"""Judge the report of a page: whether the pixel may load, and which of its events count.

The code that decides a page also decides its report: :class:`ReportedPage` is the request for that page, and
:class:`RequestState` its visitor. For any input from a browser the result is a value, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tiktok_middleware.core.consent.consent import stored_word
from tiktok_middleware.core.endpoint.ask_again import again, has_asked_before, stored_name
from tiktok_middleware.core.endpoint.neighbour import note_neighbour
from tiktok_middleware.core.endpoint.redeem import ReportedEvent, confirmed, redeemed, sent
from tiktok_middleware.core.endpoint.reported_page import ReportedPage
from tiktok_middleware.core.events.event import NOT_YET, Claim, Event, OutboxEntry
from tiktok_middleware.core.http.own_response import Answer
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.redirect_cookie import RedirectEvents
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.policy import Audience, Codec, Place, Plan, Timing
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.visitor.url_redaction import holds_identity

__all__ = ["MAX_BODY_BYTES", "Report", "ReportOutcome", "hear", "refusal", "refuse"]

#: Limit of a report's body, in bytes.
MAX_BODY_BYTES = 16_384

_MAX_CONFIRMED, _MAX_EVENTS, _MAX_REFERENCES = 100, 20, 20
_MAX_REFERENCE_CHARS, _MAX_WORD_CHARS = 64, 80

_PAGE = Plan(Place.DOCUMENT, Audience.ONE, Codec.IDENTITY, Timing.LIVE)

_Word = Literal["", "g", "d"]


class _Body(msgspec.Struct):
    """The body of a report; unknown keys are ignored.

    Attributes:
        u, r: the page's address and referrer.
        w, b: the visitor's choice, from this site's code and from a consent platform's script.
        c: signed events that the page fires itself, each with the browser's id.
        m: signed events of markup: the page fires the copy in the answer, never the one in the markup.
        e: events that the page sends by itself.
        x: references of copies that wait in the outbox.
        n: 1 if the browser kept the events of an answer from another host from the page.
        p: whether the page holds the copies of its events until the answer.
        h: 1 if the page asks whether anything has changed.
        o: another base code or a gateway that the page holds, as ``browser/beside.js`` reports it.
    """

    u: str = ""
    r: str = ""
    w: _Word = ""
    b: _Word = ""
    q: int = 0
    n: int = 0
    p: bool = False
    h: int = 0
    o: Annotated[str, msgspec.Meta(max_length=_MAX_WORD_CHARS)] = ""
    c: Annotated[list[tuple[str, str]], msgspec.Meta(max_length=_MAX_CONFIRMED)] = []
    m: Annotated[list[tuple[str, str]], msgspec.Meta(max_length=_MAX_CONFIRMED)] = []
    e: Annotated[list[tuple[str, dict[str, Any], str]], msgspec.Meta(max_length=_MAX_EVENTS)] = []
    x: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=_MAX_REFERENCE_CHARS)]], msgspec.Meta(max_length=_MAX_REFERENCES)
    ] = []


#: Maximum nesting of a report. Newer Pythons decode thousands of levels, which later recursive code could not handle.
_MAX_DEPTH = 64
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)

_decode = msgspec.json.Decoder(_Body).decode
_encode = msgspec.json.Encoder().encode


class Report(NamedTuple):
    """A parsed report.

    Attributes:
        tracker: state of the reporting visitor.
        may_load: whether the pixel may load, and events fire, in this page.
        references: references of deferred copies that the page may have.
        said: its body.
        refused: why none of its events counts; empty when they may.
        is_told: whether the pixel may not load only because the page's address or referrer holds identity.
    """

    tracker: RequestState
    may_load: bool
    references: tuple[str, ...]
    said: _Body
    refused: str
    is_told: bool = False

    @property
    def event_count(self) -> int:
        """Number of events that it brings or asks for."""
        return len(self.said.c) + len(self.said.e) + len(self.said.m) + len(self.said.x)

    @property
    def has_word(self) -> bool:
        """Whether it holds a choice of the visitor."""
        return bool(self.said.w or self.said.b)

    def without_events(self) -> Report:
        """Return the same report without its events."""
        said = _Body(self.said.u, self.said.r, self.said.w, self.said.b)
        return self._replace(said=said, references=())

    def judged(self, deferreds: Sequence[bytes | None]) -> ReportOutcome:
        """Return which of its events count.

        Args:
            deferreds: the stored payload of each reference, None or `NOT_YET` if there is none.
        """
        tracker, said, browser = self.tracker, self.said, self.may_load
        if self.refused:
            for _ in (*said.c, *said.m, *said.e):
                tracker.runtime.notices.count(f"collect_{self.refused}")
            return ReportOutcome(self, ())
        found = [_opened(deferred) for deferred in deferreds if deferred]
        missing = [ref for ref, deferred in zip(said.x, deferreds, strict=False) if deferred == NOT_YET]
        verdicts = [
            *(confirmed(tracker, token, event_id, browser=browser) for token, event_id in said.c),
            *(confirmed(tracker, token, event_id, browser=browser, with_copy=True) for token, event_id in said.m),
            *(sent(tracker, name, given, event_id, browser=browser) for name, given, event_id in said.e),
            *(redeemed(tracker, token, browser=browser) for token in found if isinstance(token, str)),
        ]
        copies = [copy for copy in found if not isinstance(copy, str)]
        return ReportOutcome(self, tuple(verdicts), copies, missing)


class ReportOutcome(NamedTuple):
    """A report with the results for its events.

    Attributes:
        report: the report.
        verdicts: one result for each event.
        copies: deferred browser copies, which the page fires unchanged.
        missing: references of copies that may be there later.
    """

    report: Report
    verdicts: tuple[ReportedEvent, ...]
    copies: Sequence[object] = ()
    missing: Sequence[str] = ()

    @property
    def submissions(self) -> tuple[OutboxEntry, ...]:
        """Entries to store and claim."""
        return tuple(verdict.submission for verdict in self.verdicts if verdict.submission is not None)

    @property
    def _only_waits(self) -> bool:
        """Whether the report asks for copies that may be there later, once more, and for nothing else."""
        said = self.report.said
        brings = said.c or said.m or said.e or said.w or said.b or said.q or said.h or said.n or said.o
        return not brings and len(self.missing) == len(said.x) > 0 and all(map(has_asked_before, self.missing))

    def answer(self, claims: Sequence[Claim] | None) -> Answer:
        """Return the response to the report.

        Args:
            claims: one for each submission; None if delivery did not answer in time. Then the browser fires all
                copies: TikTok drops duplicates, but a copy that is not fired is lost.
        """
        tracker, may_load = self.report.tracker, self.report.may_load
        if self._only_waits:
            return refuse(tracker.runtime, 429, "uncommitted", [("Retry-After", "1")])
        said: dict[str, object] = {"load": may_load}
        if self.report.is_told:
            said["told"] = True
        if tracker.consent.limited_data_use:
            said["ldu"] = True
        if may_load and self.report.said.q:
            said["js"] = _pixel(tracker)
        output = BrowserOutput(tracker.request, tracker.runtime, tracker, _PAGE)
        carried = output.earlier.carried if may_load and self.report.said.h else RedirectEvents()
        if carried.references:
            carried = RedirectEvents()  # stored events go to a page, which has more room
        copies, counted = self._sorted(claims) if may_load else ([], [])
        copies += carried.copies
        counted += [verdict.event_id for verdict in self.verdicts if verdict.submission is None and verdict.event_id]
        if copies:
            said["e"] = copies
        if counted:
            said["no"] = counted
        kept = output.event_headers.kept(self._waiting(claims)) if may_load and self.report.said.p else []
        if kept or carried.names:
            said["k"] = [*carried.names, *(value.partition("=")[0] for _, value in kept)]
        return _answer(200, _encode(said), [*output.headers([]), *kept, *again(self.missing)])

    def _waiting(self, claims: Sequence[Claim] | None) -> list[Event]:
        """Return the events whose copies the page fires after this answer, unless the visitor has left it by then."""
        stored = [verdict for verdict in self.verdicts if verdict.submission is not None]
        return [
            verdict.waiting
            for index, verdict in enumerate(stored)
            if verdict.waiting is not None and (claims is None or claims[index].browser)
        ]

    def _sorted(self, claims: Sequence[Claim] | None) -> tuple[list[object], list[str]]:
        """Return the copies that the browser fires, and the ids that it must not fire: they are counted already."""
        copies, counted = list(self.copies), []
        stored = [verdict for verdict in self.verdicts if verdict.submission is not None]
        for index, verdict in enumerate(stored):
            if claims is not None and not claims[index].browser:
                counted.append(verdict.event_id)
                self.report.tracker.runtime.notices.count("already_counted")
            elif verdict.copy is not None:
                copies.append(verdict.copy)
        brought = {verdict.event_id for verdict in stored if verdict.copy in copies}
        return copies, [event_id for event_id in counted if event_id not in brought]


def refusal(request: RequestView, runtime: Runtime) -> Answer | None:
    """Reject anything but a same-origin POST, before its body is read; return None for one."""
    if request.method != "POST":
        refused = refuse(runtime, 405, "method", [("Allow", "POST")])
        return refused._replace(body=b"") if request.method == "HEAD" else refused
    if not _is_same_origin(request):
        return refuse(runtime, 403, "origin")
    return None


def refuse(runtime: Runtime, status: int, reason: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """Return an error response, and count its reason."""
    runtime.notices.count(f"collect_{reason}")
    return _answer(status, _encode({"error": reason}), headers)


def hear(request: RequestView, runtime: Runtime, body: bytes) -> Report | Answer:
    """Parse a report; return an error response if it is malformed or too large.

    Args:
        request: the request of the report.
        runtime: the configuration.
        body: raw body; more than :data:`MAX_BODY_BYTES` is rejected.
    """
    if len(body) > MAX_BODY_BYTES:
        return refuse(runtime, 413, "too_large")
    if _is_too_deep(body):
        return refuse(runtime, 400, "malformed")
    try:
        said = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return refuse(runtime, 400, "malformed")
    tracker = _visitor(request, runtime, said)
    if said.n:
        runtime.notices.count("browser_answer_unheard")
    if said.o:
        note_neighbour(runtime, said.o)
    is_told = _tells_too_much(said)
    may_load = tracker.may_send and not (is_told or runtime.config.browser_reason or _is_excluded(tracker))
    refused = tracker.consent.reason or ("excluded" if _is_excluded(tracker) else "")
    references = tuple(map(stored_name, said.x)) if may_load else ()
    return Report(tracker, may_load, references, said, refused, is_told=is_told and tracker.may_send)


def _is_too_deep(body: bytes) -> bool:
    """Return True when lists and objects are nested deeper than a report needs."""
    if body.count(b"[") + body.count(b"{") <= _MAX_DEPTH:
        return False
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(body):
        mark = found[0]
        depth += mark in b"[{" or -(mark in b"]}")
        if depth > _MAX_DEPTH:
            return True
    return False


def _tells_too_much(said: _Body) -> bool:
    """Return True when the page's address or referrer holds identity, which the pixel would report unredacted."""
    return holds_identity(said.u.replace("#", "?")) or holds_identity(said.r)


def _is_same_origin(request: RequestView) -> bool:
    """Return whether a page of our origin sent it. Browsers without Fetch Metadata send ``Origin`` on every POST."""
    site = request.header("sec-fetch-site")
    if site:
        return site == "same-origin"
    try:
        origin = urlsplit(request.header("origin"))
    except ValueError:
        return False
    return origin.scheme in {"http", "https"} and request.is_own(origin.netloc.lower())


def _is_excluded(tracker: RequestState) -> bool:
    return tracker.runtime.is_excluded(tracker.request.path)


def _visitor(request: RequestView, runtime: Runtime, said: _Body) -> RequestState:
    """Return the state of the reporting visitor, with the consent that the report states."""
    reported = said.b if runtime.is_bridged else None
    page = ReportedPage(request, said.u, said.r, reported)
    tracker = RequestState(page, runtime)
    if said.w:
        tracker.state_word(said.w)
    word = said.w or reported or ""
    # A grant that a refusal outranks is not stored: it would apply once the refusal is gone.
    if word == "d" or (word == "g" and tracker.consent.is_granted and (said.w or stored_word(request).letter != "g")):
        tracker.consent_word = word
    if tracker.consent.is_granted:
        tracker.mint_ttp()
    return tracker


def _pixel(tracker: RequestState) -> str:
    """Return the pixel's script, for a page that was made without it because the visitor had refused."""
    request, runtime = tracker.request, tracker.runtime
    collect = runtime.collect_url(request) if runtime.browser_events else ""
    return runtime.snippet.code(page=runtime.counts_pages, limited=tracker.consent.limited_data_use, collect=collect)


def _opened(deferred: bytes) -> Any:
    """Return a copy, as a list, or the token of a signed event. The payload is our own, so it is always valid."""
    return msgspec.json.decode(deferred)


def _answer(status: int, body: bytes, headers: Sequence[tuple[str, str]]) -> Answer:
    return Answer(
        status,
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *headers,
        ],
        body,
    )
