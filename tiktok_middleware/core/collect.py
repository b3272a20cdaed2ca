"""What a page reports to our endpoint, judged: may the pixel load, which events count; it stores and sends nothing.

A report is decided by the same readers and tables as a page: :class:`PageFacts` is the request that the page would make
now, and :class:`Tracker` the visitor behind it. Whatever a browser sends, the answer is a value, never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tiktok_middleware.core.address import holds_identity
from tiktok_middleware.core.confirm import confirmed, sent
from tiktok_middleware.core.event import Claim, Submission
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.handout import Handout
from tiktok_middleware.core.page_facts import PageFacts
from tiktok_middleware.core.policy import Audience, Codec, Place, Plan, Timing
from tiktok_middleware.core.responses import Answer
from tiktok_middleware.core.setup import Setup
from tiktok_middleware.core.tracker import Tracker

__all__ = ["MAX_BODY_BYTES", "Report", "hear", "refusal", "refuse"]

#: The most that is read of a report.
MAX_BODY_BYTES = 16_384

_MAX_CONFIRMED, _MAX_EVENTS, _MAX_REFERENCES = 100, 20, 20
_MAX_REFERENCE_CHARS = 64

_PAGE = Plan(Place.DOCUMENT, Audience.ONE, Codec.IDENTITY, Timing.LIVE)

_Word = Literal["", "g", "d"]


class _Body(msgspec.Struct):
    """The body of a report; unknown keys are ignored."""

    u: str = ""
    r: str = ""
    w: _Word = ""
    b: _Word = ""
    c: Annotated[list[tuple[str, str]], msgspec.Meta(max_length=_MAX_CONFIRMED)] = []
    e: Annotated[list[tuple[str, dict[str, Any], str]], msgspec.Meta(max_length=_MAX_EVENTS)] = []
    x: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=_MAX_REFERENCE_CHARS)]], msgspec.Meta(max_length=_MAX_REFERENCES)
    ] = []


_decode = msgspec.json.Decoder(_Body).decode
_encode = msgspec.json.Encoder().encode


class Report(NamedTuple):
    """A report that was understood, on its way to an answer.

    Attributes:
        submissions: what is to be stored and claimed.
        references: of the copies that the page asks for.
        tracker: the visitor.
        may_load: whether the pixel may load, and events fire, in this page.
        ids: of the event behind each submission.
        refused: ids of events that are not to be counted, whatever the browser thinks.
    """

    submissions: tuple[Submission, ...]
    references: tuple[str, ...]
    tracker: Tracker
    may_load: bool
    ids: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    def answer(self, claims: Sequence[Claim] | None, copies: Sequence[bytes | None]) -> Answer:
        """Our response.

        Args:
            claims: one for each submission, None where delivery could not say in time: then the browser fires, since
                a copy too many is dropped by TikTok and a lost one is lost.
            copies: one for each reference: JSON of the copy, None where there is none.
        """
        tracker = self.tracker
        said: dict[str, object] = {"load": self.may_load}
        if tracker.consent.limited_data_use:
            said["ldu"] = True
        known = [msgspec.Raw(copy) for copy in copies if copy is not None]
        if known:
            said["e"] = known
        not_ours = [*self.refused, *self._counted_before(claims)]
        if not_ours:
            said["no"] = not_ours
        cookies = Handout(tracker.facts, tracker.setup, tracker, _PAGE).headers([])
        return _answer(200, _encode(said), cookies)

    def _counted_before(self, claims: Sequence[Claim] | None) -> list[str]:
        if not (claims and self.may_load):
            return []
        counted = [event_id for event_id, claim in zip(self.ids, claims, strict=True) if not claim.browser]
        for _ in counted:
            self.tracker.setup.notices.count("already_counted")
        return counted


def refusal(facts: RequestFacts, setup: Setup) -> Answer | None:
    """Our answer to what is no report of a page of ours, before any of its body is read; None for one that may be."""
    if facts.method != "POST":
        return refuse(setup, 405, "method", [("Allow", "POST")])
    if not _is_same_origin(facts):
        return refuse(setup, 403, "origin")
    return None


def refuse(setup: Setup, status: int, reason: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """A refusal, counted by its reason."""
    setup.notices.count(f"collect_{reason}")
    return _answer(status, _encode({"error": reason}), headers)


def hear(facts: RequestFacts, setup: Setup, body: bytes) -> Report | Answer:
    """The report in a body, or our refusal of it.

    Args:
        facts: the request that brought it.
        setup: the configuration.
        body: as it came, :data:`MAX_BODY_BYTES` at most.
    """
    if len(body) > MAX_BODY_BYTES:
        return refuse(setup, 413, "too_large")
    try:
        said = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return refuse(setup, 400, "malformed")
    tracker = _visitor(facts, setup, said)
    is_told = holds_identity(tracker.facts.target)
    may_load = tracker.may_send and not (is_told or setup.config.browser_reason or _is_excluded(tracker))
    return _judged(tracker, said, may_load=may_load)


def _is_same_origin(facts: RequestFacts) -> bool:
    """Whether a page of our own origin sent it; browsers without Fetch Metadata name their origin on every POST."""
    site = facts.header("sec-fetch-site")
    if site:
        return site == "same-origin"
    try:
        origin = urlsplit(facts.header("origin"))
    except ValueError:
        return False
    return origin.scheme in {"http", "https"} and origin.netloc.lower() == facts.host


def _is_excluded(tracker: Tracker) -> bool:
    return tracker.setup.is_excluded(tracker.facts.path)


def _visitor(facts: RequestFacts, setup: Setup, said: _Body) -> Tracker:
    """Who reports, with the word that they have just given remembered as a later page would read it."""
    counts = setup.config.consent.partition(":")[0] == "bridge"
    word = said.w or (said.b if counts else "")
    tracker = Tracker(PageFacts(facts, said.u, said.r, word), setup)
    # A yes that a refusal outranks is not written down: it would count once the refusal is gone.
    if word == "d" or (word == "g" and tracker.consent.is_granted):
        tracker.consent_word = word
    return tracker


def _judged(tracker: Tracker, said: _Body, *, may_load: bool) -> Report:
    """The events of the report, as far as the visitor's consent lets them count."""
    notices = tracker.setup.notices
    refused = tracker.consent.reason or ("excluded" if _is_excluded(tracker) else "")
    if refused:
        for _ in (*said.c, *said.e):
            notices.count(f"collect_{refused}")
        return Report((), (), tracker, may_load)
    confirmations = [(event_id, confirmed(tracker, token, event_id, browser=may_load)) for token, event_id in said.c]
    events = [
        (event_id, sent(tracker, name, properties, event_id, browser=may_load)) for name, properties, event_id in said.e
    ]
    made = [(event_id, submission) for event_id, submission in (*confirmations, *events) if submission is not None]
    return Report(
        submissions=tuple(submission for _, submission in made),
        references=tuple(said.x),
        tracker=tracker,
        may_load=may_load,
        ids=tuple(event_id for event_id, _ in made),
        refused=tuple(event_id for event_id, submission in confirmations if submission is None),
    )


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
