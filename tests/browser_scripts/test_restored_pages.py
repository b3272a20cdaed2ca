"""A page that the back/forward cache restores, in the small browser: what had not come is requested again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser_scripts.page_world import CONTACT, ONE, PURCHASE, URL, page, run

pytestmark = pytest.mark.node

HELPER = {"src": "https://shop.example/_tiktok/helper-0123456789abcdef.js"}
EVENTS = ONE.page("", page=True, copies=[PURCHASE, CONTACT])


def pixels(diary: dict[str, Any]) -> int:
    """How often the page has requested TikTok's script."""
    return sum(1 for one in diary["loaded"] if one["src"].startswith(URL))


def tracked(diary: dict[str, Any]) -> list[str]:
    return [call[1] for call in diary["queue"] if call[0] == "track"]


def test_pixel_that_had_not_come_is_requested_again_and_events_stay_queued_once() -> None:
    diary = run(EVENTS, helper=True, steps=[("restore", 0), ("wait", 0)])
    assert pixels(diary) == 2
    assert tracked(diary) == ["Purchase", "Contact"]
    assert [call[0] for call in diary["queue"]].count("page") == 1, "a restored page is no second page view"
    assert diary["errors"] == []


def test_pixel_that_comes_after_the_restore_is_not_requested_again() -> None:
    assert pixels(run(EVENTS, helper=True, steps=[("restore", 0), ("arrive", 0), ("wait", 0)])) == 1


def test_page_that_is_shown_for_the_first_time_requests_nothing_again() -> None:
    assert pixels(run(EVENTS, helper=True, steps=[("show", 0), ("wait", 0)])) == 1


def test_event_that_the_next_page_has_fired_leaves_the_queue() -> None:
    diary = run(EVENTS, helper=True, steps=[("store", {"tiktok:id-1": "1"}), ("restore", 0), ("wait", 0)])
    assert tracked(diary) == ["Contact"]


def test_helper_that_had_not_come_is_requested_again_and_restores_the_pixel() -> None:
    diary = run(EVENTS, steps=[("restore", 0)], element=HELPER)
    assert [one["src"] for one in diary["helpers"]].count(HELPER["src"]) == 1
    assert all("/static/" not in one["src"] for one in diary["loaded"]), "a script of the site does not run again"
    diary = run(EVENTS, steps=[("restore", 0), ("run", ONE.helper.decode("ascii")), ("wait", 0)], element=HELPER)
    assert pixels(diary) == 2


def test_helper_that_is_there_is_not_requested_again() -> None:
    diary = run(EVENTS, helper=True, steps=[("restore", 0), ("wait", 0)], element=HELPER)
    assert HELPER["src"] not in [one["src"] for one in diary["helpers"]]


@pytest.mark.parametrize("html", [page(w=1), ONE.refused("")], ids=["no choice yet", "refused"])
def test_page_without_consent_requests_nothing_of_tiktok_when_restored(html: bytes) -> None:
    diary = run(html, helper=True, answers=[{"load": False}], steps=[("restore", 0), ("wait", 0)])
    assert pixels(diary) == 0
    assert diary["errors"] == []
