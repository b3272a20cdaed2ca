"""Parameters under GA4's, Segment's and shops' names arrive under TikTok's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.events.validation_calls import clean
from tiktok_middleware.core.events.validation import clean_properties

MUG = {"content_id": "S1", "content_name": "Mug", "price": 15, "quantity": 2}


@pytest.mark.parametrize(
    ("item", "sent"),
    [
        # GA4
        ({"item_id": "S1", "item_name": "Mug", "price": 15, "quantity": 2}, MUG),
        ({"item_id": "S1", "item_brand": "B"}, {"content_id": "S1", "brand": "B"}),
        ({"item_id": "S1", "item_category": "Cups"}, {"content_id": "S1", "content_category": "Cups"}),
        (
            {"item_id": "S1", "item_category": "A", "item_category2": "B", "item_category4": "C"},
            {"content_id": "S1", "content_category": "A,B,C"},
        ),
        ({"item_id": "S1", "item_category3": "B", "item_category": " A "}, {"content_id": "S1", "content_category": "A,B"}),
        ({"item_id": "S1", "item_variant": "red", "index": 3, "coupon": "X", "discount": 1}, {"content_id": "S1"}),
        ({"item_id": 17}, {"content_id": "17"}),
        # Segment
        ({"product_id": "S1", "name": "Mug", "price": "15", "quantity": "2"}, MUG),
        ({"product_id": "S1", "sku": "M", "category": "Cups", "brand": "B", "variant": "red", "position": 1},
         {"content_id": "S1", "content_category": "Cups", "brand": "B"}),
        # shops, and Universal Analytics
        ({"id": "S1", "name": "Mug", "category": "Cups"}, {"content_id": "S1", "content_name": "Mug", "content_category": "Cups"}),
        ({"sku": "S1"}, {"content_id": "S1"}),
        ({"product_id": "S1", "product_name": "Mug"}, {"content_id": "S1", "content_name": "Mug"}),
        # TikTok's own name counts first
        ({"content_id": "S1", "item_id": "other"}, {"content_id": "S1"}),
        ({"content_id": "", "item_id": "S1"}, {"content_id": "S1"}),
        ({"content_id": None, "item_id": "S1"}, {"content_id": "S1"}),
        ({"item_id": None, "id": "S1"}, {"content_id": "S1"}),
        # keys of TikTok's alone stay as they were given
        ({"content_id": "S1", "color": "red"}, {"content_id": "S1", "color": "red"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["items", "products", "contents", "line_items"])
def test_a_product_has_tiktoks_keys(key: str, item: dict[str, object], sent: dict[str, object]) -> None:
    assert clean(**{key: [item]})["contents"] == [sent]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"transaction_id": "T1"}, {"order_id": "T1"}),
        ({"transaction_id": 7}, {"order_id": "7"}),
        ({"order_number": "T1"}, {"order_id": "T1"}),
        ({"transaction_id": "T1", "order_id": None}, {"order_id": "T1"}),
        ({"transaction_id": "T1", "order_id": ""}, {"order_id": "T1"}),
        ({"search_term": "mug"}, {"search_string": "mug", "query": "mug"}),
        ({"search_query": "mug"}, {"search_string": "mug", "query": "mug"}),
        ({"currency_code": "eur"}, {"currency": "EUR"}),
        (
            {"product_id": "S1", "product_name": "Mug", "price": 15, "quantity": 2, "currency": "EUR"},
            {
                "currency": "EUR",
                "contents": [MUG],
                "content_ids": ["S1"],
                "num_items": 2,
                "content_type": "product",
                "value": 30,
            },
        ),
    ],
)
def test_a_parameter_has_tiktoks_name(given: dict[str, Any], sent: dict[str, object]) -> None:
    sent_items = clean(**given)
    assert {key: value for key, value in sent_items.items() if key != "contents"} == {
        key: value for key, value in sent.items() if key != "contents"
    }
    assert [dict(sorted(item.items())) for item in sent_items.get("contents", [])] == [
        dict(sorted(item.items()))
        for item in sent.get("contents", [])  # type: ignore[attr-defined]
    ]


def test_a_parameter_that_is_given_twice_is_said() -> None:
    cleaned = clean_properties("Lead", {"order_id": "A", "transaction_id": "B"})
    assert cleaned.properties == {"order_id": "A"}
    assert cleaned.warnings == ["properties.transaction_id is left out: order_id is given too"]


@pytest.mark.parametrize(
    ("items", "sent"),
    [
        ([{"item_id": "a", "price": 1, "currency": "USD"}, {"item_id": "b", "price": 2, "currency": "usd"}], "USD"),
        ([{"item_id": "a", "price": 1, "currency": " eur "}], "EUR"),
        ([{"item_id": "a", "price": 1, "currency": "USD"}, {"item_id": "b", "price": 2, "currency": "EUR"}], None),
        ([{"item_id": "a", "price": 1, "currency": "dollars"}], None),
        ([{"item_id": "a", "price": 1, "currency": 5}], None),
    ],
)
def test_the_currency_of_all_products_is_the_events(items: list[dict[str, object]], sent: str | None) -> None:
    cleaned = clean_properties("AddToCart", {"items": items}).properties
    assert cleaned.get("currency") == sent
    assert all("currency" not in item for item in cleaned["contents"])  # type: ignore[attr-defined]


def test_the_events_own_currency_outranks_the_products() -> None:
    assert clean(currency="CHF", items=[{"item_id": "a", "currency": "USD"}])["currency"] == "CHF"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('[{"content_id": "abc123", "price": 1.23}]', [{"content_id": "abc123", "price": 1.23}]),
        (' [{"item_id": "a"}, {"item_id": "b"}] ', [{"content_id": "a"}, {"content_id": "b"}]),
        ('{"id": "a"}', [{"content_id": "a"}]),
    ],
)
def test_products_in_a_json_text_are_read(text: str, sent: list[object]) -> None:
    assert clean(contents=text)["contents"] == sent


@pytest.mark.parametrize("text", ["SKU", "[{", '[{"content_id": "abc123"}]]]', "[" * 5000, "5", '"a"'])
def test_a_text_that_is_no_list_of_products_is_left_out(text: str) -> None:
    cleaned = clean_properties("Purchase", {"value": 5, "currency": "EUR", "contents": text})
    assert cleaned.properties == {"value": 5, "currency": "EUR"}
    assert len(cleaned.problems) == 1


class Odd:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("theirs")

    def __hash__(self) -> int:
        return 1


def test_values_and_keys_that_raise_when_they_are_compared_cost_themselves_only() -> None:
    given: dict[Any, Any] = {
        Odd(): 1,
        "items": [{"item_id": Odd(), "name": "Mug", 5: 1}],
        "value": 5,
        "currency": "EUR",
    }
    cleaned = clean_properties("Purchase", given)
    assert cleaned.properties["contents"] == [{"content_name": "Mug"}]
    assert cleaned.properties["value"] == 5


def test_what_a_browser_has_fired_keeps_its_names() -> None:
    given: dict[str, Any] = {"items": [{"item_id": "a"}], "transaction_id": "T"}
    assert clean_properties("Purchase", given, is_fired=True).properties == given
