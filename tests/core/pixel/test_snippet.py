"""Events become scripts that nothing in them can end, and the scripts do in a browser what they are there for."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.browser_scripts.page_world import CONTACT, ONE, PURCHASE, URL, argument, names, run, scripts, snippet
from tests.core.core_world import BROWSER, PIXEL
from tiktok_middleware.core.pixel.snippet import BrowserCopy, answer_headers, encode_copies

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

# -- bytes

HOSTILE = [
    "</script>",
    "</SCRIPT >",
    "<!--",
    "-->",
    "<script",
    "]]>",
    "\u2028",
    "\u2029",
    "\ud800",
    "\x00",
    "&lt;",
    "'\"\\",
    "\r\n",
]
hostile_text = st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(), max_size=5), max_size=6).map("".join)


@given(hostile_text, hostile_text)
@example("</script><script>alert(1)</script>", "<!--<script>")
def test_no_property_can_end_the_script(key: str, value: str) -> None:
    copy: BrowserCopy = ("Purchase", {key: value, "list": [value, {key: value}]}, "id")
    html = ONE.page("", page=True, copies=[copy], identity={"external_id": value})
    assert html.isascii()
    assert len(scripts(html)) == 2
    data = scripts(html)[0][1].split("window,document,")[1]
    assert not re.search(r"[<>&\x00-\x1f]", data)
    found = argument(ONE.page("", page=True, copies=[copy], identity={"external_id": value}))
    assert found["e"] == [["Purchase", {key: value, "list": [value, {key: value}]}, "id"]]
    assert found["i"] == {"external_id": value}


@given(hostile_text)
def test_a_late_script_holds_the_same_events(value: str) -> None:
    body = scripts(ONE.late([("Search", {"query": value}, "id")]))[0][1]
    inner = body[len("try{tiktok.emit(") : -len(")}catch(e){}")]
    assert not re.search(r"[<>&\r\n]", inner)
    assert json.loads(inner) == [["Search", {"query": value}, "id"]]


@given(hostile_text)
def test_answer_headers_carry_any_property_and_stay_headers(value: str) -> None:
    copies: list[BrowserCopy] = [("Search", {"query": value}, "id")]
    (first, events), (second, timing) = answer_headers(copies)
    assert (first, second) == ("TikTok-Events", "Server-Timing")
    assert re.fullmatch(r"[ -~]*", events)
    coded = re.fullmatch(r'tiktok;desc="([A-Za-z0-9+/=]*)"', timing)
    assert coded is not None
    expected = [["Search", {"query": value}, "id"]]
    assert json.loads(events) == json.loads(b64decode(coded[1])) == expected


def test_a_number_that_is_none_is_written_as_nothing() -> None:
    """It never comes so far; if it did, ``NaN`` would not be JSON."""
    assert encode_copies([("Purchase", {"value": float("nan")}, "id")]) == '[["Purchase",{"value":null},"id"]]'


def test_a_page_without_news_is_the_same_for_everybody() -> None:
    def once(nonce: str = "") -> bytes:
        return ONE.constant("/shop", page=True, gate=0, limited=False, nonce=nonce)

    assert once() == once() == ONE.page("/shop", page=True)
    assert once("bm9uY2U=") == ONE.page("/shop", page=True, nonce="bm9uY2U=")
    assert all('nonce="bm9uY2U="' in attributes for attributes, _ in scripts(once("bm9uY2U=")))


def test_the_options_reach_the_page() -> None:
    made = snippet(pixels=["A", "B"], options={"autoConfig": False})
    assert argument(made.page("", page=False)) == {"u": URL, "p": ["A", "B"], "o": {"autoConfig": False}}
    assert argument(made.page("", page=True, gate=2, limited=True, clear_cookies=["_tt_carry.1"])) == {
        "u": URL,
        "p": ["A", "B"],
        "o": {"autoConfig": False, "limited_data_use": True},
        "v": 1,
        "g": 2,
        "k": ["_tt_carry.1"],
    }
    assert argument(made.page("", page=False))["o"] == {"autoConfig": False}  # the limit of one page stays there


@pytest.mark.parametrize("mount", ["", "/shop", "/a b", '/"><script>', "/ü", "/\udc80", "/'onload='x"])
def test_the_helper_is_asked_for_under_the_mount_point(mount: str) -> None:
    attributes, body = scripts(ONE.page(mount, page=True))[1]
    source = re.fullmatch(r' src="(/[!-~]*)" async', attributes) or re.fullmatch(r' src="([!-~]*)" async', attributes)
    assert source is not None
    assert source[1].endswith(ONE.helper_path)
    assert not re.search(r"[<>'\" ]", source[1])
    assert body == ""


def test_the_helpers_name_changes_with_its_content() -> None:
    assert re.fullmatch(r"/_tiktok/helper-[0-9a-f]{16}\.js", ONE.helper_path)
    assert snippet().helper_path == ONE.helper_path
    assert snippet("other();").helper_path != ONE.helper_path
    assert snippet("// a comment\nother();").helper_path == snippet("other();").helper_path


def test_the_scripts_are_small() -> None:
    helper = gzip.compress(ONE.helper, 9)
    page = ONE.page("", page=True)
    print(f"helper {len(ONE.helper)} bytes, {len(helper)} gzipped; snippet {len(page)}, {len(gzip.compress(page, 9))}")
    assert len(helper) <= 2048
    assert len(gzip.compress(page, 9)) <= 2048


# -- in a browser


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
    source = (BROWSER / "pixel.js").read_text("utf-8")
    listed = re.search(r"q\.methods = \[([^\]]*)\]", source)
    assert listed is not None
    assert re.findall(r"'(\w+)'", listed[1]) == METHODS


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
