"""The story of one request, told by direct calls: what leaves when, and what never leaves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import FETCH, GOOD_TTP, NAVIGATION, counts, exchange_of, runtime_of, scope_request
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.redirect_cookie import CARRY, SEALED, read_carry, write_carry
from tiktok_middleware.core.response.exchange import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.response.policy import Place
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import TrackedEvent
from tiktok_middleware.core.tracking.server_event import late_entry

HEAD = b"<!doctype html><html><head><title>Shop</title>"
PAGE = HEAD + b"</head><body><p>Hello</p></body></html>"
HTML = [(b"content-type", b"text/html; charset=utf-8")]
JSON = [(b"content-type", b"application/json")]
SIZED = [*HTML, (b"content-length", str(len(PAGE)).encode())]

Headers = list[tuple[bytes, bytes]]


class Story:
    """An exchange with a delivery that is told what to answer."""

    def __init__(
        self,
        url: str = "/",
        headers: dict[str, str] | None = None,
        runtime: Runtime | None = None,
        claim: Claim | None = None,
        **more: Any,
    ) -> None:
        self.runtime = runtime or runtime_of()
        self.request: RequestView = scope_request(url, NAVIGATION if headers is None else headers, **more)
        self.exchange = exchange_of(self.request, self.runtime)
        self.track = self.exchange.tracker.track
        self.claim = claim or Claim(browser=True, server=True)
        self.submissions: list[OutboxEntry] = []
        self.headers: Headers | None = None
        self.body = b""

    def do(self, step: Step, *given: Any) -> Step:
        """Carry out a step, as a door does.

        Args:
            step: what the exchange answered.
            given: what it was given: the headers, or None and a piece of the body.
        """
        if isinstance(step, Commit):
            self.submissions += step.submissions
            step = self.exchange.committed([self.claim] * len(step.submissions))
        if step is PASS:
            step = Forward(*given)
        if isinstance(step, Forward):
            if step.headers is not None:
                assert self.headers is None, "the head left twice"
                self.headers = step.headers  # type: ignore[assignment]  # this door speaks bytes
            if step.body:
                assert self.headers is not None, "bytes left before the head"
            self.body += step.body
        return step

    def start(self, status: int = 200, headers: Headers = HTML) -> Step:
        given = list(headers)
        return self.do(self.exchange.response_started(status, given), given)

    def feed(self, *chunks: bytes, last: bool = True) -> None:
        for index, chunk in enumerate(chunks):
            self.do(self.exchange.body_received(chunk, last=last and index == len(chunks) - 1), None, chunk)

    def answer(self, status: int, headers: Headers, *chunks: bytes) -> Story:
        self.start(status, headers)
        self.feed(*(chunks or (b"",)))
        self.finish()
        return self

    def finish(self) -> list[TrackedEvent]:
        late: list[TrackedEvent] = []
        step = self.exchange.finish(lambda _, pending: late.append(pending))
        if isinstance(step, Commit):
            self.submissions += step.submissions
        return late

    def is_in(self, phase: Phase) -> bool:
        return self.exchange.phase is phase

    @property
    def sent(self) -> tuple[Headers | None, bytes]:
        return self.headers, self.body

    @property
    def scripts(self) -> bytes:
        return b"".join(re.findall(rb"<script.*?</script>", self.body, re.DOTALL))

    @property
    def without_scripts(self) -> bytes:
        return re.sub(rb"<script.*?</script>", b"", self.body, flags=re.DOTALL)

    def header(self, name: bytes) -> bytes:
        return b", ".join(value for key, value in self.headers or [] if key == name)

    def cookie(self, name: str) -> str:
        found = re.search(rf"{name}=([^;]*)", self.header(b"set-cookie").decode())
        return found[1] if found else ""

    @property
    def carrying(self) -> dict[str, str]:
        """The Cookie header of a browser that was left events for the next page."""
        found = re.search(rf"{re.escape(CARRY)}\.[^;]*", self.header(b"set-cookie").decode())
        return {"cookie": found[0]} if found else {}


# -- the phases


def test_what_does_not_concern_us_passes_at_once_and_as_it_is() -> None:
    story = Story("/", FETCH)
    assert story.is_in(Phase.WAITING)
    assert story.exchange.response_started(200, list(JSON)) is PASS
    assert story.is_in(Phase.DONE)
    assert story.exchange.body_received(b"{}", last=True) is PASS
    assert story.exchange.plan is None


@pytest.mark.parametrize("options", [{"enabled": False}, {"pixel_id": "", "access_token": ""}])
def test_switched_off_nothing_concerns_us(options: dict[str, Any]) -> None:
    story = Story("/?ttclid=E.C.P.x", {**NAVIGATION, "cookie": f"{CARRY}=x"}, runtime_of(**options))
    story.track("Contact")
    story.exchange.tracker.grant_consent()
    story.answer(200, SIZED, PAGE)
    assert (story.headers, story.body) == (SIZED, PAGE)
    assert story.submissions == []


def test_a_page_is_held_until_its_place_is_found_and_then_streams() -> None:
    story = Story()
    assert story.start() is None
    assert story.is_in(Phase.SEARCHING)
    story.feed(HEAD[:10], last=False)
    assert story.is_in(Phase.SEARCHING)
    story.feed(HEAD[10:] + b"</head><body>", last=False)
    assert story.is_in(Phase.PASSING)
    assert story.body.startswith(HEAD + b"<script>")
    assert story.body.endswith(b"</script></head><body>")
    before = len(story.body)
    story.feed(b"<p>now</p>", last=False)
    assert story.body[before:] == b"<p>now</p>"  # each piece leaves as it comes
    story.feed(b"</body>", last=True)
    assert story.is_in(Phase.DONE)


def test_a_promised_length_stays_true() -> None:
    story = Story().answer(200, SIZED, PAGE[:30], PAGE[30:])
    assert int(story.header(b"content-length")) == len(story.body) > len(PAGE)
    assert story.without_scripts == PAGE


@pytest.mark.parametrize("body", [b"<p>a fragment</p>", b"", b"{}", b"plain", b"<!doctype html><html><head>", b"<!--"])
@pytest.mark.parametrize("sized", [True, False])
def test_what_has_no_place_passes_whole(body: bytes, sized: bool) -> None:
    headers = [*HTML, *([(b"content-length", str(len(body)).encode())] if sized else [])]
    story = Story().answer(200, headers, body)
    assert story.without_scripts == body
    if sized:
        assert int(story.header(b"content-length")) == len(story.body)


@given(st.lists(st.integers(0, len(PAGE)), max_size=6).map(sorted), st.booleans(), st.booleans())
def test_any_split_of_a_page_gives_the_same_answer(cuts: list[int], sized: bool, tracks: bool) -> None:
    def told(chunks: list[bytes]) -> tuple[Headers | None, bytes, int]:
        story = Story()
        if tracks:
            story.track("Contact", event_id="same")
        story.answer(200, SIZED if sized else HTML, *chunks)
        return sorted(story.headers or []), story.body, len(story.submissions)

    edges = [0, *cuts, len(PAGE)]
    chunks = [PAGE[begin:end] for begin, end in pairwise(edges)]
    headers, body, submissions = told(chunks)
    whole_headers, whole_body, whole_submissions = told([PAGE])
    assert (body, submissions) == (whole_body, whole_submissions)
    assert {name for name, _ in headers or []} - {b"cache-control"} == {name for name, _ in whole_headers or []} - {
        b"cache-control"
    }


# -- events leave with the response


def test_events_are_handed_over_before_the_bytes_that_carry_them() -> None:
    story = Story("/?ttclid=E.C.P.x")
    event = story.track("Purchase", value=5, currency="EUR", order_id="A-1")
    assert story.start() is None
    step = story.exchange.body_received(PAGE, last=True)
    assert isinstance(step, Commit)
    assert [(s.event_id, s.browser, s.once, len(s.records)) for s in step.submissions] == [
        (event.event_id, True, True, 1)
    ]
    assert json.loads(step.submissions[0].records[0].body)["user"]["ttclid"] == "E.C.P.x"
    assert story.body == b""
    story.do(step)
    assert event.event_id.encode() in story.scripts
    assert b"private" in story.header(b"cache-control")


def test_an_event_that_was_counted_already_is_not_handed_out_again() -> None:
    story = Story(claim=Claim(browser=False, server=False))
    event = story.track("Purchase", value=5, currency="EUR", order_id="A-1")
    story.answer(200, HTML, PAGE)
    assert event.event_id.encode() not in story.body
    assert story.without_scripts == PAGE
    assert counts(story.runtime)["already_counted"] == 1


def test_where_delivery_cannot_say_in_time_the_copies_go() -> None:
    story = Story()
    event = story.track("Contact")
    story.start()
    assert isinstance(story.exchange.body_received(PAGE, last=True), Commit)
    story.do(story.exchange.committed(None))
    assert event.event_id.encode() in story.scripts


def test_an_event_crosses_a_redirect_and_fires_on_the_page_behind_it() -> None:
    story = Story("/pay")
    event = story.track("Purchase", value=5, currency="EUR")
    story.answer(302, [(b"location", b"/thanks"), (b"content-length", b"0")])
    carried = read_carry(scope_request("/", story.carrying), story.runtime.signer)
    assert [copy[2] for copy in carried.copies] == [event.event_id]
    assert len(story.submissions[0].records) == 1
    page = Story("/thanks", {**NAVIGATION, **story.carrying}, story.runtime).answer(200, HTML, PAGE)
    assert event.event_id.encode() in page.scripts
    assert page.submissions == []  # its server copy has gone


def test_an_event_goes_with_an_answer() -> None:
    story = Story("/api/cart", FETCH)
    event = story.track("AddToCart", value=5, currency="EUR")
    story.answer(200, [*JSON, (b"content-length", b"2"), (b"etag", b'"x"')], b"{}")
    assert story.body == b"{}"
    assert json.loads(story.header(b"tiktok-events"))[0][2] == event.event_id
    assert story.header(b"server-timing").startswith(b'tiktok;desc="')
    assert story.header(b"content-length") == b"2"
    assert story.header(b"cache-control") == b"private"
    assert len(story.submissions) == 1


def test_an_html_fragment_brings_its_events_in_a_header() -> None:
    for headers in ({**FETCH, "hx-request": "true"}, FETCH):
        story = Story("/cart", headers)
        event = story.track("AddToCart", value=5, currency="EUR")
        story.answer(200, HTML, b"<li>Mug</li>")
        assert story.body == b"<li>Mug</li>"
        assert event.event_id.encode() in story.header(b"tiktok-events")


def test_what_a_stream_tracks_while_it_is_made_comes_at_its_end() -> None:
    story = Story()
    story.start()
    story.feed(HEAD + b"</head>", last=False)
    event = story.track("ViewContent")
    story.feed(b"<body>", last=False)
    story.feed(b"</body></html>", last=True)
    assert story.body.endswith(b"</script>")
    assert event.event_id.encode() in story.body.rpartition(b"</html>")[2]
    assert len(story.submissions) == 1


def test_a_promised_length_leaves_no_room_at_the_end() -> None:
    story = Story()
    story.start(200, SIZED)
    story.feed(PAGE[:60], last=False)
    event = story.track("ViewContent")
    story.feed(PAGE[60:], last=True)
    story.finish()
    assert int(story.header(b"content-length")) == len(story.body)
    assert event.event_id.encode() not in story.body
    assert [submission.browser for submission in story.submissions] == [False]
    assert counts(story.runtime)["late"] == 1


def test_a_shared_page_has_its_events_confirmed_by_whoever_gets_it() -> None:
    story = Story("/?ttclid=E.C.P.x", {**NAVIGATION, "cookie": f"_ttp={GOOD_TTP}"})
    event = story.track("ViewContent")
    story.exchange.tracker.identify(email="bob@example.com")
    story.answer(200, [*HTML, (b"cache-control", b"public, max-age=60")], PAGE)
    assert event.event_id.encode() not in story.body
    assert b"sha256" not in story.body
    assert story.header(b"set-cookie") == b""
    assert story.header(b"cache-control") == b"public, max-age=60"
    assert b'"s":[["ViewContent",{},"",' in story.scripts
    assert story.submissions == []


def test_a_prefetched_page_waits_with_its_server_copies() -> None:
    story = Story("/", {**NAVIGATION, "sec-purpose": "prefetch"})
    event = story.track("ViewContent")
    story.answer(200, HTML, PAGE)
    assert f'"s":[["ViewContent",{{}},"{event.event_id}",'.encode() in story.scripts
    assert story.submissions == []


def test_a_body_that_goes_its_own_way_still_carries_cookies() -> None:
    story = Story()
    event = story.track("Download")
    assert story.start(200, SIZED) is None
    story.do(story.exchange.body_unseen())
    assert story.exchange.plan is not None
    assert story.exchange.plan.place is Place.CARRY
    carried = read_carry(scope_request("/", story.carrying), story.runtime.signer)
    assert [copy[2] for copy in carried.copies] == [event.event_id]
    assert story.header(b"content-length") == str(len(PAGE)).encode()


# -- consent


@pytest.mark.parametrize("says", ["revoke", "disable"])
def test_who_says_no_after_an_event_was_tracked_sends_none(says: str) -> None:
    story = Story()
    event = story.track("Contact")
    if says == "revoke":
        story.exchange.tracker.revoke_consent()
    else:
        story.exchange.tracker.disable()
    story.answer(200, HTML, PAGE)
    refused = story.runtime.snippet.refused("") if says == "revoke" else b""
    assert story.body.replace(refused, b"") == PAGE
    assert event.event_id.encode() not in story.header(b"set-cookie")
    assert all(not submission.records for submission in story.submissions)


def test_without_consent_nothing_is_asked_of_tiktok_and_nothing_kept() -> None:
    story = Story("/?ttclid=E.C.P.x", {**NAVIGATION, "cookie": f"_ttp={GOOD_TTP}"}, runtime_of(consent="required"))
    story.track("ViewContent")
    story.answer(200, SIZED, PAGE)
    assert story.header(b"set-cookie") == b""
    assert b'"w":1' in story.scripts
    assert story.submissions == []


@pytest.mark.parametrize("says", ["grant", "revoke"])
def test_what_is_said_of_consent_after_an_event_was_tracked_counts(says: str) -> None:
    story = Story("/", NAVIGATION, runtime_of(consent="required"))
    event = story.track("Contact")
    assert event.channels.server.reason == "consent_unknown"
    getattr(story.exchange.tracker, f"{says}_consent")()
    story.answer(200, HTML, PAGE)
    assert [submission.event_id for submission in story.submissions] == [event.event_id] * (says == "grant")
    assert (event.event_id.encode() in story.body) is (says == "grant")


def test_the_first_event_carries_the_id_that_its_page_mints() -> None:
    story = Story("/", NAVIGATION, runtime_of(ttp="mint"))
    story.track("Contact")
    story.answer(200, HTML, PAGE)
    assert json.loads(story.submissions[0].records[0].body)["user"]["ttp"] == story.cookie("_ttp")


def test_what_is_tracked_late_on_a_page_that_waits_is_sealed_too() -> None:
    story = Story("/", NAVIGATION, runtime_of(consent="required"))
    assert story.start(200, HTML) is None
    story.do(story.exchange.body_received(PAGE[:-10], last=False))
    event = story.track("Contact")
    story.do(story.exchange.body_received(PAGE[-10:], last=True))
    assert f'tiktok.todo.push(["seal","Contact",{{}},"{event.event_id}",'.encode() in story.body
    assert story.submissions == []


def test_a_banks_return_is_one_pair_on_the_page_that_follows() -> None:
    runtime = runtime_of()
    bank = {**NAVIGATION, "sec-fetch-site": "cross-site", "origin": "https://bank.example"}
    post = Story("/return", bank, runtime, method="POST")
    event = post.track("Purchase", value=5, currency="EUR", order_id="A-1")
    post.answer(303, [(b"location", b"/thanks"), (b"content-length", b"0")])
    assert post.submissions == []
    token = post.cookie(SEALED)
    page = Story("/thanks", {**NAVIGATION, "cookie": f"{SEALED}={token}; _ttp={GOOD_TTP}"}, runtime)
    page.answer(200, HTML, PAGE)
    [submission] = page.submissions
    assert json.loads(submission.records[0].body)["user"]["ttp"] == GOOD_TTP
    assert event.event_id.encode() in page.scripts
    assert page.cookie(SEALED) == ""


# -- what fails


@pytest.mark.parametrize("status", [500, 503, 599])
def test_a_failed_request_sends_no_event_unless_it_was_to_be_kept(status: int) -> None:
    story = Story()
    lost, kept = story.track("Purchase", value=5, currency="EUR", order_id="A-1"), story.track("Contact", keep=True)
    story.answer(status, HTML, PAGE)
    assert lost.event_id.encode() not in story.body
    assert kept.event_id.encode() in story.body
    assert [submission.event_id for submission in story.submissions] == [kept.event_id]
    assert counts(story.runtime)["request_failed"] == 1


def test_an_app_that_raises_before_its_response_sends_nothing() -> None:
    story = Story()
    story.track("Purchase", value=5, currency="EUR", order_id="A-1")
    assert story.exchange.give_up() is None
    story.finish()
    assert story.headers is None
    assert story.submissions == []
    assert counts(story.runtime)["request_failed"] == 1


def test_an_app_that_raises_in_the_middle_has_what_it_sent_sent() -> None:
    story = Story()
    story.track("Contact")
    story.start(200, SIZED)
    story.feed(HEAD, last=False)
    assert story.headers is None
    story.do(story.exchange.give_up())
    story.finish()
    assert story.sent == (SIZED, HEAD)
    assert story.submissions == []


def test_an_event_to_be_kept_outlives_an_app_that_raises() -> None:
    story = Story()
    event = story.track("Contact", keep=True)
    story.exchange.give_up()
    story.finish()
    assert [submission.event_id for submission in story.submissions] == [event.event_id]


class Broken:
    """A part of ours that fails."""

    def __getattr__(self, name: str) -> Any:
        raise OSError(f"broken at {name}")


@pytest.mark.swallows
@pytest.mark.parametrize("part", ["snippet", "signer", "clock", "cookie_domain", "is_excluded"])
@pytest.mark.parametrize("answer", [(200, SIZED, PAGE), (302, [(b"location", b"/x")], b""), (200, JSON, b"{}")])
def test_whatever_fails_of_ours_the_response_passes_untouched(
    part: str, answer: tuple[int, Headers, bytes], swallowed: list[BaseException]
) -> None:
    runtime = runtime_of()
    cookie = f"{CARRY}={write_carry([('Contact', {}, 'id')], runtime.signer)}; _ttp={GOOD_TTP}"

    def broken(*_: object) -> Any:
        raise OSError("broken")

    replacement: Any = Broken() if part in {"snippet", "signer"} else broken
    runtime = replace(runtime, **{part: replacement})
    status, headers, body = answer
    story = Story("/?ttclid=E.C.P.x", {**NAVIGATION, "cookie": cookie}, runtime)
    story.track("Contact", event_id="mine")
    story.answer(status, headers, body[:20], body[20:])
    if swallowed and not story.submissions and part not in {"clock", "is_excluded"}:  # these fail the event alone
        assert (story.headers, story.body) == (headers, body)
    assert story.without_scripts == body
    assert story.headers is not None


@pytest.mark.swallows
def test_a_mistake_in_the_search_lets_every_byte_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in range(3):
        story = Story()
        story.start(200, SIZED)
        chunks = [PAGE[:10], PAGE[10:25], PAGE[25:40], PAGE[40:]]
        for index, chunk in enumerate(chunks):
            if index == place:

                def broken(*_: object, **__: object) -> Any:
                    raise ValueError("ours")

                body = story.exchange._body
                assert body is not None
                with monkeypatch.context() as patch:
                    patch.setattr(type(body), "feed", broken)
                    story.feed(chunk, last=False)
            else:
                story.feed(chunk, last=index == 3)
        story.finish()
        assert (story.headers, story.body) == (SIZED, PAGE)


# -- after the response


def test_what_is_tracked_when_the_head_has_left_goes_by_the_server() -> None:
    story = Story("/api", FETCH)
    story.start(200, JSON)
    event = story.track("Contact")
    story.feed(b"{}")
    story.finish()
    assert story.headers == JSON
    assert [(s.event_id, s.browser, len(s.records)) for s in story.submissions] == [(event.event_id, False, 1)]
    assert counts(story.runtime)["late"] == 1


def test_what_is_tracked_after_the_response_is_taken_one_by_one() -> None:
    story = Story("/api", FETCH)
    story.start(200, JSON)
    story.feed(b"{}")
    late = story.finish()
    event = story.track("Contact")
    assert [pending.event for pending in late] == [event]
    submission = late_entry(late[0], story.exchange.tracker.state)
    assert submission is not None
    assert (submission.event_id, submission.browser) == (event.event_id, False)
    story.exchange.tracker.revoke_consent()
    assert late_entry(late[0], story.exchange.tracker.state) is None


def test_a_request_without_a_response_can_end() -> None:
    story = Story()
    event = story.track("Contact")
    assert story.finish() == []
    assert [submission.event_id for submission in story.submissions] == [event.event_id]
    assert story.finish() == []
    assert len(story.submissions) == 1


@given(
    st.lists(st.sampled_from(["start", "page", "last", "track", "unseen", "give_up", "failed", "finish"]), max_size=8)
)
def test_no_order_of_calls_fails_or_sends_a_byte_twice(calls: list[str]) -> None:
    story = Story()
    sent = b""
    for call in calls:
        if call == "start" and story.exchange.phase is Phase.WAITING:
            story.start()
        elif call in {"page", "last"} and story.exchange.plan is not None:
            sent += PAGE
            story.feed(PAGE, last=call == "last")
        elif call == "track":
            story.track("Contact")
        elif call == "unseen" and story.exchange.phase is Phase.SEARCHING:
            story.do(story.exchange.body_unseen())
        elif call in {"give_up", "failed"}:
            story.do(getattr(story.exchange, call)())
        elif call == "finish":
            story.finish()
            break
    story.do(story.exchange.failed())
    assert story.without_scripts == sent
