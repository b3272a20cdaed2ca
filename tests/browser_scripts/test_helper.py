"""The helper script: what it confirms, when it asks for leave, and that nothing happens before there is leave."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.browser_scripts.page_world import CONTACT, ONE, PURCHASE, names, page, run, snippet
from tests.core.core_world import BROWSER
from tiktok_middleware._wiring import helper_file
from tiktok_middleware.core.pixel.snippet import answer_headers

pytestmark = pytest.mark.node

COLLECT = "/shop/_tiktok/collect"
TEMPLATE = ["ViewContent", {"value": 5}, "", "template-token"]
SEALED = ["Purchase", {"value": 9}, "id-9", "sealed-token"]
GRANT = ("run", "tiktok.grantConsent()")
REVOKE = ("run", "tiktok.revokeConsent()")
NO, LOST = {"load": False}, "lost"
#: Somebody in front of us, such as a firewall, answers with a page of their own, and 200.
PAGE = "page"


def on_page(*, helper: bool = True, steps: Any = (), **config: Any) -> dict[str, Any]:
    """The diary of a page with this configuration; what is about the browser stands in `browser`."""
    browser = config.pop("browser", {})
    return run(page(**{"n": COLLECT, **config}), helper=helper, steps=steps, **browser)


def posts(diary: dict[str, Any]) -> list[dict[str, Any]]:
    """What was posted, without what every post says."""
    always = {"u", "r", "p"}
    return [{key: value for key, value in one["body"].items() if value and key not in always} for one in diary["posts"]]


def tracked(diary: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and id of each event that was fired."""
    return [(call[1], call[3]["event_id"]) for call in diary["queue"] or () if call[0] == "track"]


# -- sealed events


@pytest.mark.parametrize(
    ("config", "waits"), [({"s": [TEMPLATE]}, False), ({"s": [SEALED]}, True), ({"s": [TEMPLATE], "w": 1}, True)]
)
def test_post_states_whether_copies_wait_for_the_answer(config: dict[str, Any], waits: bool) -> None:
    steps = [GRANT] if config.get("w") else []
    diary = on_page(**config, steps=steps)
    assert [one["body"]["p"] for one in diary["posts"]] == [waits]


@pytest.mark.parametrize(
    ("config", "cookies", "asks"),
    [
        ({}, {"_tt_carry.kab12": "x"}, True),  # stored while this page was requested
        ({"k": ["_tt_carry.kab12"]}, {"_tt_carry.kab12": "x"}, False),  # this page has its events
        ({"k": ["_tt_carry.kab12"]}, {"_tt_carry.kab12": "x", "_tt_carry.kcd34": "y"}, True),
        ({"w": 1}, {"_tt_carry.kab12": "x"}, False),
        ({}, {"_tt_carry.ab12": "x"}, False),  # of a redirect that this page began: for the next page
        ({}, {"_tt_carry_sealed": "x"}, False),
        ({}, {}, False),
    ],
)
def test_page_asks_once_for_events_of_a_page_that_was_left(
    config: dict[str, Any], cookies: dict[str, str], asks: bool
) -> None:
    diary = on_page(**config, steps=[("tick", 9)], browser={"cookies": cookies})
    assert [one["body"]["h"] for one in diary["posts"]] == ([1] if asks else [])


@pytest.mark.parametrize(("cookie", "asks"), [("klaro", True), ("other", False)])
def test_choice_in_the_moment_of_leaving_is_posted(cookie: str, asks: bool) -> None:
    made = snippet(helper_file("klaro:tiktok"))
    steps = [("cookies", {cookie: "{}"}), ("dispatch", "pagehide")]
    diary = run(page(n=COLLECT, w=1, s=[SEALED]), helper=True, made=made, steps=steps)
    assert [one["body"]["c"] for one in diary["posts"]] == ([[["sealed-token", "id-9"]]] if asks else [])


def test_end_of_our_cookies_in_another_tab_is_heard_where_the_platforms_cookie_is_httponly() -> None:
    made = snippet(helper_file("django:ads"))
    steps = [
        ("run", "document.cookie = '_tt_fresh=; Max-Age=0'"),
        ("tick", 3),
        ("run", "tiktok.emit([['Lead', {}, 'id-3']])"),
    ]
    browser = {"cookies": {"_tt_fresh": "cp"}, "answers": [NO] * 9}
    diary = run(page(n=COLLECT), helper=True, made=made, steps=steps, **browser)
    assert [one["body"]["h"] for one in diary["posts"]] == [1]
    assert tracked(diary) == []


