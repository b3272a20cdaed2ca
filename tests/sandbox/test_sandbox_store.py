"""Deduplication, merging and matching as TikTok does them, and the bounds on memory."""

from __future__ import annotations

from typing import Any

import pytest

from tiktok_middleware.sandbox.journal import Entry, Journal
from tiktok_middleware.sandbox.matching import Copy, differences
from tiktok_middleware.sandbox.store import Ledger

HOUR_S = 3_600


def a_copy(channel: str = "browser", at: float = 0, **fields: Any) -> Copy:
    given: dict[str, Any] = {
        "pixel": "C0",
        "source": "web",
        "event": "Purchase",
        "event_id": "p1",
        "event_time": 0,
        "properties": {"value": 20, "currency": "EUR"},
        "user": {},
        "page": {},
        **fields,
    }
    return Copy(channel, at, **given)


def test_two_equal_copies_are_one_matched_event_counted_once() -> None:
    ledger = Ledger()
    ledger.take(a_copy("browser", 0))
    event = ledger.take(a_copy("server", 1, properties={"currency": "EUR", "value": 20.0}))
    assert len(ledger) == 1
    assert (event.state, event.matched, event.counted) == ("matched", True, 1)
    assert [copy.fate for copy in event.copies] == ["first", "merged"]


@pytest.mark.parametrize("field", ["pixel", "event", "event_id"])
def test_another_pixel_name_or_id_is_another_event(field: str) -> None:
    ledger = Ledger()
    ledger.take(a_copy("browser"))
    event = ledger.take(a_copy("server", 0, **{field: "other"}))
    assert len(ledger) == 2
    assert event.state == "server_only"


def test_copies_without_an_id_stand_alone() -> None:
    ledger = Ledger()
    for channel in ("browser", "browser", "server"):
        ledger.take(a_copy(channel, event_id=""))
    assert [event.state for event in ledger] == ["browser_only", "browser_only", "server_only"]


@pytest.mark.parametrize(
    ("at", "fate", "counted"),
    [
        (300, "merged", 1),
        (301, "discarded", 1),
        (48 * HOUR_S - 1, "discarded", 1),
        (48 * HOUR_S, "counted", 2),
    ],
)
def test_a_later_copy_is_merged_dropped_or_counted_by_its_age(at: float, fate: str, counted: int) -> None:
    ledger = Ledger()
    ledger.take(a_copy("browser", 0))
    event = ledger.take(a_copy("server", at))
    assert event.copies[-1].fate == fate
    assert event.counted == counted


def test_the_window_is_counted_from_the_copy_that_was_counted_last() -> None:
    ledger = Ledger()
    for at in (0, 48 * HOUR_S, 95 * HOUR_S, 96 * HOUR_S):
        event = ledger.take(a_copy("server", at))
    assert event.counted == 3


def test_the_first_wins_and_a_merged_copy_adds_what_it_lacked() -> None:
    ledger = Ledger()
    ledger.take(a_copy("browser", 0, user={"ttp": "first"}))
    event = ledger.take(
        a_copy("server", 10, properties={"value": 99, "order_id": "1"}, user={"ttp": "x", "email": "h"})
    )
    assert event.properties == {"value": 20, "currency": "EUR", "order_id": "1"}
    assert event.user == {"ttp": "first", "email": "h"}


def test_a_dropped_copy_adds_nothing() -> None:
    ledger = Ledger()
    ledger.take(a_copy("browser", 0))
    event = ledger.take(a_copy("server", 600, user={"email": "h"}))
    assert event.user == {}


def test_repeated_copies_are_counted_per_channel_and_listed_within_bounds() -> None:
    ledger = Ledger()
    for second in range(60):
        event = ledger.take(a_copy("browser", second))
    assert (event.browser_copies, event.server_copies, event.counted) == (60, 0, 1)
    assert len(event.copies) == 50


@pytest.mark.parametrize(
    ("browser", "server", "paths"),
    [
        ({"value": 1}, {"value": 1.0}, []),
        ({"value": 1}, {"value": True}, ["properties.value"]),
        ({"value": 1}, {"value": "1"}, ["properties.value"]),
        ({"a": None}, {}, ["properties.a"]),
        ({}, {"a": 1, "b": 2}, ["properties.a", "properties.b"]),
        ({"contents": [{"q": 1}, {"q": 2}]}, {"contents": [{"q": 1}, {"q": 3}]}, ["properties.contents.1.q"]),
        ({"contents": [1]}, {"contents": [1, 2]}, ["properties.contents"]),
        ({"a": {"b": 1}}, {"a": [1]}, ["properties.a"]),
    ],
)
def test_differences_name_the_path(browser: dict[str, Any], server: dict[str, Any], paths: list[str]) -> None:
    found = differences(a_copy(properties=browser), a_copy("server", properties=server))
    assert [one.path for one in found] == paths


def test_limited_data_use_must_be_equal() -> None:
    ledger = Ledger()
    ledger.take(a_copy("browser", limited_data_use=True))
    event = ledger.take(a_copy("server"))
    assert event.state == "different"
    assert [(one.path, one.browser, one.server) for one in event.differences] == [("limited_data_use", True, False)]


def test_a_visitor_described_in_two_ways_is_a_warning_but_matches() -> None:
    ledger = Ledger()
    ledger.take(a_copy("browser", user={"email": ["a", "b"], "external_id": "x"}))
    event = ledger.take(a_copy("server", user={"email": "b", "external_id": "y"}))
    assert event.matched
    assert [(note.channel, note.path) for note in event.notes] == [("both", "user.external_id")]


def test_the_oldest_events_make_room() -> None:
    ledger = Ledger(limit=3)
    for number in range(5):
        ledger.take(a_copy(event_id=str(number)))
    assert [event.event_id for event in ledger] == ["2", "3", "4"]


def test_memory_is_bounded_by_bytes_too() -> None:
    ledger = Ledger(limit_bytes=100)
    for number in range(5):
        ledger.take(a_copy(event_id=str(number), size=40))
        ledger.take(a_copy("server", event_id=str(number), size=10))
        ledger.take(a_copy("server", event_id=str(number), size=1_000))
    assert [event.event_id for event in ledger] == ["3", "4"], "a repeated copy is not kept, so it does not count"


def test_clearing_forgets_for_deduplication_too() -> None:
    ledger = Ledger()
    ledger.take(a_copy())
    ledger.clear()
    assert ledger.take(a_copy()).copies[0].fate == "first"
    assert len(ledger) == 1


def test_the_journal_keeps_the_newest_within_bounds() -> None:
    journal = Journal()
    for number in range(1_005):
        journal.write(Entry(number, "server", "POST", "/", {}, None, 200, 0, "", size=0))
    assert [entry.at for entry in journal][:2] == [5, 6]
    journal.write(Entry(2_000, "server", "POST", "/", {}, None, 200, 0, "", size=17 * 1024 * 1024))
    assert [entry.at for entry in journal] == [2_000]
