"""Every property is sent as TikTok reads it, or left out and reported; the event itself always survives."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from tests.core.events.validation_calls import clean, refused, warnings
from tiktok_middleware.core.events.parameters import Properties
from tiktok_middleware.core.events.validation import Cleaned, clean_properties

if TYPE_CHECKING:
    from typing_extensions import Unpack


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


@pytest.mark.parametrize(("key", "other"), [("query", "search_string"), ("search_string", "query")])
def test_the_two_words_for_a_search_are_filled_from_each_other(key: str, other: str) -> None:
    assert clean("Search", **{key: "blue mug"}) == {key: "blue mug", other: "blue mug"}


def test_two_different_searches_stay_as_they_are() -> None:
    assert clean(query="a", search_string="b") == {"query": "a", "search_string": "b"}


def np_like(value: int) -> object:
    """A whole number as numpy's are: no ``int``, but an index."""
    return type("int64", (), {"__index__": lambda _: value})()


@pytest.mark.parametrize("key", ["order_id", "shop_id"])
def test_ids_become_str(key: str) -> None:
    assert clean(**{key: 12})[key] == "12"
    assert clean(**{key: " A-1 "})[key] == "A-1"
    for whole in (12.0, Decimal(12), Decimal("12.00"), np_like(12)):
        assert clean(**{key: whole})[key] == "12"
    for fraction in (1.5, Decimal("1.5"), math.nan, math.inf, Decimal("NaN")):
        assert f"properties.{key} is" in refused(**{key: fraction})
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


def track(_name: str, **properties: Unpack[Properties]) -> dict[str, Any]:
    """A caller as editors and mypy see it: the keys and types of ``Properties``."""
    return clean(_name, **properties)


def test_typed_parameters_are_checked_by_mypy_and_taken() -> None:
    day = dt.date(2026, 1, 1)
    assert track("Search", value=Decimal(5), currency="EUR", contents=[{"content_id": 1}], checkin_date=day) == {
        "value": 5.0,
        "currency": "EUR",
        "contents": [{"content_id": "1"}],
        "checkin_date": "2026-01-01",
        "content_ids": ["1"],
        "num_items": 1,
        "content_type": "product",
    }


PARAMETERS = re.findall(
    r"\w+",
    """
    contents content_type content_ids currency value num_items search_string query description order_id shop_id
    customer_type status delivery_category predicted_ltv city region country checkin_date checkout_date num_adults
    num_children num_infants suggested_hotels departing_departure_date departing_arrival_date returning_departure_date
    returning_arrival_date origin_airport destination_airport destination_ids travel_class user_score
    preferred_num_stops travel_start travel_end suggested_destinations postal_code make model year state_of_vehicle
    mileage exterior_color transmission body_style fuel_type drivetrain preferred_price_range trim vin interior_color
    condition_of_vehicle viewcontent_type search_type registration_type content_id content_name quantity price
    """,
)


@pytest.mark.parametrize("key", PARAMETERS)
def test_every_parameter_of_tiktok_is_known_to_checks_and_editors(key: str) -> None:
    assert not any("not read by TikTok" in warning for warning in warnings("ViewContent", **{key: 1}))
    assert key in get_type_hints(Properties)