@pytest.mark.parametrize(
    ("setting", "url", "kind", "asks"),
    [
        ("django:ads", "https://shop.example/cookies/accept/ads/", "fetch", True),
        ("django:ads", "https://shop.example/cookies/decline/", "xmlhttprequest", True),
        ("django:ads", "https://shop.example/api/Reject-all?x=1", "fetch", True),
        ("django:ads", "https://shop.example/static/accept.png", "img", False),
        ("django:ads", "https://shop.example/api/cart", "fetch", False),
        ("onetrust", "https://shop.example/cookies/accept/ads/", "fetch", False),  # pages can read its cookie
    ],
)
def test_endpoint_is_asked_after_a_request_that_may_store_an_httponly_choice(
    setting: str, url: str, kind: str, asks: bool
) -> None:
    entries = [{"name": url, "initiatorType": kind, "serverTiming": []}]
    diary = run(page(n=COLLECT), helper=True, made=snippet(helper_file(setting)), entries=entries)
    assert [one["body"]["h"] for one in diary["posts"]] == ([1] if asks else [])


def test_old_page_does_not_ask_for_the_events_of_another_tab() -> None:
    later = ("run", "var then = Date.now() + 3001; Date.now = () => then;")
    steps = [later, ("cookies", {"_tt_carry.kab12": "x"}), ("tick", 9)]
    assert on_page(steps=steps)["posts"] == []


def test_redirect_cookie_of_the_answer_is_cleared_once_its_events_have_fired() -> None:
    answer = {"load": True, "k": ["_tt_carry.1"]}
    diary = on_page(s=[SEALED], browser={"answers": [answer], "cookies": {"_tt_carry.1": "x", "other": "y"}})
    assert tracked(diary) == [("Purchase", "id-9")]
    assert "_tt_carry.1" in diary["cookies"], "TikTok's script has not taken the event yet"
    diary = on_page(
        s=[SEALED],
        steps=[("arrive", None)],
        browser={"answers": [answer], "cookies": {"_tt_carry.1": "x", "other": "y"}},
    )
    assert diary["cookies"] == {"other": "y"}


def test_a_template_fires_at_once_under_an_id_of_its_own_and_is_confirmed() -> None:
    diary = on_page(s=[TEMPLATE])
    ((name, event_id),) = tracked(diary)
    assert name == "ViewContent"
    assert re.fullmatch(r"[0-9a-f]{32}", event_id)
    assert abs(int(event_id[:12], 16) / 1000 - time.time()) < 60
    assert posts(diary) == [{"c": [["template-token", event_id]]}]
    (post,) = diary["posts"]
    assert (post["url"], post["method"], post["keepalive"]) == (f"https://shop.example{COLLECT}", "POST", True)
    assert (post["body"]["u"], post["body"]["r"]) == ("https://shop.example/", "https://shop.example/before")
    assert tracked(on_page(s=[TEMPLATE])) != tracked(diary), "the next page is another view"


def test_a_template_fires_whatever_becomes_of_the_post() -> None:
    for answer in (LOST, 400, 503, NO):
        assert len(on_page(s=[TEMPLATE], browser={"answers": [answer]})["posts"]) == 1


def test_an_event_with_an_id_is_confirmed_before_it_fires() -> None:
    diary = on_page(s=[SEALED])
    assert tracked(diary) == [("Purchase", "id-9")]
    assert posts(diary) == [{"c": [["sealed-token", "id-9"]]}]
    assert [one["body"]["p"] for one in diary["posts"]] == [True]
    counted = on_page(s=[SEALED, TEMPLATE], browser={"answers": [{"load": True, "no": ["id-9"]}]})
    assert [name for name, _ in tracked(counted)] == ["ViewContent"]


@pytest.mark.parametrize(("answer", "tries"), [(LOST, 2), (PAGE, 2), (503, 2), (429, 2), (400, 1), (403, 1)])
def test_without_an_answer_it_fires_all_the_same_and_is_confirmed_later(answer: object, tries: int) -> None:
    diary = on_page(s=[SEALED], steps=[("tick", 5)], browser={"answers": [answer]})
    assert tracked(diary) == [("Purchase", "id-9")]
    assert posts(diary) == [{"c": [["sealed-token", "id-9"]]}] * tries


def test_what_is_not_confirmed_goes_with_the_next_page() -> None:
    lost = on_page(s=[TEMPLATE], browser={"answers": [LOST]})
    assert len(json.loads(lost["session"]["tiktok:kept"])) == 1
    after = on_page(browser={"session": lost["session"]})
    assert posts(after) == posts(lost)
    assert tracked(after) == [], "it has fired where it happened"
    assert json.loads(after["session"]["tiktok:kept"]) == []


def test_what_is_kept_for_the_next_page_is_bounded_and_forgotten() -> None:
    lost = on_page(s=[TEMPLATE] * 60, browser={"answers": [LOST]})
    kept = json.loads(lost["session"]["tiktok:kept"])
    assert len(kept) == 20
    for item in kept:
        item[3] -= 3_700_000
    assert on_page(browser={"session": {"tiktok:kept": json.dumps(kept)}})["posts"] == []
    for broken in ("{", "null", '"x"', "[1]", "[[]]"):
        assert names(on_page(v=1, browser={"session": {"tiktok:kept": broken}})) == ["page"]


