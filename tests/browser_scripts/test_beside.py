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


#: Values of `window.ttq` that TikTok's script takes nothing from, and how a report names them.
BROKEN = {
    "function () {}": "function",
    "{}": "object",
    "5": "number",
    "'text'": "string",
    "{load: function () {}, page: function () {}, _i: {}}": "object",
    "{length: 0, push: function () {}}": "object",
    "document.createElement('img')": "object",
    "Object.freeze([])": "fixed-array",
    "Object.freeze(['own'])": "fixed-array",
    "new Proxy([], {set: function () { throw 1; }, defineProperty: function () { throw 1; }})": "fixed-array",
}
LOOK = (
    "run",
    "document.cookie = 'kind=' + typeof window.ttq + (window.ttq && window.ttq.methods ? '-changed' : '')",
)


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize(("value", "kind"), [*BROKEN.items(), ("null", "null"), ("undefined", "undefined")])
def test_ttq_that_is_no_queue_throws_nothing_and_is_reported(value: str, kind: str, at: str) -> None:
    if at == "before" and value in {"null", "undefined"}:
        return  # like a page without it
    code = f"window.ttq = {value};"
    emit = ("run", f"tiktok.emit([['Contact', {{}}, '{CONTACT[2]}']])")
    steps = [*([("run", code)] if at == "after" else []), emit, TICK, LOOK, TICK, ("run", "delete window.ttq")]
    diary = run(PAGE, helper=True, before=code if at == "before" else "", steps=steps)
    assert "-changed" not in diary["cookies"]["kind"]
    assert reports(diary) == [f"broken {kind}"]


def test_ttq_with_a_getter_that_throws_is_reported() -> None:
    code = "Object.defineProperty(window, 'ttq', {configurable: true, get: function () { throw 1; }})"
    diary = run(PAGE, helper=True, before=code, steps=[TICK, TICK, ("run", "delete window.ttq")])
    assert reports(diary) == ["broken getter"]


@pytest.mark.parametrize("value", ["[]", "[['track', 'Own']]", "new Proxy([], {})"])
def test_array_in_the_place_of_our_queue_gets_what_waits_once(value: str) -> None:
    """TikTok's script has not come: it finds our pixel and our events in the page's array."""
    emit = ("run", f"tiktok.emit([['Contact', {{}}, '{CONTACT[2]}']])")
    later = ("run", "tiktok.emit([['Search', {}, 'id-3']])")
    diary = run(PAGE, helper=True, steps=[("run", f"window.ttq = {value}"), emit, TICK, later, TICK, ARRIVE])
    assert [call[1] for call in diary["queue"] if call[0] == "track"] == [
        *(["Own"] if "Own" in value else []),
        "Purchase",
        "Contact",
        "Search",
    ]
    assert names(diary).count("page") == 1
    assert diary["options"] == {}
    assert reports(diary) == ["replaced array"]
    assert loads(diary) == [PIXEL]
    assert diary["session"]["tiktok:id-1"] == "1", "the arrival of TikTok's script is noted"


def test_array_in_the_place_of_our_queue_loads_tiktoks_script_again_if_that_found_no_queue() -> None:
    resources = [{"name": "https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=A", "responseEnd": 1}]
    diary = run(PAGE, helper=True, resources=resources, steps=[("run", "window.ttq = []"), TICK, TICK])
    assert loads(diary) == [PIXEL, PIXEL]
    assert diary["queue"].count(TRACKED) == 1


def test_array_that_replaces_a_queue_that_was_taken_gets_its_methods() -> None:
    """TikTok's script has replaced the methods of our queue: the page's array gets the same."""
    taken = (
        "run",
        f"""var one = ttq._i['{PIXEL}']; ttq.splice(0); one.splice(0); window.took = [];
        ttq.track = one.track = function () {{ took.push([].slice.call(arguments)); }};
        ttq.instance = function (id) {{ return this._i[id]; }}; ttq.ready = function (call) {{ call(); }};""",
    )
    calls = ("run", "tiktok.emit([['Contact', {}, 'id-2']]); ttq.track('Own')")
    seen = ("run", "document.cookie = 'took=' + took.map(call => call[0]).join()")
    diary = run(PAGE, helper=True, steps=[taken, ("run", "window.ttq = []"), TICK, calls, seen])
    assert diary["cookies"]["took"] == "Contact,Own"
    assert loads(diary) == [PIXEL]


def test_visitor_who_has_not_chosen_or_has_refused_makes_no_report() -> None:
    for html in (page(w=1), ONE.refused("")):
        diary = run(html, helper=True, before=AFTER, answers=[{"load": False}] * 4, steps=[TICK, TICK])
        assert reports(diary) == []
        assert "beside-" not in str(diary["loaded"])
