"""The three ways in which the tests of properties call ``clean_properties``; it holds no test."""

from __future__ import annotations

from typing import Any

from tiktok_middleware.core.events.validation import clean_properties


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
    """What a call is warned of."""
    return clean_properties(name, properties).warnings
