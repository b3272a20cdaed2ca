"""The visitor's ids are opaque, validated, kept alive once a day, and the newest click wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import DOORS, GOOD_TTP, MakeRequest, scope_request
from tiktok_middleware.core.response.first_party_cookies import LIFETIME_S
from tiktok_middleware.core.visitor.click_ids import is_ttclid, may_be_due, read_visitor

CLICK = "E.C.P.CrsBm1-Yk_3x8~z"

both = pytest.mark.parametrize("make", DOORS)


@both
def test_the_click_id_of_the_address_outranks_the_kept_one(make: MakeRequest) -> None:
    visitor = read_visitor(make(f"/?ttclid={CLICK}", {"cookie": "ttclid=old; _tt_fresh=c"}))
    assert visitor.ttclid == CLICK
    assert visitor.renew == ("ttclid",)
    assert visitor.ignored == 0


@pytest.mark.parametrize(
    ("cookie", "ttclid", "ignored"),
    [
        ("ttclid=one; _ttclid=two; tiktok_ttclid=three", "one", 0),
        ("_ttclid=two; tiktok_ttclid=three", "two", 0),
        ("tiktok_ttclid=three", "three", 0),
        ("ttclid=; tiktok_ttclid=three", "three", 0),
        ("ttclid=<bad>; tiktok_ttclid=three", "three", 1),
        ("ttclid=<bad>; tiktok_ttclid=a b", "", 2),
        ("TTCLID=one", "", 0),
    ],
)
def test_what_other_integrations_kept_is_read(cookie: str, ttclid: str, ignored: int) -> None:
    visitor = read_visitor(scope_request("/", {"cookie": cookie}))
    assert (visitor.ttclid, visitor.ignored) == (ttclid, ignored)


@pytest.mark.parametrize("value", ["<script>", "a b", "ä", "x" * 1001, "a;b", "bob@example.com", "a\nb", "a%0d"])
def test_a_garbage_click_id_is_ignored_and_counted(value: str) -> None:
    from urllib.parse import quote

    visitor = read_visitor(scope_request(f"/?ttclid={quote(value)}", {"cookie": "ttclid=kept; _tt_fresh=c"}))
    assert (visitor.ttclid, visitor.renew, visitor.ignored) == ("kept", (), 1)


def test_a_click_id_of_a_thousand_characters_passes_whole() -> None:
    assert read_visitor(scope_request("/?ttclid=" + "x" * 1000)).ttclid == "x" * 1000


@pytest.mark.parametrize(
    "ttp",
    [
        "d9b2d63d-a233-4123-847a-7090f5d9d3a1",
        "2NkqUJ5wYKGzTKGbjCYVKAqJ3mO",
        "x-_yUJ5wYKGzTKGbjCYVKAqJ3mO.tt.2",
        GOOD_TTP,
    ],
)
def test_every_form_of_ttp_seen_so_far_is_read_whole(ttp: str) -> None:
    assert read_visitor(scope_request("/", {"cookie": f"_ttp={ttp}"})).ttp == ttp


@pytest.mark.parametrize("ttp", ["short", "x" * 129, "with space in the middle", "<script>alert(1)</script>", "ä" * 20])
def test_a_garbage_ttp_is_ignored_and_counted(ttp: str) -> None:
    visitor = read_visitor(scope_request("/", {"cookie": f"_ttp={ttp}"}))
    assert (visitor.ttp, visitor.renew, visitor.ignored) == ("", (), 1)


@pytest.mark.parametrize(
    ("cookie", "renew", "fresh"),
    [
        ("", (), ""),
        (f"_ttp={GOOD_TTP}", ("_ttp",), "p"),
        (f"_ttp={GOOD_TTP}; _tt_fresh=p", (), "p"),
        (f"_ttp={GOOD_TTP}; ttclid=a", ("ttclid", "_ttp"), "cp"),
        (f"_ttp={GOOD_TTP}; ttclid=a; _tt_fresh=p", ("ttclid",), "cp"),
        (f"_ttp={GOOD_TTP}; ttclid=a; _tt_fresh=c", ("_ttp",), "cp"),
        (f"_ttp={GOOD_TTP}; ttclid=a; _tt_fresh=cp", (), "cp"),
        (f"_ttp={GOOD_TTP}; ttclid=a; _tt_fresh=garbage", ("ttclid", "_ttp"), "cp"),
        ("_ttclid=a; _tt_fresh=c", ("ttclid",), "c"),  # under our own name it is new
    ],
)
def test_a_cookie_is_renewed_once_a_day(cookie: str, renew: tuple[str, ...], fresh: str) -> None:
    visitor = read_visitor(scope_request("/", {"cookie": cookie}))
    assert (visitor.renew, visitor.fresh) == (renew, fresh)


@pytest.mark.parametrize("word", ["null", "undefined", "0", "guest", "__CLICKID__", "__CLICK_ID__"])
def test_a_word_for_a_missing_click_id_is_ignored_and_counted(word: str) -> None:
    visitor = read_visitor(scope_request(f"/?ttclid={word}", {"cookie": f"ttclid={word}; _ttclid={CLICK}"}))
    assert (visitor.ttclid, visitor.ignored) == (CLICK, 2)
    assert not is_ttclid(word)


@both
def test_the_click_id_of_the_page_before_outranks_a_cookie_and_not_the_address(make: MakeRequest) -> None:
    headers = {"referer": "https://shop.example/?ttclid=before", "cookie": "ttclid=kept"}
    assert read_visitor(make("/", headers)).ttclid == "before"
    assert read_visitor(make("/?ttclid=now", headers)).ttclid == "now"
    assert may_be_due(make("/", {"referer": "https://shop.example/?ttclid=before"}))
    assert not may_be_due(make("/", {"referer": "https://shop.example/?gclid=x"}))


def test_lifetimes_are_tiktoks() -> None:
    days = {name: seconds / 86_400 for name, seconds in LIFETIME_S.items()}
    assert 28 <= days["ttclid"] <= 30
    assert 395 <= days["_ttp"] <= 397  # 13 months
    assert days["_tt_fresh"] == 1


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255, exclude_characters="?")))
def test_no_request_fails(cookie: str, query: str) -> None:
    visitor = read_visitor(
        scope_request(f"/?ttclid={query}", {"cookie": f"ttclid={cookie}; _ttp={cookie}; _tt_fresh={cookie}"})
    )
    assert set(visitor.fresh) <= {"c", "p"}
    assert set(visitor.renew) <= {"ttclid", "_ttp"}
