"""The inline script loads the pixel, fires the page's events once and clears what has fired, in a small browser."""

from __future__ import annotations

import re

import pytest

from tests.browser_scripts.page_world import CONTACT, ONE, PURCHASE, URL, names, run, snippet
from tests.built_scripts import SOURCES
from tests.core.core_world import PIXEL
from tiktok_middleware.core.pixel.snippet import answer_headers

pytestmark = pytest.mark.node

ARRIVAL = [("arrive", 1)]
ACTIVATION = [("activate", 1)]
METHODS = [
    "page",
    "track",
    "identify",
    "instances",
    "debug",
    "on",
    "off",
    "once",
    "ready",
    "alias",
    "group",
    "enableCookie",
    "disableCookie",
    "holdConsent",
    "revokeConsent",
    "grantConsent",
]


def test_the_queue_holds_identify_page_and_track_in_order_for_events_js_to_replay() -> None:
    page = ONE.page("", page=True, identity={"sha256_email": "ab" * 32}, copies=[PURCHASE, CONTACT])
    diary = run(page, nonce="n0nce")
    assert diary["loaded"] == [{"src": f"{URL}?sdkid={PIXEL}&lib=ttq", "async": True, "nonce": "n0nce"}]
    assert diary["queue"] == [
        ["identify", {"sha256_email": "ab" * 32}],
        ["page"],
        ["track", "Purchase", PURCHASE[1], {"event_id": "id-1"}],
        ["track", "Contact", {}, {"event_id": "id-2"}],
    ]


def test_the_stub_is_an_array_with_every_method_of_the_pixel() -> None:
    diary = run(ONE.page("", page=True))
    assert diary["isArray"] is True
    assert set(METHODS) <= set(diary["methods"])
    assert {"load", "instance", "setAndDefer"} <= set(diary["methods"])
    source = (SOURCES / "pixel.js").read_text("utf-8")
    listed = re.search(r"q\.methods = '([^']*)'\.split\(' '\)", source)
    assert listed is not None
    assert listed[1].split(" ") == METHODS


def test_every_pixel_is_loaded_and_counts_the_page_once() -> None:
    diary = run(snippet(pixels=["A", "B"]).page("", page=True))
    assert [entry["src"].split("sdkid=")[1] for entry in diary["loaded"]] == ["A&lib=ttq", "B&lib=ttq"]
    assert names(diary) == ["page", "page"]  # one for each


def test_an_embedded_document_is_no_page_view() -> None:
    assert names(run(ONE.page("", page=False, copies=[CONTACT]))) == ["track"]


def test_an_event_fires_once_however_often_its_script_runs() -> None:
    page = ONE.page("", page=True, copies=[PURCHASE])
    assert names(run(page, page, ONE.late([PURCHASE, CONTACT]))) == ["page", "track", "track"]
    assert names(run(page, session={"tiktok:id-1": "1"})) == ["page"]  # the back button, in the same tab
    assert names(run(page, page, session=None)) == ["page", "track"]  # where storage is forbidden


def test_an_event_has_fired_when_the_pixel_has_come_for_it_and_not_before() -> None:
    page = ONE.page("", page=True, copies=[PURCHASE])
    assert run(page)["session"] == {}
    assert run(page, steps=ARRIVAL)["session"] == {"tiktok:id-1": "1"}


def test_a_pixel_that_the_page_already_has_is_left_alone() -> None:
    before = (
        f"window.ttq = []; ttq.load = function () {{}}; ttq._i = {{'{PIXEL}': []}}; ttq.ready = function () {{}};"
        "ttq.instance = function (id) { return {track: function () {"
        " ttq.push([id].concat([].slice.call(arguments))); }}; };"
    )
    diary = run(ONE.page("", page=True, copies=[CONTACT]), before=before)
    assert diary["loaded"] == []
    assert diary["queue"] == [[PIXEL, "Contact", {}, {"event_id": "id-2"}]]


@pytest.mark.parametrize(
    ("gate", "gpc", "cookies", "loads"),
    [
        (0, True, {"_tt_consent": "d"}, True),  # the server has asked already
        (1, False, {}, True),
        (1, False, {"_tt_consent": "g"}, True),
        (1, True, {}, False),
        (1, False, {"a": "b", "_tt_consent": "d"}, False),
        (2, True, {}, True),
        (2, False, {"_tt_consent": "d"}, False),
        (1, False, {"x_tt_consent": "d"}, True),
    ],
)
def test_a_shared_page_asks_the_browser_first(gate: int, gpc: bool, cookies: dict[str, str], loads: bool) -> None:
    diary = run(ONE.page("", page=True, gate=gate), gpc=gpc, cookies=cookies)
    assert bool(diary["loaded"]) is loads
    assert (diary["queue"] is not None) is loads


