"""What a view says of consent and identity counts for the whole response, whatever it has tracked before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.core_world import GOOD_TTP, NAVIGATION, runtime_of
from tests.core.response.test_browser_output import config_of
from tests.core.response.test_exchange import HTML, PAGE, Story
from tiktok_middleware.core.pixel.signed_event import open_signed_event

LANDING = {**NAVIGATION, "user-agent": "Mozilla/5.0", "cookie": f"_ttp={GOOD_TTP}"}


def told(story: Story) -> list[dict[str, Any]]:
    """The server copies."""
    return [json.loads(record.body) for submission in story.submissions for record in submission.records]


def test_a_grant_brings_back_what_was_tracked_before_it() -> None:
    story = Story("/?ttclid=E.C.P.x", LANDING, runtime_of(consent="required"))
    story.track("Lead")
    story.exchange.tracker.grant_consent()
    story.track("Contact")
    story.answer(200, HTML, PAGE)
    config = config_of(story.scripts)
    assert [item["event"] for item in told(story)] == ["Lead", "Contact"]
    assert [copy[0] for copy in config["e"]] == ["Lead", "Contact"]
    assert [copy[2] for copy in config["e"]] == [item["event_id"] for item in told(story)]
    assert "w" not in config
    assert told(story)[0]["user"]["ttclid"] == "E.C.P.x"
    assert {"_tt_consent", "ttclid", "_ttp"} <= {
        name for name in ("_tt_consent", "ttclid", "_ttp") if f"{name}=".encode() in story.header(b"set-cookie")
    }


def test_a_refusal_takes_back_what_was_tracked_before_it() -> None:
    story = Story("/?ttclid=E.C.P.x", LANDING, runtime_of())
    story.track("Lead")
    story.exchange.tracker.revoke_consent()
    story.answer(200, HTML, PAGE)
    assert (told(story), story.body.replace(story.runtime.snippet.refused(""), b"")) == ([], PAGE)
    assert b"_tt_consent=d" in story.header(b"set-cookie")
    assert b"_ttp=; Max-Age=0" in story.header(b"set-cookie")
    assert b"ttclid=E.C.P.x" not in story.header(b"set-cookie")


def test_a_grant_in_a_view_lifts_nothing_that_the_browser_itself_refuses() -> None:
    story = Story("/", {**LANDING, "sec-gpc": "1"}, runtime_of())
    story.track("Lead")
    story.exchange.tracker.grant_consent()
    story.answer(200, HTML, PAGE)
    assert (told(story), story.body.replace(story.runtime.snippet.refused(""), b"")) == ([], PAGE)


@pytest.mark.parametrize("is_before", [True, False])
def test_who_the_visitor_is_goes_with_every_event_of_the_response(is_before: bool) -> None:
    story = Story("/", LANDING, runtime_of())
    tracker = story.exchange.tracker
    if is_before:
        tracker.identify(email="ada@example.com")
    story.track("Lead")
    if not is_before:
        tracker.identify(email="ada@example.com")
    story.answer(200, HTML, PAGE)
    (item,) = told(story)
    assert config_of(story.scripts)["i"] == {"sha256_email": item["user"]["email"]}


def test_who_the_visitor_is_waits_for_their_leave_in_their_own_page_alone() -> None:
    runtime = runtime_of(consent="required")
    story = Story("/", LANDING, runtime)
    story.track("Lead")
    story.exchange.tracker.identify(email="ada@example.com")
    story.answer(200, HTML, PAGE)
    config = config_of(story.scripts)
    assert told(story) == []
    assert config["w"] == 1
    assert b"private" in story.header(b"cache-control")
    ((_, _, _, token),) = config["s"]
    signed_event = open_signed_event(token, runtime.signer, runtime.pixels, runtime.clock())
    assert config["i"] == {"sha256_email": signed_event.identity.user()["email"]}
