"""Entity tags: ours lead back to the app's, and to nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.http.etags import bare_tags, marked_tag

MARK = "0a1b2c3d"


@pytest.mark.parametrize(
    ("tag", "marked"),
    [
        ('"abc"', 'W/"abc-s0a1b2c3d"'),
        ('W/"abc"', 'W/"abc-w0a1b2c3d"'),
        ('""', 'W/"-s0a1b2c3d"'),
        (' "abc" ', 'W/"abc-s0a1b2c3d"'),
        ("abc", ""),
        ('"a"b"', ""),
        ("", ""),
    ],
)
def test_a_marked_tag_is_weak_and_remembers_whether_the_apps_was(tag: str, marked: str) -> None:
    assert marked_tag(tag, MARK) == marked


@pytest.mark.parametrize(
    ("asked", "bare"),
    [
        ('W/"abc-s0a1b2c3d"', '"abc"'),
        ('W/"abc-w0a1b2c3d"', 'W/"abc"'),
        ('"abc-s0a1b2c3d"', '"abc"'),  # a proxy may have made it strong
        ('W/"abc-sffffffff"', 'W/"abc-sffffffff"'),  # yesterday's script
        ('"x", W/"abc-s0a1b2c3d", W/"y"', '"x", "abc", W/"y"'),
        ("*", "*"),
        ("garbage", "garbage"),
        ("", ""),
    ],
)
def test_a_conditional_request_is_the_apps_again(asked: str, bare: str) -> None:
    assert bare_tags(asked, MARK) == bare


@given(st.from_regex(r'(W/)?"[!#-~]{0,40}"', fullmatch=True))
def test_there_and_back(tag: str) -> None:
    assert bare_tags(marked_tag(tag, MARK), MARK) == tag


@given(st.text(max_size=200))
def test_garbage_is_left_as_it_is(text: str) -> None:
    assert bare_tags(text.replace(MARK, ""), MARK) == text.replace(MARK, "")
