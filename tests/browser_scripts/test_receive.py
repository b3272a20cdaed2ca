"""`tiktok.receive()` and answers of other hosts, in the small browser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser_scripts.page_world import ONE, PURCHASE, run
from tiktok_middleware.core.pixel.snippet import answer_headers, sealed_headers

pytestmark = pytest.mark.node

PAGE = ONE.page("", page=True)
#: A Response with these headers.
RESPONSE = "({url: 'https://api.shop.example/pay', headers: {get: name => (HEADERS)[name.toLowerCase()] || null}})"
OTHER_HOST = {
    "name": "https://api.shop.example/pay",
    "initiatorType": "fetch",
    "responseStart": 12,
    "serverTiming": [],
}
WEBKIT: dict[str, Any] = {"vendor": "Apple Computer, Inc."}


def response(headers: list[tuple[str, str]]) -> str:
    return RESPONSE.replace("HEADERS", json.dumps({name.lower(): value for name, value in headers}))


def tracked(diary: dict[str, Any]) -> list[tuple[str, str]]:
    return [(call[1], call[3]["event_id"]) for call in diary["queue"] or [] if call[0] == "track"]


@pytest.mark.parametrize("has_helper", [True, False], ids=["helper", "helper comes later"])
@pytest.mark.parametrize("form", ["response", "text"])
def test_received_answer_fires_its_events_once(form: str, *, has_helper: bool) -> None:
    headers = answer_headers([PURCHASE])
    given = response(headers) if form == "response" else json.dumps(dict(headers)["TikTok-Events"])
    steps = [("run", f"tiktok.receive({given})")] * 2
    if not has_helper:
        steps.append(("run", ONE.helper.decode("ascii")))
    diary = run(PAGE, helper=has_helper, steps=steps)
    assert tracked(diary) == [("Purchase", "id-1")]
    assert diary["errors"] == []


def test_received_reference_is_fetched_from_the_endpoint() -> None:
    diary = run(PAGE, helper=True, steps=[("run", f"tiktok.receive({response(answer_headers([], ['ab12']))})")])
    assert diary["posts"][-1]["body"]["x"] == ["ab12"]


@pytest.mark.parametrize(
    "given", ["null", "undefined", "{}", "'['", "''", "42", response([]), response([("TikTok-Events", "x")])]
)
def test_answer_without_events_raises_nothing(given: str) -> None:
    diary = run(PAGE, helper=True, steps=[("run", f"tiktok.receive({given})")])
    assert diary["errors"] == []
    assert tracked(diary) == []


def test_unheard_answer_of_another_host_is_reported() -> None:
    diary = run(PAGE, helper=True, entries=[OTHER_HOST], steps=[("wait", 0)], **WEBKIT)
    assert [post["body"]["n"] for post in diary["posts"]] == [1]


@pytest.mark.parametrize(
    ("entry", "plan"),
    [
        (OTHER_HOST, {}),  # an engine that reports other hosts: the answer had no events
        ({**OTHER_HOST, "responseStart": 0}, WEBKIT),  # the host does not allow this page to see timing: no events
        ({**OTHER_HOST, "initiatorType": "img"}, WEBKIT),
        ({**OTHER_HOST, "name": "https://shop.example/pay"}, WEBKIT),
        ({**OTHER_HOST, "name": "https://api.other.example/pay"}, WEBKIT),
    ],
)
def test_answer_without_events_is_not_reported(entry: dict[str, Any], plan: dict[str, Any]) -> None:
    assert run(PAGE, helper=True, entries=[entry], steps=[("wait", 0)], **plan)["posts"] == []


def test_answer_that_the_page_passes_on_is_not_reported() -> None:
    given = response(answer_headers([PURCHASE]))
    steps = [("run", f"tiktok.receive({given})"), ("wait", 0)]
    diary = run(PAGE, helper=True, entries=[OTHER_HOST], steps=steps, **WEBKIT)
    assert diary["posts"] == []
    assert tracked(diary) == [("Purchase", "id-1")]


def sealed(path: str, *words: str) -> dict[str, Any]:
    """An entry of the browser's resource timing, whose answer has sealed events or references."""
    headers = dict(sealed_headers([("token", "id-1")] if not words else [], words))
    timing = [{"name": "tiktok", "description": word.split('"')[1]} for word in headers["Server-Timing"].split(", ")]
    return {"name": f"https://shop.example{path}", "initiatorType": "fetch", "serverTiming": timing}


GRANT = ("run", "tiktok.grantConsent()")
WAITING = ONE.page("", page=True, wait=True)


def test_sealed_event_of_an_answer_is_confirmed_only_after_the_grant() -> None:
    before = run(WAITING, helper=True, entries=[sealed("/answer")], steps=[("wait", 10_000)])
    assert (before["posts"], before["queue"], before["session"]) == ([], None, {})
    after = run(
        WAITING,
        helper=True,
        entries=[sealed("/answer")],
        steps=[GRANT],
        answers=[{"load": True, "e": [["Purchase", {"value": 5}, "id-1"]]}],
    )
    assert after["posts"][0]["body"]["m"] == [["token", "id-1"]]
    assert tracked(after) == [("Purchase", "id-1")]


def test_sealed_event_of_an_answer_is_never_sent_after_a_refusal() -> None:
    diary = run(WAITING, helper=True, entries=[sealed("/answer")], steps=[("run", "tiktok.revokeConsent()")])
    assert [post["body"]["m"] for post in diary["posts"]] == [[]]
    assert tracked(diary) == []


def test_reference_that_a_hello_brings_before_the_grant_is_asked_for_again() -> None:
    steps = [("run", "tiktok.ask()"), GRANT]
    diary = run(
        WAITING,
        helper=True,
        entries=[sealed("/answer", "ab12")],
        steps=steps,
        answers=[{"load": False}, {"load": True}],
    )
    assert [post["body"]["x"] for post in diary["posts"]] == [["ab12"], ["ab12"]]
