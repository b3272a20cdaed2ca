"""References of browser copies that may be there later: how a page is made to ask again, and how often."""

from __future__ import annotations

import pytest

from tiktok_middleware.core.endpoint.ask_again import again, has_asked_before, stored_name

REFERENCE = "0123456789abcdef" * 2


def test_answer_names_the_reference_with_the_number_of_answers() -> None:
    assert again([REFERENCE]) == [("Server-Timing", f'tiktok;desc="~{REFERENCE}.1"')]
    assert again([f"{REFERENCE}.4", "other"]) == [
        ("Server-Timing", f'tiktok;desc="~{REFERENCE}.5", tiktok;desc="~other.1"')
    ]


@pytest.mark.parametrize("suffix", [".5", ".6", ".9", ".12", ".", ".x", ".-1", ".1.1", ".٣", ". 1", ".\n1"])
def test_reference_with_the_last_number_or_a_foreign_suffix_is_not_named_again(suffix: str) -> None:
    assert again([REFERENCE + suffix]) == []
    assert has_asked_before(REFERENCE + suffix)
    assert stored_name(REFERENCE + suffix) == REFERENCE


def test_reference_of_a_page_has_not_asked_before() -> None:
    assert not has_asked_before(REFERENCE)
    assert stored_name(REFERENCE) == REFERENCE
    assert again([]) == []
