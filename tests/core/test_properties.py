"""Every property is sent as TikTok reads it, or left out and reported; the event itself always survives."""

from __future__ import annotations

import datetime as dt
import enum
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from django.utils.functional import lazy
from django.utils.safestring import mark_safe

from tiktok_middleware.core.properties import Cleaned, clean_properties


def lazily(text: str) -> Any:
    """A lazy translation as Django makes them."""
    return lazy(lambda: text, str)()  # type: ignore[no-untyped-call]


class Size(enum.Enum):
    LARGE = "large"


class Cost(enum.Enum):
    SMALL = 5


class Indexed:
    """A whole number as numpy's are: no int, but with an index."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Floated:
    """A number as numpy's are: no float, but with a float value and a size in bytes."""

    def __init__(self, value: float, itemsize: int = 8) -> None:
        self.value = value
        self.itemsize = itemsize

    def __float__(self) -> float:
        return self.value


class Array(Floated):
    """An array of one number, which numpy lets pass for a number."""

    def __len__(self) -> int:
        return 1


class bool_(Floated):  # noqa: N801 -- numpy's name of it
    pass


class Broken:
    def __float__(self) -> float:
        raise RuntimeError("secret-value")


class Lopsided(dict[str, object]):
    def items(self) -> Any:
        return [1, 2]


class BrokenMapping(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        raise RuntimeError("secret-value")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("secret-value")

    def __len__(self) -> int:
        return 1


def clean(name: str = "ViewContent", /, **properties: object) -> dict[str, Any]:
    """The cleaned properties of a call without problems."""
    cleaned = clean_properties(name, properties)
    assert cleaned.problems == []
    return cleaned.properties


def refused(**properties: object) -> str:
    """The one problem of a call that loses one property."""
    cleaned = clean_properties("ViewContent", properties)
    (problem,) = cleaned.problems
    return str(problem)


def warnings(name: str, /, **properties: object) -> list[str]:
    return clean_properties(name, properties).warnings


def test_a_whole_purchase_arrives_as_in_tiktoks_own_example() -> None:
    cleaned = clean_properties(
        "Purchase",
        {
            "currency": "eur",
            "value": Decimal("20.00"),
            "contents": [{"content_id": "SKU-1", "content_name": "Mug", "price": 10, "quantity": 2}],
            "order_id": 1001,
        },
    )
    assert cleaned == Cleaned(
        properties={
            "currency": "EUR",
            "value": 20.0,
            "contents": [{"content_id": "SKU-1", "content_name": "Mug", "price": 10, "quantity": 2}],
            "order_id": "1001",
            "content_ids": ["SKU-1"],
            "num_items": 2,
            "content_type": "product",
        },
        problems=[],
        warnings=[],
    )


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (59.9, 59.9),
        (60, 60),
        (0, 0),
        (Decimal("59.90"), 59.9),
        (Fraction(1, 4), 0.25),
        ("59.90", 59.9),
        (" 60 ", 60),
        (Indexed(7), 7),
        (Cost.SMALL, 5),
        (Floated(7.5), 7.5),
        (Floated(59.900001525878906, itemsize=4), 59.9),
    ],
)
def test_a_number_of_any_kind_becomes_int_or_float(value: object, sent: float) -> None:
    found = clean(value=value, currency="EUR")["value"]
    assert found == sent
    assert type(found) in {int, float}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "of type bool; allowed: a number"),
        (bool_(1.0), "of type bool_; allowed: a number"),
        (Array(1.0), "of type Array; allowed: a number"),
        (math.nan, "not a finite number"),
        (math.inf, "not a finite number"),
        (Decimal("NaN"), "not a finite number"),
        (Decimal("sNaN"), "not a finite number"),
        (Decimal("1e400"), "not a finite number"),
        (10**400, "beyond 2\\*\\*53"),
        (2**53 + 2, "beyond 2\\*\\*53"),
        (-1, "a negative number"),
        ("59,90", "not a plain number"),
        ("1,299.00", "not a plain number"),
        ("€59.90", "not a plain number"),
        ("59.90 EUR", "not a plain number"),
        ("1e3", "not a plain number"),
        ("", "not a plain number"),
        ("٣", "not a plain number"),
        (b"1", "of type bytes"),
        ([1], "of type list"),
        (object(), "of type object"),
        (dt.timedelta(1), "of type timedelta"),
        (Broken(), "of type Broken, which raised"),
    ],
)
def test_what_is_no_number_is_left_out_and_named(value: object, reason: str) -> None:
    cleaned = clean_properties("AddToCart", {"value": value, "currency": "EUR", "description": "kept"})
    (problem,) = cleaned.problems
    assert problem.field == "properties.value"
    with pytest.raises(type(problem), match=reason):
        raise problem
    assert cleaned.properties == {"currency": "EUR", "description": "kept"}