def test_many_events_go_in_several_posts_one_after_the_other() -> None:
    diary = on_page(s=[TEMPLATE] * 12)
    assert [len(one["c"]) for one in posts(diary)] == [5, 5, 2]
    assert sorted(token_and_id[1] for one in posts(diary) for token_and_id in one["c"]) == sorted(
        event_id for _, event_id in tracked(diary)
    )


def test_an_event_too_large_to_be_sealed_fires_under_its_id_and_is_not_confirmed() -> None:
    large = ["Purchase", {"value": 1}, "id-large", ""]
    diary = on_page(s=[large])
    assert (tracked(diary), diary["posts"]) == ([("Purchase", "id-large")], [])
    assert tracked(on_page(s=[large], w=1)) == []
    assert tracked(on_page(s=[large], w=1, steps=[GRANT])) == [("Purchase", "id-large")]


# -- leave


def test_a_waiting_page_requests_nothing_of_tiktok_and_nothing_of_us() -> None:
    diary = on_page(w=1, v=1, s=[TEMPLATE, SEALED], steps=[("tick", 30)])
    assert (diary["loaded"], diary["queue"], diary["posts"]) == ([], None, [])
    assert diary["session"] == {}, "nothing is kept on the device either"


def test_a_grant_confirms_what_waited_then_loads_and_replays() -> None:
    diary = on_page(w=1, v=1, i={"external_id": "ab" * 32}, s=[TEMPLATE, SEALED], steps=[GRANT])
    (post,) = posts(diary)
    assert post["w"] == "g"
    assert [token for token, _ in post["c"]] == ["template-token", "sealed-token"]
    assert names(diary) == ["identify", "page", "track", "track"]
    assert [event_id for _, event_id in tracked(diary)] == [event_id for _, event_id in post["c"]]
    assert len(diary["loaded"]) == 1


@pytest.mark.parametrize("answer", [NO, {}, {"load": 0}])
def test_a_grant_that_the_endpoint_does_not_know_loads_nothing(answer: object) -> None:
    diary = on_page(w=1, v=1, s=[SEALED], steps=[GRANT, ("tick", 9)], browser={"answers": [answer]})
    assert (diary["loaded"], diary["queue"], len(diary["posts"])) == ([], None, 1)


@pytest.mark.parametrize("answer", [LOST, PAGE, 503, 429])
def test_a_grant_without_an_answer_is_said_again_and_loads_nothing_before(answer: object) -> None:
    lost = on_page(w=1, s=[SEALED], steps=[GRANT], browser={"answers": [answer]})
    assert (lost["loaded"], lost["queue"]) == ([], None)
    again = on_page(w=1, s=[SEALED], steps=[GRANT, ("tick", 4)], browser={"answers": [answer]})
    assert posts(again) == [{"w": "g", "c": [["sealed-token", "id-9"]]}] * 2
    assert tracked(again) == [("Purchase", "id-9")]


def test_an_endpoint_that_stays_silent_is_asked_less_and_less_often() -> None:
    diary = on_page(w=1, steps=[GRANT, *[("tick", 1)] * 120], browser={"answers": [LOST] * 120})
    assert 5 < len(diary["posts"]) < 15


def test_a_shared_waiting_page_asks_at_once_and_again_with_the_grant() -> None:
    diary = on_page(w=1, h=1, v=1, s=[TEMPLATE], steps=[GRANT], browser={"answers": [NO]})
    first, second = posts(diary)
    assert first == {"h": 1, "c": first["c"]}
    assert second == {"w": "g", "c": first["c"]}, "the same event under the same id"
    assert names(diary) == ["page", "track"]
    allowed = on_page(w=1, h=1, v=1, s=[TEMPLATE])
    assert (names(allowed), len(allowed["posts"])) == (["page", "track"], 1)


def test_limited_data_use_is_taken_from_the_answer() -> None:
    option = "_o['C0000000000000000001'].limited_data_use"
    for answer, expected in (({"load": True, "ldu": True}, "true"), ({"load": True}, "undefined")):
        read = ("run", f"document.cookie = 'found=' + ttq.{option}")
        diary = on_page(w=1, h=1, steps=[read], browser={"answers": [answer]})
        assert diary["cookies"] == {"found": expected}


def test_a_consent_platforms_cookie_makes_the_page_ask() -> None:
    accepted = {"CookieConsent": "marketing:true"}
    steps = [("tick", 3), ("cookies", accepted), ("tick", 1)]
    diary = on_page(w=1, v=1, s=[SEALED], steps=steps)
    assert posts(diary) == [{"h": 1, "c": [["sealed-token", "id-9"]]}]
    assert names(diary) == ["page", "track"]
    refused = on_page(w=1, v=1, steps=[*steps, ("tick", 30)], browser={"answers": [NO]})
    assert (len(refused["posts"]), refused["queue"]) == (1, None)
    already = on_page(w=1, v=1, steps=[("tick", 3)], browser={"cookies": accepted})
    assert already["posts"] == [], "the server saw it with the page"


