"""What a type checker says of a call before it runs; each comment below fails the check once it is no longer needed."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import get_args, get_type_hints

from typing_extensions import assert_type

from tests.core.core_world import runtime_of, tracker_of
from tiktok_middleware.core.events.event import Event
from tiktok_middleware.core.events.event_names import STANDARD_EVENTS, StandardEvent
from tiktok_middleware.core.events.parameter_rules import ITEM_RULES, RULES
from tiktok_middleware.core.events.parameters import Content, Properties
from tiktok_middleware.core.tracking.tracker import Tracker


def test_right_calls_are_right() -> None:
    tracker = tracker_of(runtime_of(strict=True))
    lines: list[Content] = [{"content_id": 7, "price": Decimal("9.90"), "quantity": 2}]
    event = tracker.track("Purchase", value=Decimal("19.80"), currency="EUR", contents=lines, customer_type="new")
    assert_type(event, Event)
    assert tracker.track("MyOwn", {"my_own": 1}).channels.server


def test_misspelt_and_mistyped_parameters_are_found() -> None:
    tracker = tracker_of(runtime_of())
    tracker.track("Purchase", valeu=5)  # type: ignore[call-arg]
    tracker.track("Purchase", value=[5])  # type: ignore[arg-type]
    tracker.track("Purchase", customer_type="old")  # type: ignore[arg-type]
    tracker.track("Purchase", contents=[{"content_idd": "a"}])  # type: ignore[typeddict-unknown-key]
    tracker.track(5)  # type: ignore[arg-type]


def test_an_editor_can_complete_names_and_parameters() -> None:
    assert set(get_args(StandardEvent)) == STANDARD_EVENTS
    assert inspect.signature(Tracker.track).parameters["event"].annotation == "StandardEvent | str"
    assert set(get_type_hints(Properties)) == {*RULES, "contents"}
    assert set(get_type_hints(Content)) == set(ITEM_RULES)
