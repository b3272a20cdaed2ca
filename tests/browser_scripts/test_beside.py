"""Another base code of TikTok's in the page: adopted by the usual script, and reported, in a small browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser_scripts.page_world import CONTACT, ONE, PURCHASE, names, page, run, snippet
from tests.browser_scripts.test_adopt import AFTER, ARRIVE, OTHER, TICK, TRACKED
from tests.core.core_world import PIXEL
from tiktok_middleware._wiring import helper_file

pytestmark = pytest.mark.node

PAGE = ONE.page("", page=True, copies=[PURCHASE])
REPORTED = "https://shop.example/_tiktok/collect"
#: The same base code, as sites change it.
NEW_ARRAY = AFTER.replace("window.ttq = window.ttq || []", "window.ttq = []")
PARTNER = AFTER.replace("q.page();", "q._partner = 'GoogleTagManagerClient'; q.page();")
NO_VIEW = AFTER.replace("q.page();", "")


def loads(diary: dict[str, Any]) -> list[str]:
    """The pixels that were loaded, in order."""
    return [one["src"].split("sdkid=")[1].split("&")[0] for one in diary["loaded"] if "sdkid=" in one["src"]]


def reports(diary: dict[str, Any]) -> list[str]:
    return [one["body"]["o"] for one in diary["posts"] if "o" in one["body"]]


@pytest.mark.parametrize(
    ("before", "loaded"),
    [(AFTER, [PIXEL]), (PARTNER, [PIXEL]), (OTHER, ["C9999999999999999999", PIXEL]), (NEW_ARRAY, [PIXEL])],
)
def test_base_code_before_ours_is_adopted_without_a_second_load_or_page_view(before: str, loaded: list[str]) -> None:
    diary = run(PAGE, helper=True, before=before, steps=[TICK, ARRIVE, TICK])
    assert loads(diary) == loaded
    assert names(diary).count("page") == 1
    assert diary["queue"].count(TRACKED) == 1
    assert [one.split(" ")[0] for one in reports(diary)] == ["found"]


@pytest.mark.parametrize("after", [AFTER, PARTNER, OTHER, NEW_ARRAY])
def test_base_code_after_ours_keeps_one_page_view_and_each_event_once(after: str) -> None:
    diary = run(PAGE, helper=True, steps=[("run", after), TICK, TICK, ARRIVE, TICK])
    assert names(diary).count("page") == 1
    assert diary["queue"].count(TRACKED) == 1
    assert [one.split(" ")[0] for one in reports(diary)] == ["found"]


@pytest.mark.parametrize("after", [AFTER, OTHER])
def test_event_that_is_tracked_after_another_base_code_goes_once(after: str) -> None:
    emit = ("run", f"tiktok.emit([['Contact', {{}}, '{CONTACT[2]}']])")
    diary = run(PAGE, helper=True, steps=[("run", after), emit, TICK, ARRIVE, TICK])
    assert [call[1] for call in diary["queue"] if call[0] == "track"].count("Contact") == 1
    assert diary["queue"].count(TRACKED) == 1


def test_page_view_of_ours_stays_if_the_other_base_code_counts_none() -> None:
    diary = run(PAGE, helper=True, steps=[("run", NO_VIEW.replace(PIXEL, "C9999999999999999999")), TICK, ARRIVE])
    assert names(diary).count("page") == 1


def test_report_names_the_partner_and_is_sent_once_in_a_tab() -> None:
    diary = run(PAGE, helper=True, steps=[("run", PARTNER), TICK, TICK])
    assert reports(diary) == ["found GoogleTagManagerClient"]
    assert [one["url"] for one in diary["posts"] if "o" in one["body"]] == [REPORTED]
    again = run(PAGE, helper=True, session=diary["session"], steps=[("run", PARTNER), TICK, TICK])
    assert reports(again) == []


def test_base_code_after_tiktoks_script_is_reported_as_late_and_events_reach_the_pixel_that_has_come() -> None:
    resources = [{"name": "https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=A", "responseEnd": 0}]
    emit = ("run", f"tiktok.emit([['Contact', {{}}, '{CONTACT[2]}']])")
    taken = ("run", f"window.first = ttq._i['{PIXEL}']; first.splice(0)")
    seen = ("run", "document.cookie = 'late=' + first.filter(call => call[1] === 'Contact').length")
    steps = [ARRIVE, taken, ("run", AFTER), emit, TICK, TICK, seen]
    diary = run(PAGE, helper=True, resources=resources, steps=steps)
    assert reports(diary) == ["late "]
    assert diary["cookies"]["late"] == "1"


def test_page_without_another_base_code_loads_nothing_more_and_reports_nothing() -> None:
    for html in (PAGE, ONE.page("", page=False, copies=[PURCHASE]), ONE.page("", page=True)):
        diary = run(html, helper=True, steps=[TICK, ARRIVE, TICK, TICK])
        assert loads(diary) == [PIXEL]
        assert "beside-" not in str(diary["loaded"])
        assert diary["posts"] == []


@pytest.mark.parametrize(
    ("resource", "host"),
    [
        ("https://gateway.shop.example/api/v2/pixel", "gateway.shop.example"),
        ("https://events.other.example/api/v3/pixel?x=1", "events.other.example"),
        ("https://analytics.tiktok.com/api/v2/pixel", ""),
        ("https://analytics-ipv6.tiktokw.us/api/v2/pixel", ""),
        ("https://tiktok.evil.example/api/v2/pixel", "tiktok.evil.example"),
        ("https://shop.example/media/pixel", ""),
    ],
)
def test_report_of_tiktoks_script_to_a_host_of_the_site_is_a_gateway(resource: str, host: str) -> None:
    made = snippet(helper_file("implied", looks=True))
    diary = run(PAGE, helper=True, made=made, resources=[{"name": resource, "responseEnd": 1}], steps=[TICK])
    assert reports(diary) == ([f"gateway {host}"] if host else [])


@pytest.mark.parametrize(
    "value", ["function () {}", "{}", "5", "'text'", "{load: function () {}, page: function () {}, _i: {}}", "null"]
)
@pytest.mark.parametrize("at", ["before", "after"])
def test_ttq_that_is_no_array_throws_nothing_and_is_reported(value: str, at: str) -> None:
    code = f"window.ttq = {value};"
    look = (
        "run",
        "document.cookie = 'kind=' + typeof window.ttq + (window.ttq && window.ttq.methods ? '-changed' : '')",
    )
    steps = [*([("run", code)] if at == "after" else []), TICK, look, TICK, ("run", "delete window.ttq")]
    diary = run(PAGE, helper=True, before=code if at == "before" else "", steps=steps)
    assert "-changed" not in diary["cookies"]["kind"] or value == "null"
    # A value that replaces our queue later looks like any page, unless a test event code is set.
    if value != "null" and at == "before":
        assert [one.split(" ")[0] for one in reports(diary)] == ["broken"]


def test_visitor_who_has_not_chosen_or_has_refused_makes_no_report() -> None:
    for html in (page(w=1), ONE.refused("")):
        diary = run(html, helper=True, before=AFTER, answers=[{"load": False}] * 4, steps=[TICK, TICK])
        assert reports(diary) == []
        assert "beside-" not in str(diary["loaded"])