def test_a_cookie_that_changes_all_the_time_is_asked_about_less_and_less_often() -> None:
    steps = [step for second in range(120) for step in (("cookies", {"clock": second}), ("tick", 1))]
    assert 5 < len(on_page(w=1, steps=steps, browser={"answers": [NO] * 120})["posts"]) < 15


def test_the_signal_of_the_browser_goes_to_the_endpoint_where_it_limits_only() -> None:
    waits = on_page(g=3, v=1, browser={"gpc": True, "answers": [NO]})
    assert (waits["queue"], posts(waits)) == (None, [{"h": 1}])
    assert names(on_page(g=3, v=1, browser={"gpc": True})) == ["page"]
    assert on_page(g=3, v=1)["posts"] == []


@pytest.mark.parametrize("browser", [{"gpc": True}, {"cookies": {"_tt_consent": "d"}}])
def test_a_page_that_may_not_load_can_still_be_granted(browser: dict[str, Any]) -> None:
    refused = on_page(g=1, h=1, v=1, s=[TEMPLATE], steps=[("tick", 9)], browser=browser)
    assert (refused["queue"], refused["posts"]) == (None, [])
    granted = on_page(g=1, h=1, v=1, s=[TEMPLATE], steps=[GRANT], browser=browser)
    assert names(granted) == ["page", "track"]
    assert on_page(g=1, v=1, steps=[GRANT], browser={**browser, "answers": [NO]})["queue"] is None


@pytest.mark.parametrize(
    ("path", "asks"),
    [
        ("/?email=a@b.example", True),
        ("/?x=a%40b.example", True),
        ("/?tel=%2B491701234567", True),
        ("/?call=213-373-4253", False),
        ("/?pay=4111111111111111", True),
        ("/?first_name=Ada", True),
        ("/?e=Ym9iQGV4YW1wbGUuY29t", True),
        ("/?utm_campaign=TK+-+2026-11-30&utm_content=Spark+@jane.doe", False),
        ("/#user=a@b.example", True),
        ("/#a%40b.example", True),
        ("/#id_token=eyJhbGciOi", True),
        ("/#/@handle", False),
        ("/?reset=eyJhbGciOiJIUzI1NiJ9.e30.abcde", True),
        ("/?utm_source=tiktok&utm_campaign=brandname&utm_id=1790000000000001", False),
        ("/?color=red&size=42", False),
        ("/products/7654321", False),
    ],
)
def test_page_whose_address_may_hold_identity_asks_first(path: str, asks: bool) -> None:
    for shared in (1, 0):
        diary = on_page(h=shared, v=1, browser={"path": path, "answers": [NO]})
        assert (diary["queue"] is None) is asks
        assert bool(diary["posts"]) is asks
        assert names(on_page(h=shared, v=1, browser={"path": path})) == ["page"], "the endpoint sees nothing in it"


@pytest.mark.parametrize(
    ("referrer", "asks"),
    [
        ("https://shop.example/reset?email=bob@example.com", True),
        ("https://mail.example/u/bob%40example.com", True),
        ("https://www.tiktok.com/", False),
        ("https://shop.example/?ttclid=E.C.P.aB3xQkZ0NDQxMTE5bGVz4111111111111111", False),
        ("", False),
    ],
)
def test_page_whose_referrer_may_hold_identity_asks_first(referrer: str, asks: bool) -> None:
    diary = on_page(v=1, browser={"referrer": referrer, "answers": [NO]})
    assert (diary["queue"] is None) is asks


def test_a_shared_page_in_a_frame_is_no_page_view() -> None:
    view = ["Pageview", {}, "", "view-token"]
    for config in ({"v": 1}, {"s": [view, TEMPLATE]}):
        frame, top = (on_page(h=1, browser={"frame": frame}, **config) for frame in (True, False))
        assert names(top) == (["page"] if "v" in config else ["track", "track"])
        assert [name for name, _ in tracked(frame)] == ["ViewContent"] * ("s" in config)
        assert "page" not in names(frame)


# -- later addresses

ROUTE = ("run", "navigation.go('/products/2')")
NAMES_BOB = ("run", "navigation.go('/welcome?email=bob@example.com')")
TOLD = {"load": False, "told": True}


def test_route_change_is_a_page_view_that_the_pixel_does_not_count_itself() -> None:
    diary = on_page(
        v=1, browser={"navigation": True}, steps=[ROUTE, ROUTE, ("run", "navigation.go('/products/2#top')")]
    )
    assert names(diary) == ["page", "page"]
    assert diary["options"]["historyObserver"] is False
    assert diary["posts"] == []


def test_without_the_navigation_api_the_pixels_observer_stays() -> None:
    diary = on_page(v=1)
    assert "historyObserver" not in diary["options"]