def test_a_problem_holds_neither_the_value_nor_the_frames_that_saw_it() -> None:
    (problem,) = clean_properties("AddToCart", {"value": Broken()}).problems
    assert "secret-value" not in str(problem)
    assert problem.__traceback__ is None
    assert problem.__context__ is None


@pytest.mark.parametrize("currency", ["EUR", "eur", " Usd ", "vnd"])
def test_a_currency_is_upper_cased(currency: str) -> None:
    assert clean(currency=currency)["currency"] == currency.strip().upper()
    assert warnings("ViewContent", currency=currency) == []


def test_tiktoks_list_has_62_currencies() -> None:
    listed = re.findall(
        r"[A-Z]{3}",
        "AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ HKD HNL HUF IDR ILS INR "
        "ISK JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP PKR PLN PYG QAR RON RUB SAR SEK SGD "
        "THB TRY TWD UAH USD VES VND ZAR",
    )
    assert len(listed) == 62
    assert [code for code in listed if warnings("ViewContent", currency=code)] == []


@pytest.mark.parametrize("currency", ["BGN", "RSD", "xau"])
def test_a_currency_outside_tiktoks_list_is_kept_with_a_warning(currency: str) -> None:
    assert clean(currency=currency)["currency"] == currency.upper()
    (warning,) = warnings("ViewContent", currency=currency)
    assert currency.upper() in warning


@pytest.mark.parametrize("currency", ["€", "EURO", "E1R", "", 978, "ÄÖÜ"])
def test_what_is_no_currency_is_left_out(currency: object) -> None:
    assert "properties.currency is" in refused(currency=currency)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (["a", 5, UUID(int=1)], ["a", "5", "00000000-0000-0000-0000-000000000001"]),
        (("a",), ["a"]),
        ((str(number) for number in range(2)), ["0", "1"]),
        ("SKU-1", ["SKU-1"]),
        (77, ["77"]),
        ([Indexed(3)], ["3"]),
        ([None, " x "], ["x"]),
    ],
)
def test_ids_become_a_list_of_str(given: object, sent: list[str]) -> None:
    assert clean(content_ids=given)["content_ids"] == sent


@pytest.mark.parametrize("given", [[1.5], [True], [""], [b"a"], {"a": 1}, 1.5, ["x" * 201], [["a"]], [Decimal(1)]])
def test_what_is_no_list_of_ids_is_left_out(given: object) -> None:
    assert "properties.content_ids is" in refused(content_ids=given)


def test_ids_counts_and_type_follow_from_the_products() -> None:
    sent = clean(contents=[{"content_id": 1, "quantity": 2}, {"content_id": "b"}, {"content_id": 1, "quantity": 1}])
    assert sent["content_ids"] == ["1", "b"]
    assert sent["num_items"] == 4
    assert sent["content_type"] == "product"


def test_what_was_said_is_not_overwritten_by_what_follows() -> None:
    sent = clean(
        contents=[{"content_id": "a", "quantity": 2}], content_ids=["z"], num_items=9, content_type="product_group"
    )
    assert sent["content_ids"] == ["z"]
    assert sent["num_items"] == 9
    assert sent["content_type"] == "product_group"