def test_a_prerendered_page_waits_until_it_is_seen() -> None:
    page = ONE.page("", page=True, copies=[CONTACT])
    unseen = run(page, prerendering=True)
    assert (unseen["loaded"], unseen["queue"]) == ([], None)
    assert names(run(page, prerendering=True, steps=ACTIVATION)) == ["page", "track"]


def test_the_carry_cookie_goes_once_its_events_have_fired() -> None:
    page = ONE.page("", page=True, copies=[PURCHASE], clear_cookies=["_tt_carry.1"])
    kept = {"_tt_carry.1": "token", "other": "1"}
    assert run(page, cookies=kept, steps=ARRIVAL)["cookies"] == {"other": "1"}
    assert run(page, cookies=kept)["cookies"] == kept  # a blocked pixel may yet be reached from the next page
    assert run(page, cookies=kept, prerendering=True, steps=ARRIVAL)["cookies"] == kept
    again = run(page, cookies=kept, session={"tiktok:id-1": "1"}, steps=ARRIVAL)
    assert (names(again), again["cookies"]) == (["page"], {"other": "1"})


def test_the_helper_fires_what_comes_with_answers_of_this_site() -> None:
    timing = answer_headers([PURCHASE])[1][1]
    description = timing[len('tiktok;desc="') : -1]
    ours = {"name": "https://shop.example/api", "serverTiming": [{"name": "tiktok", "description": description}]}
    theirs = {**ours, "name": "https://shop.example.evil.example/api"}
    broken = {**ours, "serverTiming": [{"name": "tiktok", "description": "%%%"}, {"name": "db", "description": "x"}]}
    bare = {"name": "https://shop.example/logo.png"}
    diary = run(ONE.page("", page=True), helper=True, entries=[theirs, broken, bare, ours, ours])
    assert diary["queue"] == [["page"], ["track", "Purchase", PURCHASE[1], {"event_id": "id-1"}]]
    assert diary["observed"] == [{"type": "resource", "buffered": True}]


def test_the_helper_fires_nothing_where_the_page_must_not_load_the_pixel() -> None:
    description = answer_headers([PURCHASE])[1][1][len('tiktok;desc="') : -1]
    ours = {"name": "https://shop.example/api", "serverTiming": [{"name": "tiktok", "description": description}]}
    diary = run(ONE.page("", page=True, gate=1), helper=True, gpc=True, entries=[ours])
    assert (diary["queue"], diary["loaded"]) == (None, [])


def test_events_go_to_our_pixels_alone() -> None:
    made = snippet(pixels=["A", "B"])
    queue = run(made.page("", page=True, copies=[CONTACT]), made=made)["queue"]
    assert queue == [["page"], ["track", "Contact", {}, {"event_id": "id-2"}]] * 2


def test_a_cookie_that_has_come_meanwhile_is_not_cleared() -> None:
    page = ONE.page("", page=True, copies=[PURCHASE], clear_cookies=["_tt_carry.1"])
    changed = b"<script>document.cookie = '_tt_carry.2=newer; Path=/'</script>"
    diary = run(page, changed, cookies={"_tt_carry.1": "token"}, steps=ARRIVAL)
    assert diary["cookies"] == {"_tt_carry.2": "newer"}


def test_what_comes_with_an_answer_to_a_prerendered_page_waits_with_it() -> None:
    description = answer_headers([PURCHASE])[1][1][len('tiktok;desc="') : -1]
    ours = {"name": "https://shop.example/api", "serverTiming": [{"name": "tiktok", "description": description}]}
    page = ONE.page("", page=True)
    diary = run(page, helper=True, entries=[ours], prerendering=True, steps=ACTIVATION)
    assert names(diary) == ["page", "track"]


def test_no_global_is_added_but_the_two_of_the_pixel_and_ours() -> None:
    before = set(run()["globals"])
    after = set(run(ONE.page("", page=True, copies=[PURCHASE]), helper=True)["globals"])
    assert after - before == {"ttq", "TiktokAnalyticsObject", "tiktok"}