def test_observer_that_is_switched_off_counts_no_route_change() -> None:
    diary = on_page(v=1, o={"historyObserver": False}, browser={"navigation": True}, steps=[ROUTE])
    assert names(diary) == ["page"]


def test_later_address_with_identity_reaches_no_pixel_and_the_next_one_does() -> None:
    steps = [NAMES_BOB, ("run", "tiktok.track('Search', {}, {event_id: 'there'})")]
    diary = on_page(v=1, browser={"navigation": True, "answers": [TOLD, TOLD, TOLD]}, steps=steps)
    assert names(diary) == ["page"]
    assert "revokeConsent" not in names(diary)
    later = on_page(v=1, browser={"navigation": True, "answers": [TOLD]}, steps=[NAMES_BOB, ROUTE])
    assert names(later) == ["page", "page"], "the one before, and the one after"


def test_later_address_that_only_looks_like_identity_waits_for_the_answer() -> None:
    looks = ("run", "navigation.go('/?utm_content=v1@jane.doe')")
    diary = on_page(v=1, browser={"navigation": True}, steps=[looks])
    assert len(diary["posts"]) == 1
    assert names(diary) == ["page", "page"]


def test_event_on_a_later_address_is_judged_without_the_navigation_api_too() -> None:
    steps = [
        ("run", "location.href = 'https://shop.example/?email=bob@example.com'"),
        ("run", "tiktok.track('Search')"),
    ]
    diary = on_page(v=1, browser={"answers": [TOLD, TOLD]}, steps=steps)
    assert names(diary) == ["page"]


# -- a word of the visitor


def test_refusal_is_stored_by_the_page_itself_without_the_helper() -> None:
    diary = run(page(n=COLLECT, v=1, e=[CONTACT]), steps=[REVOKE, ("run", "tiktok.emit([['Search', {}, 'later']])")])
    assert diary["cookies"]["_tt_consent"] == "d"
    assert (tracked(diary), diary["errors"]) == ([("Contact", "id-2")], [])
    assert names(diary)[:2] == ["revokeConsent", "disableCookie"]
    waiting = run(page(n=COLLECT, w=1), steps=[REVOKE])
    assert (waiting["cookies"]["_tt_consent"], waiting["queue"]) == ("d", None)


def test_open_tab_fires_nothing_once_another_tab_has_refused() -> None:
    other_tab = ("cookies", {"_tt_consent": "d"})
    steps = [other_tab, ("run", "tiktok.track('Search', {}, {event_id: 'later'})")]
    diary = on_page(v=1, e=[CONTACT], steps=steps, browser={"answers": [NO]})
    assert "later" not in [event_id for _, event_id in tracked(diary)]
    assert names(diary)[:2] == ["revokeConsent", "disableCookie"]


def test_a_refusal_ends_all_on_this_page_and_is_said_to_the_server() -> None:
    steps = [REVOKE, ("run", "tiktok.track('Contact'); tiktok.emit([['Lead', {}, 'id-5']])"), ("tick", 9)]
    diary = on_page(v=1, s=[SEALED], e=[PURCHASE], steps=steps, browser={"answers": [{"load": True}, NO]})
    assert posts(diary)[-1] == {"w": "d"}
    assert names(diary) == ["revokeConsent", "disableCookie"], "what TikTok's script has not fetched is gone"
    assert diary["cookies"]["_tt_consent"] == "d"


def test_a_refusal_leaves_nothing_for_the_next_page_to_confirm() -> None:
    diary = on_page(s=[TEMPLATE], steps=[REVOKE], browser={"answers": [LOST, NO]})
    assert diary["session"] == {"tiktok:kept": "[]"}


def test_a_pixel_that_throws_costs_its_own_copy_alone() -> None:
    broken = "ttq.instance = () => ({track() { throw new Error('theirs'); }});"
    asks = "tiktok.track('Search', {}, {event_id: 'mine'})"
    diary = on_page(v=1, steps=[("run", broken), ("run", asks), ("run", asks.replace("mine", "next"))])
    assert [event[2] for one in posts(diary) for event in one["e"]] == ["mine", "next"]
    late = on_page(s=[SEALED, SEALED], browser={"before": f"queueMicrotask(() => {{ {broken} }})"})
    assert len(posts(late)) == 1


@pytest.mark.parametrize("answer", [LOST, 503])
def test_a_refusal_that_was_not_heard_is_said_again_and_known_to_the_next_page(answer: object) -> None:
    diary = on_page(v=1, steps=[REVOKE, ("tick", 4)], browser={"answers": [answer, NO]})
    assert posts(diary) == [{"w": "d"}] * 2
    assert on_page(v=1, g=1, browser={"cookies": diary["cookies"]})["queue"] is None


