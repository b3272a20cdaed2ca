"""A choice made while the page is being left: the events of that page are posted with it, whatever is under way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser_scripts.page_world import page, run, snippet
from tiktok_middleware._wiring import helper_file

pytestmark = pytest.mark.node

SEALED = [["Purchase", {"value": number}, f"id-{number}", f"token-{number}"] for number in range(12)]
PLATFORM = ("run", "window.Osano = {cm: {getConsent: () => ({MARKETING: 'ACCEPT'})}};")
CHOICE = ("cookies", {"osano_consentmanager": "x"})
LEAVE = ("dispatch", "pagehide")
NO, NEVER = {"load": False}, "never"


def posts(
    *steps: tuple[str, Any], answers: list[Any], setting: str = "bridge:osano", **config: Any
) -> list[dict[str, Any]]:
    """The bodies of the posts of a page that waits for consent."""
    made = snippet(helper_file(setting))
    diary = run(page(n="/_tiktok/collect", w=1, **config), helper=True, made=made, steps=steps, answers=answers)
    return [one["body"] for one in diary["posts"]]


@pytest.mark.parametrize("before", [[], [("tick", 1)], [("dispatch", "navigate")]])
def test_choice_is_posted_although_an_earlier_post_has_no_answer(before: list[tuple[str, Any]]) -> None:
    asking = ("run", "tiktok.report('')")
    *_, last = posts(PLATFORM, asking, CHOICE, *before, LEAVE, answers=[NEVER] * 9, s=SEALED[:2], x=["ref-1"])
    assert (last["b"], last["x"], [name for _, name in last["c"]]) == ("g", ["ref-1"], ["id-0", "id-1"])


def test_grant_by_the_page_is_posted_although_an_earlier_post_has_no_answer() -> None:
    asking, grant = ("run", "tiktok.report('')"), ("run", "tiktok.grantConsent()")
    *_, last = posts(asking, grant, LEAVE, answers=[NEVER] * 9, s=SEALED[:1])
    assert (last["w"], last["c"]) == ("g", [["token-0", "id-0"]])


@pytest.mark.parametrize("count", [1, 5, 6, 12])
def test_all_events_of_the_page_are_posted(count: int) -> None:
    found = posts(PLATFORM, CHOICE, LEAVE, answers=[NEVER] * 9, s=SEALED[:count])
    posted = {name for one in found if one.get("b") == "g" for _, name in one["c"]}
    assert posted == {str(one[2]) for one in SEALED[:count]}


def test_page_without_a_choice_posts_nothing_when_it_is_left() -> None:
    assert posts(LEAVE, answers=[], s=SEALED[:2]) == []


def test_refusal_in_the_moment_of_leaving_posts_no_event() -> None:
    found = posts(("run", "tiktok.revokeConsent()"), LEAVE, answers=[NEVER] * 9, s=SEALED[:2])
    assert [(one.get("w"), one["c"]) for one in found] == [("d", [])] * len(found)


def test_restored_page_waits_for_each_answer_again() -> None:
    away = [("run", "tiktok.report('')"), LEAVE, ("restore", None)]
    before = posts(*away, answers=[NEVER] * 9)
    after = posts(*away, ("run", "tiktok.grantConsent()"), answers=[NEVER] * 9)
    assert len(after) == len(before)


def test_event_between_a_refusal_and_a_grant_fires_once_under_its_own_name() -> None:
    made = snippet(helper_file("klaro:tiktok"))
    steps = [
        ("cookies", {"klaro": "{}"}),
        ("tick", 1),
        ("run", "tiktok.grantConsent(); tiktok.track('Search', {query: 'x'})"),
    ]
    diary = run(page(n="/_tiktok/collect"), helper=True, made=made, steps=steps, answers=[NO, {"load": True}])
    assert [call[1] for call in diary["queue"] if call[0] == "track"] == ["Search"]


def test_reference_is_asked_for_again_after_an_answer_without_a_grant() -> None:
    asking, grant = ("run", "tiktok.report('')"), ("run", "tiktok.grantConsent()")
    first, last = posts(asking, grant, answers=[NO, {"load": True}], x=["ref-1"])
    assert (first["x"], last["x"], last["w"]) == (["ref-1"], ["ref-1"], "g")
