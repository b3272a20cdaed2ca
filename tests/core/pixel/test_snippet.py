"""Events become scripts and headers, which no value in them can end."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.browser_scripts.page_world import ONE, URL, argument, scripts, snippet
from tiktok_middleware.core.pixel.snippet import BrowserCopy, answer_headers, encode_copies

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
    assert len(scripts(html)) == 1
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
    helper = made.helper_path
    assert argument(made.page("", page=False)) == {
        "u": URL,
        "p": ["A", "B"],
        "o": {"autoConfig": False},
        "j": helper,
    }
    assert argument(made.page("", page=True, gate=2, limited=True, clear_cookies=["_tt_carry.1"])) == {
        "u": URL,
        "p": ["A", "B"],
        "o": {"autoConfig": False, "limited_data_use": True},
        "v": 1,
        "g": 2,
        "k": ["_tt_carry.1"],
        "j": helper,
    }
    assert argument(made.page("", page=False))["o"] == {"autoConfig": False}  # the limit of one page stays there


@pytest.mark.parametrize("mount", ["", "/shop", "/a b", '/"><script>', "/ü", "/\udc80", "/'onload='x"])
def test_the_helper_is_asked_for_under_the_mount_point(mount: str) -> None:
    source = argument(ONE.page(mount, page=True))["j"]
    assert re.fullmatch(r"/(?!/)[!-~]*", source)
    assert source.endswith(ONE.helper_path)
    assert not re.search(r"[<>'\" ]", source)


def test_the_helpers_name_changes_with_its_content() -> None:
    assert re.fullmatch(r"/_tiktok/helper-[0-9a-f]{16}\.js", ONE.helper_path)
    assert snippet().helper_path == ONE.helper_path
    assert snippet("other();").helper_path != ONE.helper_path


def test_the_scripts_are_small() -> None:
    helper = gzip.compress(ONE.helper, 9)
    page = ONE.page("", page=True)
    print(f"helper {len(ONE.helper)} bytes, {len(helper)} gzipped; snippet {len(page)}, {len(gzip.compress(page, 9))}")
    assert len(helper) <= 3072
    assert len(gzip.compress(page, 9)) <= 2048