def test_an_answer_that_comes_after_a_refusal_changes_nothing() -> None:
    hasty = "tiktok.grantConsent(); queueMicrotask(() => queueMicrotask(() => tiktok.revokeConsent()))"
    diary = on_page(w=1, v=1, s=[SEALED], steps=[("run", hasty)], browser={"answers": [{"load": True}, NO]})
    assert posts(diary) == [{"w": "g", "c": [["sealed-token", "id-9"]]}, {"w": "d"}]
    assert diary["queue"] is None
    assert on_page(w=1, v=1, steps=[("run", "tiktok.grantConsent(); tiktok.revokeConsent()")])["queue"] is None


def test_a_mind_may_change_again() -> None:
    steps = [REVOKE, GRANT, ("run", "tiktok.track('Contact', {}, {event_id: 'id-7'})")]
    diary = on_page(v=1, e=[CONTACT], steps=steps, browser={"answers": [NO]})
    assert [one.get("w") for one in posts(diary)] == ["d", "g", None]
    assert names(diary)[:4] == ["revokeConsent", "disableCookie", "enableCookie", "grantConsent"]
    assert sorted(names(diary)[4:]) == ["page", "track", "track"], "what the page had before is released once"
    assert tracked(diary) == [("Contact", "id-2"), ("Contact", "id-7")]


def test_an_endpoint_that_says_no_to_a_page_that_runs_stops_it() -> None:
    steps = [("run", "tiktok.track('Contact')")]
    diary = on_page(v=1, s=[TEMPLATE], steps=steps, browser={"answers": [NO]})
    assert names(diary) == ["revokeConsent", "disableCookie"]


def test_a_bridges_word_is_said_to_the_server_and_followed() -> None:
    told = on_page(w=1, v=1, s=[SEALED], steps=[("run", "tiktok.report('g')")])
    assert posts(told) == [{"b": "g", "c": [["sealed-token", "id-9"]]}]
    assert names(told) == ["page", "track"]
    refused = on_page(v=1, steps=[("run", "tiktok.report('d')")], browser={"answers": [NO]})
    assert posts(refused) == [{"b": "d"}]
    assert refused["cookies"] == {"_tt_consent": "d"}


# -- a page's own events


def test_a_pages_own_event_goes_both_ways_under_one_id() -> None:
    diary = on_page(steps=[("run", "tiktok.track('Search', {query: 'mug'}, {event_id: 'mine'})")])
    assert diary["queue"] == [["track", "Search", {"query": "mug"}, {"event_id": "mine"}]]
    assert posts(diary) == [{"e": [["Search", {"query": "mug"}, "mine"]]}]
    minted = on_page(steps=[("run", "tiktok.track('Search')")])
    assert [["Search", {}, tracked(minted)[0][1]]] == posts(minted)[0]["e"]


def test_where_no_event_of_the_page_is_wanted_it_fires_alone() -> None:
    diary = on_page(n="", steps=[("run", "tiktok.track('Search')")])
    assert ([name for name, _ in tracked(diary)], diary["posts"]) == (["Search"], [])


def test_before_leave_a_pages_own_event_waits() -> None:
    track = ("run", "tiktok.track('Search', {}, {event_id: 'mine'})")
    assert on_page(w=1, steps=[track])["posts"] == []
    diary = on_page(w=1, steps=[track, GRANT])
    assert posts(diary) == [{"w": "g", "e": [["Search", {}, "mine"]]}]
    assert tracked(diary) == [("Search", "mine")]
    without = on_page(w=1, n="", steps=[track, GRANT])
    assert tracked(without) == [("Search", "mine")]


def test_calls_made_before_the_helper_has_come_are_replayed_in_order() -> None:
    early = b"<script>tiktok.track('Search', {}, {event_id: 'first'}); tiktok.revokeConsent();</script>"
    diary = run(page(n=COLLECT), early, helper=True, answers=[NO])
    assert posts(diary) == [{"w": "d"}]
    later = run(page(n=COLLECT), early.replace(b"tiktok.revokeConsent();", b""), helper=True)
    assert tracked(later) == [("Search", "first")]


@pytest.mark.parametrize(
    "call",
    [
        "tiktok.track()",
        "tiktok.track(null, null, null)",
        "var loop = {}; loop.loop = loop; tiktok.track('Search', loop)",
        "tiktok.track('Search', {n: 1n})",
        "tiktok.track('Search', {}, 5)",
        "tiktok.report()",
        "tiktok.emit()",
        "tiktok.todo.push(['nothing'])",
        "tiktok.todo.push(['page'])",
    ],
)
def test_no_call_throws_or_keeps_the_next_one_from_working(call: str) -> None:
    guarded = f"try {{ {call} }} catch (e) {{ if (!/emit/.test(String({call!r}))) throw e }}"
    diary = on_page(steps=[("run", guarded), ("run", "tiktok.track('Contact', {}, {event_id: 'after'})")])
    assert ("Contact", "after") in tracked(diary)
    assert ["Contact", {}, "after"] in [event for one in posts(diary) for event in one.get("e", [])]


# -- a page that many share