def test_goods_by_weight_have_no_count() -> None:
    assert "num_items" not in clean(contents=[{"content_id": "a", "quantity": 1.5}])


def test_the_type_of_all_products_is_the_events() -> None:
    group = {"content_id": "a", "content_type": "product_group"}
    assert clean(contents=[group, group])["content_type"] == "product_group"
    assert clean(contents=[group, {"content_id": "b"}])["content_type"] == "product"


def test_one_product_alone_is_a_list_of_one() -> None:
    assert clean(contents={"content_id": "a"})["contents"] == [{"content_id": "a"}]


def test_a_bad_field_of_a_product_costs_that_field_only() -> None:
    cleaned = clean_properties(
        "AddToCart",
        {"contents": [{"content_id": "a", "price": "x"}, {"content_id": 1.5, "price": 2, "quantity": 1}, "text", None]},
    )
    assert cleaned.properties["contents"] == [{"content_id": "a"}, {"price": 2, "quantity": 1}]
    assert [problem.field for problem in cleaned.problems] == [
        "properties.contents[0].price",
        "properties.contents[1].content_id",
        "properties.contents[2]",
        "properties.contents[3]",
    ]


def test_more_than_a_thousand_products_are_left_out() -> None:
    assert "at most 1000 items" in refused(contents=[{"content_id": "a"}] * 1001)
    assert "at most 1000 items" in refused(contents=({"content_id": "a"} for _ in iter(int, 1)))
    assert len(clean(contents=[{"content_id": "a"}] * 1000)["contents"]) == 1000


def test_a_single_product_at_the_top_moves_into_contents() -> None:
    sent = clean(
        content_id=7, content_name="Mug", price="3.50", quantity=2, brand="B", content_category="C", color="red"
    )
    assert sent == {
        "color": "red",
        "contents": [
            {
                "content_id": "7",
                "content_name": "Mug",
                "content_category": "C",
                "brand": "B",
                "price": 3.5,
                "quantity": 2,
            }
        ],
        "content_ids": ["7"],
        "num_items": 2,
        "content_type": "product",
    }


def test_price_and_quantity_belong_to_the_one_id_there_is() -> None:
    assert clean(content_ids=["a"], price=3, quantity=2)["contents"] == [{"price": 3, "quantity": 2, "content_id": "a"}]


def test_price_and_quantity_stay_where_no_product_is_named() -> None:
    assert clean(content_ids=["a", "b"], quantity=2) == {"content_ids": ["a", "b"], "quantity": 2}


def test_contents_win_over_a_single_id_at_the_top() -> None:
    cleaned = clean_properties("AddToCart", {"contents": [{"content_id": "a"}], "content_id": "b"})
    assert "content_id" not in cleaned.properties
    assert cleaned.properties["content_ids"] == ["a"]
    assert any("content_id is left out" in warning for warning in cleaned.warnings)


@pytest.mark.parametrize(("key", "other"), [("query", "search_string"), ("search_string", "query")])
def test_the_two_words_for_a_search_are_filled_from_each_other(key: str, other: str) -> None:
    assert clean("Search", **{key: "blue mug"}) == {key: "blue mug", other: "blue mug"}


def test_two_different_searches_stay_as_they_are() -> None:
    assert clean(query="a", search_string="b") == {"query": "a", "search_string": "b"}


@pytest.mark.parametrize("key", ["order_id", "shop_id"])
def test_ids_become_str(key: str) -> None:
    assert clean(**{key: 12})[key] == "12"
    assert clean(**{key: " A-1 "})[key] == "A-1"
    assert f"properties.{key} is" in refused(**{key: 1.0})
    assert f"properties.{key} is" in refused(**{key: " "})


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("content_type", "product"),
        ("content_type", "product_group"),
        ("customer_type", "new"),
        ("customer_type", "returning"),
        ("delivery_category", "home_delivery"),
        ("travel_class", "eco"),
    ],
)
def test_a_word_of_a_list_is_taken_in_any_case(key: str, word: str) -> None:
    assert clean(**{key: word.upper()})[key] == word
    assert f"properties.{key} is another word" in refused(**{key: "other"})


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


