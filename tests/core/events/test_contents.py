"""What follows from an event's products is filled in, and one product is the same however it was given."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from tests.core.events.validation_calls import clean, refused, warnings
from tiktok_middleware.core.events.validation import clean_properties


class Indexed:
    """A whole number as numpy's are: no int, but with an index."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


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
        ([5.0, Decimal(6)], ["5", "6"]),
    ],
)
def test_ids_become_a_list_of_str(given: object, sent: list[str]) -> None:
    assert clean(content_ids=given)["content_ids"] == sent


@pytest.mark.parametrize("given", [[1.5], [True], [""], [b"a"], {"a": 1}, 1.5, ["x" * 201], [["a"]], [Decimal("1.5")]])
def test_what_is_no_list_of_ids_is_left_out(given: object) -> None:
    assert "properties.content_ids" in refused(content_ids=given)


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


def test_goods_by_weight_have_no_count_and_no_quantity() -> None:
    cleaned = clean_properties(
        "AddToCart", {"currency": "EUR", "contents": [{"content_id": "a", "price": 4, "quantity": 1.5}]}
    )
    assert cleaned.properties == {
        "currency": "EUR",
        "contents": [{"content_id": "a", "price": 4}],
        "content_ids": ["a"],
        "content_type": "product",
        "value": 6,
    }
    assert [problem.field for problem in cleaned.problems] == ["properties.contents[0].quantity"]


@pytest.mark.parametrize("quantity", [2, 2.0, "2", " 2 ", "2.0", Decimal(2), Decimal("2.00"), Indexed(2)])
def test_a_quantity_is_a_whole_number(quantity: object) -> None:
    sent = clean(contents=[{"content_id": "a", "quantity": quantity}])["contents"][0]["quantity"]
    assert sent == 2
    assert type(sent) is int


@pytest.mark.parametrize("quantity", [0.5, "0.5", Decimal("0.5"), 1.25, -1, "two", True, None, [2]])
def test_a_quantity_that_is_none_is_left_out_of_the_item(quantity: object) -> None:
    cleaned = clean_properties(
        "Purchase", {"value": 5, "currency": "EUR", "contents": [{"content_id": "a", "quantity": quantity}]}
    )
    assert cleaned.properties["contents"] == [{"content_id": "a"}]
    assert cleaned.properties["value"] == 5


def test_a_fired_event_has_whole_quantities_too() -> None:
    given = {"contents": [{"content_id": "a", "quantity": 2.0}, {"content_id": "b", "quantity": 0.5}], "quantity": 3.0}
    cleaned = clean_properties("AddToCart", given, is_fired=True)
    assert cleaned.properties == {"contents": [{"content_id": "a", "quantity": 2}, {"content_id": "b"}], "quantity": 3}


@pytest.mark.parametrize(
    ("contents", "value"),
    [
        ([{"price": 15, "quantity": 1}], 15),
        ([{"price": 15.25, "quantity": 1}, {"price": 33.33, "quantity": 2}], 81.91),
        ([{"price": 0.1, "quantity": 3}], 0.3),
        ([{"price": "29.95", "quantity": "2"}], 59.9),
        ([{"price": Decimal("29.95"), "quantity": Decimal(2)}], 59.9),
        ([{"price": 9.99}], 9.99),
        ([{"price": 0, "quantity": 4}], 0),
        ([{"price": 10, "quantity": 1}, {"content_id": "no price"}], None),
        ([{"price": 2**53, "quantity": 2}], None),
    ],
)
@pytest.mark.parametrize("name", ["AddToCart", "ViewContent", "InitiateCheckout", "Lead", "My-own"])
def test_a_missing_value_is_the_sum_of_the_products(
    name: str, contents: list[dict[str, object]], value: object
) -> None:
    sent = clean_properties(name, {"currency": "EUR", "contents": contents}).properties
    assert sent.get("value") == value
    assert type(sent.get("value")) is type(value)


def test_a_purchase_without_value_gets_none_and_that_is_said() -> None:
    given = {"currency": "EUR", "contents": [{"content_id": "a", "price": 15, "quantity": 1}]}
    cleaned = clean_properties("Purchase", given)
    assert "value" not in cleaned.properties
    assert cleaned.warnings == ["Purchase has no value: TikTok cannot report or optimise what it earned"]


def test_a_value_that_is_given_stays() -> None:
    assert clean("AddToCart", value=12, currency="EUR", contents=[{"price": 15, "content_id": "a"}])["value"] == 12


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
        "value": 7.0,
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


def test_a_misspelt_key_of_a_product_is_answered_too() -> None:
    assert "properties.contents[0].qty is not read by TikTok; did you mean quantity?" in warnings(
        "AddToCart", contents=[{"content_id": "a", "qty": 1}]
    )


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        (10, "the sum of prices alone: price is per unit, value the total"),  # two of 2.50, one of 7.50
        (1250, "a hundred times more or less: one of them is in cents"),
        (0.125, "a hundred times more or less: one of them is in cents"),
        (17.4, ""),  # shipping
        (8.75, ""),  # a discount
        (0, ""),  # a voucher
        (12.5, ""),
    ],
)
def test_a_value_other_than_the_sum_is_answered_where_only_a_mistake_explains_it(value: float, mistake: str) -> None:
    contents = [{"content_id": "a", "price": 2.5, "quantity": 2}, {"content_id": "b", "price": 7.5}]
    said = [f"properties.value is not the sum of price x quantity, but {mistake}"] if mistake else []
    assert warnings("Purchase", value=value, currency="EUR", contents=contents) == said


def test_a_sum_that_only_rounding_divides_gets_none() -> None:
    assert (
        warnings(
            "Purchase", value=59.99, currency="EUR", contents=[{"content_id": "a", "price": 19.996666, "quantity": 3}]
        )
        == []
    )
    assert warnings("Purchase", value=9, currency="EUR", contents=[{"content_id": "a", "quantity": 3}]) == []