@pytest.mark.parametrize(
    ("path", "cookies", "says"),
    [
        ("/", {}, False),
        ("/?ttclid=E.C.P.1", {}, True),
        ("/?ttclid=E.C.P.1", {"ttclid": "E.C.P.1"}, True),  # the pixel's own cookie, which lasts seven days
        ("/?ttclid=E.C.P.1", {"ttclid": "E.C.P.0", "_tt_fresh": "c"}, True),
        ("/?ttclid=E.C.P.1", {"ttclid": "E.C.P.1", "_tt_fresh": "c"}, False),
        ("/", {"ttclid": "E.C.P.1", "_tt_fresh": "c"}, False),
        ("/", {"_ttp": "x" * 20}, True),
        ("/", {"_ttp": "x" * 20, "_tt_fresh": "c"}, True),
        ("/", {"_ttp": "x" * 20, "_tt_fresh": "p"}, False),
        ("/", {"_ttp": "x" * 20, "_tt_fresh": "cp"}, False),
    ],
)
def test_a_shared_page_says_hello_when_there_is_something_to_say(
    path: str, cookies: dict[str, str], says: bool
) -> None:
    diary = on_page(h=1, v=1, browser={"path": path, "cookies": cookies})
    assert posts(diary) == [{"h": 1}] * says
    assert names(diary) == ["page"], "it loads before"
    assert on_page(v=1, browser={"path": path, "cookies": cookies})["posts"] == []


# -- answers


def timing(name: str, description: str, url: str = "https://shop.example/api") -> dict[str, Any]:
    return {"name": url, "serverTiming": [{"name": name, "description": description}]}


def test_a_reference_is_exchanged_for_its_events() -> None:
    answer = {"load": True, "e": [PURCHASE]}
    diary = on_page(n="", browser={"entries": [timing("tiktok", "~ref-1")], "answers": [answer]})
    assert posts(diary) == [{"x": ["ref-1"]}]
    assert diary["posts"][0]["url"] == "https://shop.example/_tiktok/collect", "where the helper came from"
    assert tracked(diary) == [("Purchase", "id-1")]
    carried = on_page(x=["ref-2"], browser={"answers": [answer]})
    assert (posts(carried), tracked(carried)) == ([{"x": ["ref-2"]}], [("Purchase", "id-1")])


@pytest.mark.parametrize(
    ("url", "counts"),
    [
        ("https://shop.example/cart", True),
        ("https://api.shop.example/cart", True),
        ("https://evilshop.example/cart", False),
        ("https://shop.example.evil.example/cart", False),
        ("https://example/cart", False),
        ("about:blank", False),
        ("no address", False),
    ],
)
def test_answers_count_where_they_come_from_this_host_or_one_below_it(url: str, counts: bool) -> None:
    description = answer_headers([PURCHASE])[1][1][len('tiktok;desc="') : -1]
    diary = on_page(browser={"entries": [timing("tiktok", description, url)]})
    assert tracked(diary) == [("Purchase", "id-1")] * counts


def test_an_event_that_is_sealed_while_the_page_is_sent_is_taken_like_the_others() -> None:
    late = "try{tiktok.todo.push(['seal','Purchase',{value:9},'id-9','sealed-token'])}catch(e){}"
    before = run(page(n=COLLECT, w=1), f"<script>{late}</script>".encode(), helper=True, steps=[GRANT])
    after = on_page(w=1, steps=[("run", late), GRANT])
    for diary in (before, after):
        assert posts(diary) == [{"w": "g", "c": [["sealed-token", "id-9"]]}]
        assert tracked(diary) == [("Purchase", "id-9")]


# -- a page that nobody sees yet


def test_a_prerendered_page_says_nothing_until_it_is_seen() -> None:
    steps = [("run", "tiktok.track('Search', {}, {event_id: 'mine'}); tiktok.grantConsent()"), ("tick", 3)]
    config: dict[str, Any] = {"h": 1, "w": 1, "s": [SEALED]}
    unseen = on_page(**config, steps=steps, browser={"prerendering": True})
    assert (unseen["posts"], unseen["queue"]) == ([], None)
    seen = on_page(**config, steps=[*steps, ("activate", 1)], browser={"prerendering": True})
    assert {event_id for _, event_id in tracked(seen)} == {"mine", "id-9"}


def test_the_helper_runs_once_however_often_it_is_loaded() -> None:
    made = snippet()
    again = b"<script>" + made.helper + b"</script>"
    assert len(run(page(n=COLLECT, s=[TEMPLATE]), again, again, helper=True)["posts"]) == 1


def test_a_page_that_turbo_brings_is_taken_up_by_the_helper_that_is_there() -> None:
    """Its script runs in the same document, after the helper."""
    source = page(n=COLLECT, v=1, s=[SEALED]).decode()
    body = source[len("<script>") : -len("</script>")]
    diary = on_page(v=1, steps=[("run", body), ("run", body)])
    assert names(diary) == ["page", "track"], "one page view: the pixel counts the others itself"
    waiting = page(n=COLLECT, w=1, s=[SEALED]).decode()[len("<script>") : -len("</script>")]
    assert tracked(on_page(steps=[("run", waiting)])) == [("Purchase", "id-9")], "this document has leave"


