"""TIKTOK_PAGE_VIEW=matched beside another base code: its page view is the one that counts, in a small browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser_scripts.page_world import PURCHASE, names, run, snippet
from tests.browser_scripts.test_adopt import AFTER, ARRIVE, LEAVE, OTHER, TICK
from tests.core.core_world import PIXEL
from tiktok_middleware._wiring import base_code
from tiktok_middleware.core.pixel.snippet import SnippetEntry

pytestmark = pytest.mark.node

MADE = snippet(base=base_code("pixel", "matched"))
VIEW: SnippetEntry = ("Pageview", {}, "0" * 32, "token")
PAGE = MADE.page("", page=False, copies=[PURCHASE], sealed=[VIEW], collect="/_tiktok/collect")
LOADING = ("run", "document.readyState = 'loading'")
PARSED = ("run", "document.readyState = 'interactive'"), ("dispatch", "DOMContentLoaded")
LOADED = ("run", "document.readyState = 'complete'"), ("dispatch", "load")
MANAGER = ("run", "document.scripts.push({src: '', text: 'https://www.googletagmanager.com/gtm.js?id='})")
TAKEN = ("run", f"ttq.splice(0); ttq._i['{PIXEL}'].splice(0)")


def own_views(diary: dict[str, Any]) -> list[list[str]]:
    """The page views that the page has handed in at the endpoint, which counts an id once."""
    found: list[list[str]] = []
    for post in diary["posts"]:
        found += [one for one in post["body"].get("c", []) if one[0] == "token" and one not in found]
    return found


def test_page_without_another_base_code_hands_its_view_in_at_once() -> None:
    diary = run(PAGE, made=MADE, helper=True, answers=[{"load": True}], steps=[TICK])
    assert own_views(diary) == [["token", VIEW[2]]]
    assert [call[1] for call in diary["queue"] if call[0] == "track"] == ["Purchase", "Pageview"]
    assert names(diary).count("page") == 0


@pytest.mark.parametrize("before", [AFTER, OTHER])
def test_base_code_before_ours_counts_the_view(before: str) -> None:
    diary = run(PAGE, made=MADE, helper=True, before=before, steps=[TICK, ARRIVE, TICK, LEAVE])
    assert names(diary).count("page") == 1
    assert own_views(diary) == []


@pytest.mark.parametrize("after", [AFTER, OTHER])
@pytest.mark.parametrize("taken", [[], [TAKEN]], ids=["waiting", "taken"])
def test_base_code_after_ours_counts_the_view(after: str, taken: list[Any]) -> None:
    start = "document.readyState = 'loading'"
    steps = [*taken, ("run", after), *PARSED, TICK, ARRIVE, *LOADED, ("wait", 0), LEAVE]
    diary = run(PAGE, made=MADE, helper=True, before=start, steps=steps)
    assert own_views(diary) == []
    assert names(diary).count("page") == 1


def test_base_code_that_tag_manager_brings_after_tiktoks_script_counts_the_view() -> None:
    start = "document.readyState = 'loading'"
    steps = [MANAGER, TAKEN, *PARSED, TICK, *LOADED, ("run", AFTER), ("wait", 0), TICK, LEAVE]
    diary = run(PAGE, made=MADE, helper=True, before=start, steps=steps)
    assert own_views(diary) == []
    assert names(diary).count("page") == 1


@pytest.mark.parametrize("end", [[*LOADED, ("wait", 0)], [LEAVE]], ids=["three seconds later", "left"])
def test_page_with_tag_manager_alone_hands_its_view_in_later(end: list[Any]) -> None:
    start = "document.readyState = 'loading'"
    early = run(PAGE, made=MADE, helper=True, before=start, steps=[MANAGER, TAKEN, *PARSED, TICK])
    assert own_views(early) == []
    diary = run(PAGE, made=MADE, helper=True, before=start, steps=[MANAGER, TAKEN, *PARSED, TICK, *end, TICK])
    assert own_views(diary) == [["token", VIEW[2]]]


def test_view_of_a_visitor_who_agrees_later_is_handed_in_after_the_grant() -> None:
    page = MADE.page("", page=False, wait=True, sealed=[VIEW], collect="/_tiktok/collect")
    steps = [("run", "tiktok.grantConsent()"), TICK]
    diary = run(page, made=MADE, helper=True, answers=[{"load": True}] * 2, steps=steps)
    assert own_views(diary) == [["token", VIEW[2]]]
    assert diary["posts"][0]["body"]["w"] == "g"


def test_view_is_handed_in_once_if_consent_is_revoked_and_granted_again() -> None:
    steps = [TICK, ("run", "tiktok.revokeConsent()"), TICK, ("run", "tiktok.grantConsent()"), TICK, LEAVE]
    diary = run(PAGE, made=MADE, helper=True, answers=[{"load": True}, {"load": False}, {"load": True}], steps=steps)
    assert own_views(diary) == [["token", VIEW[2]]]


def test_view_of_a_shared_page_in_a_frame_is_no_page_view() -> None:
    page = MADE.page("", page=False, hello=True, sealed=[VIEW], collect="/_tiktok/collect")
    assert own_views(run(page, made=MADE, helper=True, frame=True, steps=[TICK, LEAVE])) == []


@pytest.mark.parametrize("value", ["5", "function () {}", "{}", "Object.freeze([])"])
def test_view_reaches_the_server_if_the_page_has_broken_ttq(value: str) -> None:
    diary = run(
        PAGE, made=MADE, helper=True, before=f"window.ttq = {value}", steps=[TICK, LEAVE, ("run", "delete window.ttq")]
    )
    assert own_views(diary) == [["token", VIEW[2]]]
