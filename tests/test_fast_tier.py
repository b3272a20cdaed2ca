"""The fast tier runs the first and the last row of each table, and says what it leaves out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.fast_tier import MAX_ROWS, left_out, spread


@pytest.mark.parametrize("count", [0, 1, MAX_ROWS - 1, MAX_ROWS])
def test_short_table_is_whole(count: int) -> None:
    assert list(spread(count, MAX_ROWS)) == list(range(count))


@pytest.mark.parametrize("count", [MAX_ROWS + 1, 2 * MAX_ROWS, 97, 1000])
def test_long_table_has_its_first_and_last_row_and_equal_gaps(count: int) -> None:
    rows = list(spread(count, MAX_ROWS))
    gaps = [after - before for before, after in pairwise(rows)]
    assert (len(set(rows)), rows[0], rows[-1]) == (MAX_ROWS, 0, count - 1)
    assert max(gaps) - min(gaps) <= 1


def test_marked_tests_and_rows_between_are_left_out() -> None:
    class Test:
        def __init__(self, name: str, marker: str = "") -> None:
            self.nodeid = f"tests/test_x.py::{name}"
            self._marker = marker

        def get_closest_marker(self, name: str) -> str | None:
            return name if name == self._marker else None

    table = [Test(f"test_table[{number}]") for number in range(3 * MAX_ROWS)]
    slow, short = Test("test_slow", "slow"), Test("test_short")
    tests: list[Any] = [*table, slow, short]
    out: list[Any] = [*left_out(tests)]
    assert slow in out
    assert short not in out
    assert len(table) - sum(test in out for test in table) == MAX_ROWS
    every: list[Any] = [*left_out(tests, all_rows=True)]
    assert every == [slow]