def test_without_the_base_code_the_helper_does_nothing() -> None:
    assert run(helper=True)["posts"] == []
    assert ONE.helper.isascii()


def test_another_tabs_refusal_stops_a_page_before_its_next_post() -> None:
    steps = [("run", "tiktok.report('g')"), ("cookies", {"_tt_consent": "d"}), ("run", "tiktok.track('Search')")]
    diary = on_page(w=1, v=1, steps=steps)
    assert posts(diary) == [{"b": "g"}]
    assert "track" not in names(diary)


def test_refusal_of_another_tab_counts_beside_other_cookies() -> None:
    diary = on_page(steps=[("cookies", {"a": "1", "_tt_consent": "d"}), ("tick", 1)])
    assert ["disableCookie"] in diary["queue"]


REGEX = re.compile(r"(?<=[(=,:!&|?\s])/(?![/*])(?:[^/\\\n\[]|\\.|\[[^\]\n]*\])+/[a-z]*(?=[.,;)])")


@pytest.mark.parametrize("path", sorted(BROWSER.rglob("*.js")), ids=lambda path: path.stem)
def test_regular_expressions_hold_no_blank_that_the_compaction_would_remove(path: Path) -> None:
    """The compaction removes white space beside punctuation everywhere outside strings."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.strip().startswith("//")]
    assert [found for line in lines for found in REGEX.findall(line) if " " in found] == []


# -- what the page can show


REFUSED = {"w": 1, "q": 1, "p": []}


@pytest.mark.parametrize(
    ("consent", "config", "browser", "steps", "shown"),
    [
        ("implied", {}, {}, [], "granted default - -"),
        ("implied", {}, {"cookies": {"a": "1", "_tt_consent": "g"}}, [], "granted site - -"),
        ("implied", {}, {}, [REVOKE], "denied site - -"),
        ("implied", REFUSED, {"cookies": {"a": "1", "_tt_consent": "d"}}, [], "denied site - -"),
        ("required", {"w": 1}, {}, [], "unknown default - -"),
        (
            "required",
            {"w": 1},
            {"answers": [{"load": True, "cookies": {"_tt_consent": "g"}}]},
            [GRANT],
            "granted site - -",
        ),
        ("onetrust", {"w": 1}, {}, [], "unknown platform - -"),
        ("onetrust", {}, {}, [], "granted platform - -"),
        ("onetrust", REFUSED, {}, [], "denied platform - -"),
        ("onetrust", {}, {}, [REVOKE], "denied site - -"),
        # Global Privacy Control: the server has refused (first row), or the gate in a shared page does
        ("implied", REFUSED, {"gpc": True}, [], "denied gpc seen honoured"),
        ("implied", {"g": 1}, {"gpc": True}, [], "denied gpc seen honoured"),
        ("onetrust", REFUSED, {"gpc": True}, [], "denied gpc seen honoured"),
        ("limit", {}, {"gpc": True}, [], "granted default seen honoured"),
        ("ignore", {}, {"gpc": True}, [], "granted default seen -"),
        ("ignore", {}, {"gpc": True}, [REVOKE], "denied site seen -"),
        ("ignore", {"w": 1}, {"gpc": True}, [], "unknown default seen -"),
    ],
)
def test_privacy_status_shows_the_choice_its_source_and_the_control(
    consent: str, config: dict[str, Any], browser: dict[str, Any], steps: list[Any], shown: str
) -> None:
    gpc = consent if consent in {"limit", "ignore"} else "deny"
    made = snippet(helper_file("implied" if gpc != "deny" else consent, gpc=gpc))
    show = "document.cookie = 'shown=' + encodeURIComponent(JSON.stringify(tiktok.privacyStatus()))"
    diary = run(page(**{"n": COLLECT, **config}), helper=True, made=made, steps=[*steps, ("run", show)], **browser)
    status = json.loads(unquote(diary["cookies"]["shown"]))
    seen, honoured = ("seen" if status["gpcSeen"] else "-"), ("honoured" if status["gpcHonoured"] else "-")
    assert f"{status['consent']} {status['source']} {seen} {honoured}" == shown


@pytest.mark.parametrize(
    "folder",
    [
        "https://shop.example/_tiktok/",
        "https://shop.example/helper-x/_tiktok/",
        "https://shop.example/helper-0.js/_tiktok/",
        "http://helper.shop.example/https%3A//x/_tiktok/",
    ],
)
def test_posts_go_beside_the_helper(folder: str) -> None:
    diary = run(page(h=1, w=1), helper=True, steps=[GRANT], helperUrl=f"{folder}helper-0123456789abcdef.js")
    assert {post["url"] for post in diary["posts"]} == {f"{folder}collect"}
