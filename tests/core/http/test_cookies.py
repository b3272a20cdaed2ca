"""Cookies of others never cost us ours, and what we write is a cookie and nothing more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.http.cookies import delete_cookie, read_cookies, set_cookie

CIVIC = '{"statement":{"shown":true},"optionalCookies":{"marketing":"accepted"},"proprietary":true}'


@pytest.mark.parametrize(
    "odd",
    [
        f"CookieControl={CIVIC}",
        "cmapi_cookie_privacy=permit 1,2,3",
        "notice_preferences=2: ; x",
        "a=b c",
        "broken",
        "=nameless",
        'quoted="a b"',
        "euconsent=\xc3\xa4",
        "x[y]=1",
        "a=1,2,3",
        "",
        ";;;",
        "$Version=1",
        "a\tb=c",
    ],
)
def test_an_odd_cookie_does_not_lose_the_others(odd: str) -> None:
    cookies = read_cookies(f"first=1; {odd}; _ttp=abc; last=2")
    assert (cookies["first"], cookies["_ttp"], cookies["last"]) == ("1", "abc", "2")


def test_a_consent_platforms_value_is_read_as_it_is() -> None:
    cookies = read_cookies(f"CookieControl={CIVIC}; cmapi_cookie_privacy=permit 1,2,3")
    assert cookies == {"CookieControl": CIVIC, "cmapi_cookie_privacy": "permit 1,2,3"}


def test_of_two_cookies_of_one_name_the_first_counts() -> None:
    assert read_cookies("a=1; a=2")["a"] == "1"


def test_a_value_may_hold_equals_signs() -> None:
    assert read_cookies("a=b=c==") == {"a": "b=c=="}


def test_a_cookie_that_was_cut_is_not_read_as_another() -> None:
    header = "a=1; " + "x=" + "y" * 32_740 + "; _ttp=" + "z" * 128
    cookies = read_cookies(header)
    assert cookies["a"] == "1"
    assert "_ttp" not in cookies


@given(st.text(), st.text())
def test_no_header_fails(before: str, after: str) -> None:
    cookies = read_cookies(f"{before}; mine=1; {after}")
    assert cookies["mine"] == "1" or any(part.strip().startswith("mine") for part in before.split(";"))


def test_a_cookie_is_written_for_the_whole_site() -> None:
    assert set_cookie("ttclid", "E.C.P", max_age_s=60) == "ttclid=E.C.P; Max-Age=60; Path=/; SameSite=Lax"
    full = set_cookie("a", "b", max_age_s=60, domain="shop.example", secure=True, http_only=True)
    assert full == "a=b; Max-Age=60; Path=/; Domain=shop.example; Secure; HttpOnly; SameSite=Lax"


def test_a_deleted_cookie_is_empty_and_over() -> None:
    assert delete_cookie("a", domain="shop.example") == "a=; Max-Age=0; Path=/; Domain=shop.example; SameSite=Lax"


@pytest.mark.parametrize(
    "value", ["a b", "a;b", "a,b", 'a"b', "a\\b", "a\r\nb", "a\x00", "ä", "\udc80", "a\x7f", "x\n"]
)
def test_a_value_that_a_cookie_cannot_carry_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cookie"):
        set_cookie("a", value, max_age_s=1)


@pytest.mark.parametrize("domain", ["a;b", "a b", "shop.example; Secure", "x\r\ny", "ä.example", "-a.b", "a.", '"'])
def test_a_domain_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match="domain"):
        set_cookie("a", "b", max_age_s=1, domain=domain)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "ä"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        set_cookie(name, "b", max_age_s=1)


@given(st.text())
def test_what_is_written_is_read_back_or_refused(value: str) -> None:
    try:
        written = set_cookie("a", value, max_age_s=1)
    except ValueError:
        return
    assert read_cookies(written)["a"] == value
