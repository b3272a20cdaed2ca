"""What gives a person away in a property is left out, however it is written."""

from __future__ import annotations

import pytest

from tiktok_middleware.core.events.validation import clean_properties


@pytest.mark.parametrize(
    "given",
    [
        {"note": "alice@example.com"},
        {"note": "alice\uff20example.com"},
        {"note": "\uff41lice\uff20example\uff0ecom"},
        {"note": "call \uff0b4917012345678"},
        {"+4917012345678": "x"},
        {"\uff0b4917012345678": "x"},
        {"alice\uff20example.com": "x"},
        {"plan": {"+4917012345678": "x"}},
    ],
)
def test_a_person_is_left_out(given: dict[str, object]) -> None:
    cleaned = clean_properties("Contact", given)
    assert cleaned.properties == {}
    assert len(cleaned.problems) == 1
    assert "4917012345678" not in str(cleaned.problems[0])


@pytest.mark.parametrize("given", [{"a+b": "x"}, {"size": "10+"}, {"name": "\uff21\uff22 mug"}, {"\uff21": 1}])
def test_what_is_nobody_stays(given: dict[str, object]) -> None:
    cleaned = clean_properties("Contact", given)
    assert (cleaned.properties, cleaned.problems) == (given, [])
