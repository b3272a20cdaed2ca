"""However many events of a batch are bad, and whatever TikTok says of it, exactly those are singled out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.delivery_world import record
from tiktok_middleware.core.events_api.answers import Delivered, Rejected, Retry, Verdict
from tiktok_middleware.delivery.outbox.base import LeasedRecord
from tiktok_middleware.delivery.sender.bisect import Bisection


def search(count: int, bad: set[int], message: str) -> tuple[list[int], list[int], int]:
    """The delivered, the refused, and how many requests it took; ``message`` may name ``{}``, the first bad index."""
    rows = [LeasedRecord(i, 0, record(f"e{i}")) for i in range(count)]
    hunt = Bisection(rows)
    delivered: list[int] = []
    refused: list[int] = []
    requests = 0
    while part := hunt.next_part():
        requests += 1
        first_bad = next((index for index, row in enumerate(part) if row.id in bad), None)
        verdict: Verdict = Delivered() if first_bad is None else Rejected(message.format(first_bad))
        if hunt.is_settled(part, [verdict] * len(part)):
            (delivered if first_bad is None else refused).extend(row.id for row in part)
    return delivered, refused, requests


@given(
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))),
    st.sampled_from(
        ["no", "Batch.{}.properties: bad", "data.{}: bad", "Batch.0: a lie", "Batch.7: a lie", "Batch.9999:"]
    ),
)
def test_exactly_the_bad_ones_are_refused(case: tuple[int, set[int]], message: str) -> None:
    count, bad = case
    delivered, refused, _ = search(count, bad, message)
    assert sorted(refused) == sorted(bad)
    assert sorted(delivered) == sorted(set(range(count)) - bad)


@pytest.mark.parametrize(("message", "requests"), [("Batch.{}.x", 3), ("40002 no", 21)])
def test_one_culprit_in_a_thousand_is_found_fast(message: str, requests: int) -> None:
    assert search(1000, {777}, message)[2] <= requests


def test_a_hint_that_lies_costs_one_request_not_one_a_row() -> None:
    assert search(1000, {777}, "Batch.0 bad")[2] <= 25


def test_a_batch_that_is_not_refused_as_a_whole_is_settled() -> None:
    rows = [LeasedRecord(i, 0, record(f"e{i}")) for i in range(3)]
    hunt = Bisection(rows)
    assert hunt.next_part() == rows
    assert hunt.is_settled(rows, [Delivered(), Rejected("x"), Retry(None, "y")])
    assert hunt.next_part() is None


def test_nothing_to_send_is_nothing_to_ask() -> None:
    assert Bisection([]).next_part() is None
