"""What systems write for a missing value is told from values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timing import least_s
from tiktok_middleware.core.visitor.placeholders import is_placeholder


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "null",
            "NULL",
            "None",
            "none",
            "nil",
            "NaN",
            "undefined",
            "Undefined",
            "0",
            "-1",
            "-",
            "--",
            "false",
        ),
        *("guest", "Guest", "anonymous", "AnonymousUser", "unknown", "n/a", "N/A", "na", "#N/A", "(not set)", "(none)"),
        *("[object Object]", "{}", "[]", "<null>", "(null)", " null "),
        *(
            "__CLICKID__",
            "__CAMPAIGN_ID__",
            "{{ttclid}}",
            "{{ ttclid }}",
            "{ttclid}",
            "${ttclid}",
            "$(ttclid)",
            "#{id}",
        ),
        *("%ttclid%", "%%CLICK_ID%%", "[CLICK_ID]", "[[id]]", "<id>", "<%id%>"),
    ],
)
def test_a_word_for_nothing_is_a_placeholder(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "E.C.P.abc",
        "1",
        "00",
        "A-1001",
        "nullable",
        "guest7",
        "x",
        "none-1",
        "__a",
        "a{{b}}",
        "100%",
        "user@0",
        "{{" + "x" * 99,
    ],
)
def test_a_value_is_none(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize("text", ["0", "-1", " 0 "])
def test_zero_may_be_a_value(text: str) -> None:
    assert is_placeholder(text)
    assert not is_placeholder(text, may_be_zero=True)


@pytest.mark.parametrize("worst", ["_", "{", "}", "%", "[", "<", "$(", "#{", "a_", "__a"])
def test_the_time_is_bounded(worst: str) -> None:
    texts = [worst * size for size in (79, 80, 32_768)]
    assert least_s(lambda: [is_placeholder(text) for text in texts], 0.1) < 0.1


@given(st.text())
def test_any_text_is_one_or_the_other(text: str) -> None:
    assert is_placeholder(text) in {True, False}
