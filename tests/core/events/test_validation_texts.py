"""Texts and keys of one's own travel along where they can; what is personal, misspelt or elsewhere at home does not."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any
from uuid import UUID

import pytest
from django.utils.functional import lazy
from django.utils.safestring import mark_safe

from tests.core.events.validation_calls import clean, refused
from tiktok_middleware.core.events.validation import Cleaned, clean_properties


def lazily(text: str) -> Any:
    """A lazy translation as Django makes them."""
    return lazy(lambda: text, str)()


class Size(enum.Enum):
    LARGE = "large"


def test_a_key_that_is_sent_is_a_str_and_no_subclass_of_it() -> None:
    (key,) = clean(**{mark_safe("own"): 1})
    assert type(key) is str


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("valeu", "value"),
        ("Value", "value"),
        ("curency", "currency"),
        ("contnets", "contents"),
        ("orderId", "order_id"),
        ("amount", "value"),
        ("search-string", "search_string"),
    ],
)
def test_a_misspelt_key_is_kept_and_the_right_one_named(key: str, right: str) -> None:
    cleaned = clean_properties("ViewContent", {key: 1})
    assert cleaned.properties == {key: 1}
    (warning,) = cleaned.warnings
    assert warning == f"properties.{key} is not read by TikTok; did you mean {right}?"


@pytest.mark.parametrize("key", ["color", "gtm_version", "size", "coupon", "x"])
def test_a_key_of_ones_own_travels_along_without_a_word(key: str) -> None:
    assert clean_properties("ViewContent", {key: "v"}) == Cleaned(properties={key: "v"}, problems=[], warnings=[])


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("email", "identify()"),
        ("phone_number", "identify()"),
        ("phoneNumber", "identify()"),
        ("First-Name", "identify()"),
        ("ttclid", "the middleware"),
        ("limited_data_use", "limited_data_use"),
        ("event_id", "track(event_id=...)"),
    ],
)
def test_what_is_no_property_is_sent_back_to_where_it_belongs(key: str, place: str) -> None:
    cleaned = clean_properties("ViewContent", {key: "x"})
    assert cleaned.properties == {}
    assert place in cleaned.problems[0].allowed


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("search_string", "find bob@example.com"),
        ("order_id", "bob@example.com"),
        ("note", "call +49 170 1234567"),
        ("note", {"deep": ["BOB@EXAMPLE.CO.UK"]}),
    ],
)
def test_a_text_that_gives_a_person_away_is_left_out(key: str, text: object) -> None:
    message = refused(**{key: text})
    assert "identify() hashes it" in message
    assert "bob" not in message.lower()


@pytest.mark.parametrize("text", ["@handle", "react@18.2.0", "C++", "A+12345678", "2 + 2", "photo@2x.png"])
def test_a_text_that_only_looks_odd_is_sent(text: str) -> None:
    assert clean(own=text) == {"own": text}


def test_nothing_is_not_sent() -> None:
    assert clean(value=None, description="", own=None, content_ids=[], contents=[], nested={"a": None}) == {
        "nested": {}
    }


def test_free_text_is_cut_with_a_warning_and_ids_are_not() -> None:
    cleaned = clean_properties("Search", {"description": "é" * 2001, "order_id": "x" * 201})
    assert cleaned.properties == {"description": "é" * 2000}
    assert cleaned.warnings == ["properties.description was cut after 2000 characters"]
    assert "a str of 201 characters" in str(cleaned.problems[0])


def test_half_characters_are_joined_or_replaced() -> None:
    assert clean(a="\ud83d\ude00", b="x\ud800y", order_id="\udfff1") == {
        "a": "\U0001f600",
        "b": "x\ufffdy",
        "order_id": "\ufffd1",
    }


def test_containers_nest_six_levels_deep_and_no_deeper() -> None:
    assert clean(own=[[[[["x"]]]]]) == {"own": [[[[["x"]]]]]}
    assert "nested too deeply" in refused(own=[[[[[["x"]]]]]])
    endless: list[object] = []
    endless.append(endless)
    assert "nested too deeply" in refused(own=endless)


@pytest.mark.parametrize("value", [b"x", {1, 2}, object(), len, 1j, range(3), {"a": {3: 4}}, {"__proto__": 1}, {"": 1}])
def test_what_json_has_not_is_refused(value: object) -> None:
    assert refused(own=value).startswith("properties.own is")


@pytest.mark.parametrize("key", [3, None, b"k", "", "a\x00", "bob@example.com", "__proto__", "\ud800", "k" * 101])
def test_a_key_that_is_no_name_is_left_out_and_not_repeated(key: object) -> None:
    cleaned = clean_properties("ViewContent", {key: 1, "ok": 2})  # type: ignore[dict-item]
    assert cleaned.properties == {"ok": 2}
    assert "bob" not in str(cleaned.problems[0])


def test_a_hundred_keys_are_the_most() -> None:
    cleaned = clean_properties("ViewContent", {f"k{number}": number for number in range(150)})
    assert len(cleaned.properties) == 100
    assert "more than 100 keys" in str(cleaned.problems[0])


def test_dates_lazy_texts_enums_and_safe_strings_are_written_out() -> None:
    sent = clean(
        checkin_date=dt.date(2026, 1, 2),
        checkout_date=dt.datetime(2026, 1, 3, 12, tzinfo=dt.timezone.utc),
        description=lazily("translated"),
        content_name=mark_safe("<b>"),
        mood=Size.LARGE,
        status=Size.LARGE,
        door=dt.time(8, 30),
        trace=UUID(int=2),
        label=lazily("x"),
    )
    assert sent.pop("contents") == [{"content_name": "<b>"}]
    assert sent == {
        "checkin_date": "2026-01-02",
        "checkout_date": "2026-01-03T12:00:00+00:00",
        "description": "translated",
        "mood": "large",
        "status": "large",
        "door": "08:30:00",
        "trace": "00000000-0000-0000-0000-000000000002",
        "label": "x",
        "num_items": 1,
        "content_type": "product",
    }


def test_every_text_that_is_sent_is_a_str_and_no_subclass_of_it() -> None:
    sent = clean(description=mark_safe("a"), own=mark_safe("b"), nested={"k": [mark_safe("c")]})
    assert [type(sent["description"]), type(sent["own"]), type(sent["nested"]["k"][0])] == [str, str, str]
