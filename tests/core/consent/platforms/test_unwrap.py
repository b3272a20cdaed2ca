"""Encodings are undone exactly once and strictly."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.consent.platforms.tc_strings import ALPHABET, fibonacci, packed
from tiktok_middleware.core.consent.platforms._decoding import Bits, base64_record, decoded, record


@given(st.text())
def test_what_was_percent_encoded_comes_back(text: str) -> None:
    assert decoded(quote(text)) == text
    assert decoded(quote(text, safe="").lower() if text.isdecimal() else quote(text, safe="")) == text


@given(st.text(st.characters(blacklist_characters="%", blacklist_categories=["Cs"])))
def test_raw_utf_8_comes_back_from_its_guise_of_latin_1(text: str) -> None:
    assert decoded(text.encode().decode("latin-1")) == text


@pytest.mark.parametrize(
    "value",
    ["%", "%4", "%4g", "a%zz", "%%41", "% 1", "%+1", "%FF", "%C3", "\xe9", "%C3\xff", "\u20ac", "%E2%82%AC\u20ac"],
)
def test_broken_encodings_are_refused(value: str) -> None:
    with pytest.raises(ValueError):
        decoded(value)


def test_decoding_happens_once() -> None:
    assert decoded("%2525") == "%25"
    assert decoded("a+b%2Bc%2b") == "a+b+c+"


@pytest.mark.parametrize(
    "value",
    ["", "1", "[]", "null", '"a"', "{", "{}x", "{'a':1}", "[" * 8000, '{"a":' * 1500, '{"a":\xff}', '{"a":NaN}'],
)
def test_what_is_no_json_object_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        record(value)


@pytest.mark.parametrize("value", ["", "e30x", "e3", "e30*", "e 30=", "e30=e30=", "\xff", "bnVsbA=="])
def test_what_is_no_object_in_base64_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        base64_record(value)


@pytest.mark.parametrize("value", ["e30", "e30=", "e30%3D", "eyJhIjp7fX0", "eyJhIjp7fX0="])
def test_padding_may_be_left_out(value: str) -> None:
    assert base64_record(value) in ({}, {"a": {}})


@given(st.text(ALPHABET, min_size=1, max_size=60), st.data())
def test_bits_are_read_as_the_alphabet_says_and_never_past_the_end(text: str, data: st.DataObject) -> None:
    expected = "".join(f"{ALPHABET.index(character):06b}" for character in text)
    bits = Bits(text)
    assert bits.text == expected
    start = data.draw(st.integers(0, len(expected) - 1))
    width = data.draw(st.integers(1, len(expected) - start))
    assert bits.take(start, width) == int(expected[start : start + width], 2)
    bits.need(len(expected))
    with pytest.raises(ValueError):
        bits.take(start, len(expected) - start + 1)
    with pytest.raises(ValueError):
        bits.need(len(expected) + 1)


@pytest.mark.parametrize("text", ["", "=", "AA=", "A A", "A\n", "A+", "A/", "\xe4", "\u0661"])
def test_foreign_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Bits(text)


def test_the_makers_of_test_strings_are_right() -> None:
    assert [fibonacci(value) for value in (1, 2, 3, 4, 7, 12)] == ["11", "011", "0011", "1011", "01011", "101011"]
    assert packed("000011000001") == "DB"
