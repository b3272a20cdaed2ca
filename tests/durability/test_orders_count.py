"""The count of the thousand orders finds what it is to find."""

from __future__ import annotations

import json

import pytest

from tests.delivery.delivery_world import Request
from tests.durability.orders_count import Copy, browser_copies, conversions, server_copies

HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("copies", "counted"),
    [
        ([], {}),
        ([Copy("A", "a", 0)], {"A": 1}),
        ([Copy("A", "a", 0), Copy("A", "a", 0)], {"A": 1}),
        ([Copy("A", "a", 0), Copy("A", "b", 0)], {"A": 2}),
        ([Copy("A", "a", 0), Copy("B", "b", 0)], {"A": 1, "B": 1}),
        ([Copy("A", "a", 0), Copy("A", "a", 47 * HOUR_S)], {"A": 1}),
        ([Copy("A", "a", 49 * HOUR_S), Copy("A", "a", 0)], {"A": 2}),
        ([Copy("A", "a", 0), Copy("A", "a", 47 * HOUR_S), Copy("A", "a", 49 * HOUR_S)], {"A": 2}),
    ],
)
def test_copies_of_an_order_count_once_within_the_window(copies: list[Copy], counted: dict[str, int]) -> None:
    assert conversions(copies) == counted


def test_copies_are_read_from_pages_and_requests() -> None:
    page = '{"e":[["Purchase",{"order_id":"A-1","value":5,"currency":"EUR"},"id-1"]]}'
    body = json.dumps({"data": [{"event": "Purchase", "event_id": "id-2", "properties": {"order_id": "A-2"}}]})
    assert browser_copies(page, 1.0) == [Copy("A-1", "id-1", 1.0)]
    assert server_copies([Request("/", {}, body.encode())], 2.0) == [Copy("A-2", "id-2", 2.0)]
