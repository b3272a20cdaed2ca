"""Whatever is given as properties, what comes out is small, plain JSON, and nothing is raised."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any, cast

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.strategies import examples
from tests.timing import least_s
from tiktok_middleware.core.events.validation import clean_properties

KNOWN = st.sampled_from(
    "value currency contents content_ids content_id price quantity num_items content_type query order_id customer_type "  # noqa: SIM905
    "description mileage checkin_date email valeu suggested_hotels".split()
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.fractions()
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.just(object())
    | st.just(decimal.Decimal("sNaN"))
    | st.sampled_from(["EUR", "product", "59.90", "a@b.co", "\ud800", "+49 170 1234567", dt.timezone.utc])
)

VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(KNOWN | st.text(st.characters(), max_size=10), inner, max_size=5)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers() | st.text(), max_size=3)
        | st.iterables(inner, max_size=3)
    ),
    max_leaves=20,
)

KEYS = KNOWN | st.text(st.characters()) | st.integers() | st.none() | st.binary()


def is_plain(value: object) -> bool:
    """True for exact JSON types without None, NaN, or numbers that JavaScript cannot hold."""
    if type(value) is dict:
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if type(value) is list:
        return all(map(is_plain, value))
    if type(value) in {int, float}:
        return abs(cast("float", value)) <= 2**53
    return type(value) in {str, bool}


@settings(max_examples=examples(300), deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8) | VALUES, st.sampled_from(["Purchase", "Search", "Own"]))
def test_anything_becomes_plain_json_and_nothing_is_raised(given_properties: Any, name: str) -> None:
    cleaned = clean_properties(name, given_properties)
    assert is_plain(cleaned.properties)
    encoded = msgspec.json.encode(cleaned.properties)
    assert len(encoded) <= 64 * 1024
    assert msgspec.json.decode(encoded) == cleaned.properties
    assert b"a@b.co" not in encoded
    assert all(problem.field.startswith("properties") for problem in cleaned.problems)


@settings(max_examples=examples(50), deadline=None)
@given(VALUES)
@example({"contents": [{"content_id": "a", "price": 1, "quantity": 1}], "search_string": "x"})
def test_what_is_clean_stays_as_it_is(value: Any) -> None:
    once = clean_properties("Search", value if isinstance(value, dict) else {"own": value})
    twice = clean_properties("Search", once.properties)
    assert twice.properties == once.properties
    assert twice.problems == []


def encoded_size(properties: dict[str, object]) -> int:
    return len(msgspec.json.encode(clean_properties("AddToCart", properties).properties))


def test_large_properties_are_left_out_and_small_ones_survive() -> None:
    heavy = [{"content_id": f"{number}", "content_name": "n" * 500} for number in range(1000)]
    cleaned = clean_properties("Purchase", {"contents": heavy, "value": 5, "currency": "EUR"})
    assert cleaned.properties == {"value": 5, "currency": "EUR"}
    assert [problem.field for problem in cleaned.problems] == ["properties.contents"]


def test_escapes_count_as_they_are_encoded() -> None:
    properties: dict[str, object] = {f"k{number}": "\x00" * 2000 for number in range(30)}
    assert 0 < encoded_size(properties) <= 64 * 1024


def test_a_thousand_products_of_usual_size_fit() -> None:
    lean = [{"content_id": f"SKU-{number:04}", "price": 10.5, "quantity": 1} for number in range(900)]
    assert encoded_size({"contents": lean}) > 50_000
    assert clean_properties("AddToCart", {"contents": lean}).problems == []


def test_one_list_inside_itself_many_times_costs_no_more_than_the_limit() -> None:
    wide: object = "x"
    for _ in range(4):
        wide = [wide] * 1000
    cleaned = clean_properties("AddToCart", {"own": wide, "ok": 1})
    assert cleaned.properties == {"ok": 1}
    assert "64 KB" in str(cleaned.problems[0])


def test_empty_lists_and_nones_cost_too() -> None:
    nothing: object
    for nothing in ([], None):
        wide: object = nothing
        for _ in range(4):
            wide = [wide] * 1000
        assert "64 KB" in str(clean_properties("AddToCart", {"own": wide}).problems[0])


def test_many_unknown_keys_are_not_all_looked_up() -> None:
    products = [{f"k{product}_{key}": "x" for key in range(50)} for product in range(500)]
    assert least_s(lambda: clean_properties("AddToCart", {"contents": products}), 1) < 1


def test_reports_are_bounded() -> None:
    cleaned = clean_properties("AddToCart", {"contents": [{"content_id": 1.5, "qty": 1}] * 1000})
    assert len(cleaned.problems) == 20
    assert len(cleaned.warnings) <= 21
