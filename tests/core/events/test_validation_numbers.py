"""A number of whatever kind Python has arrives as one that JSON has, or is left out and named."""

from __future__ import annotations

import datetime as dt
import enum
import math
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.core.events.validation_calls import clean
from tiktok_middleware.core.events.validation import clean_properties


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