def test_a_key_that_is_sent_is_a_str_and_no_subclass_of_it() -> None:
    (key,) = clean(**{mark_safe("own"): 1})
    assert type(key) is str


def test_travel_and_vehicle_parameters_are_known() -> None:
    given = {
        "num_adults": "2",
        "suggested_hotels": ["Ritz"],
        "destination_ids": [4],
        "year": 2020.0,
        "mileage": {"value": 10, "unit": "km"},
        "preferred_price_range": (1, Decimal("2.5")),
        "vin": "X",
        "travel_start": dt.date(2026, 5, 1),
    }
    cleaned = clean_properties("Search", given)
    assert cleaned == Cleaned(
        properties={
            "num_adults": 2,
            "suggested_hotels": ["Ritz"],
            "destination_ids": ["4"],
            "year": 2020,
            "mileage": {"value": 10, "unit": "km"},
            "preferred_price_range": [1, 2.5],
            "vin": "X",
            "travel_start": "2026-05-01",
        },
        problems=[],
        warnings=[],
    )
    assert "a fraction" in refused(num_items=1.5)
    assert "a negative number" in refused(num_adults=-1)


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("valeu", "value"),
        ("Value", "value"),
        ("curency", "currency"),
        ("contnets", "contents"),
        ("orderId", "order_id"),
        ("amount", "value"),
        ("items", "contents"),
        ("product_id", "content_id"),
        ("transaction_id", "order_id"),
        ("search-string", "search_string"),
    ],
)
def test_a_misspelt_key_is_kept_and_the_right_one_named(key: str, right: str) -> None:
    cleaned = clean_properties("ViewContent", {key: 1})
    assert cleaned.properties == {key: 1}
    (warning,) = cleaned.warnings
    assert warning == f"properties.{key} is not read by TikTok; did you mean {right}?"


def test_a_misspelt_key_of_a_product_is_answered_too() -> None:
    assert "properties.contents[0].qty is not read by TikTok; did you mean quantity?" in warnings(
        "AddToCart", contents=[{"content_id": "a", "qty": 1}]
    )


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


@pytest.mark.parametrize("given", [None, 3, "text", [("value", 1)], BrokenMapping(), Lopsided(a=1)])
def test_what_is_no_mapping_is_reported(given: Any) -> None:
    cleaned = clean_properties("ViewContent", given)
    assert cleaned.properties == {}
    assert cleaned.problems[0].field == "properties"


def test_what_the_caller_gave_is_left_alone() -> None:
    given: dict[str, object] = {"contents": [{"content_id": 1}], "price": "1", "query": "q"}
    clean_properties("Search", given)
    assert given == {"contents": [{"content_id": 1}], "price": "1", "query": "q"}


@pytest.mark.parametrize(
    ("name", "given", "word"),
    [
        ("ViewContent", {"value": 1}, "no currency"),
        ("Purchase", {"currency": "EUR"}, "no value"),
        ("AddToCart", {"contents": [{"content_id": "a"}, {"content_name": "b"}]}, "without content_id"),
        (
            "Purchase",
            {"value": 10, "currency": "EUR", "contents": [{"content_id": "a", "price": 10, "quantity": 2}]},
            "sum",
        ),
    ],
)
def test_what_tiktok_would_take_and_not_use_gets_a_warning(name: str, given: dict[str, object], word: str) -> None:
    (warning,) = clean_properties(name, given).warnings
    assert word in warning


def test_a_sum_that_only_rounding_divides_gets_none() -> None:
    assert (
        warnings(
            "Purchase", value=59.99, currency="EUR", contents=[{"content_id": "a", "price": 19.996666, "quantity": 3}]
        )
        == []
    )
    assert warnings("Purchase", value=9, currency="EUR", contents=[{"content_id": "a", "quantity": 3}]) == []
