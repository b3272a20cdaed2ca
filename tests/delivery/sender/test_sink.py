"""A sink that answers nonsense is tried again, and its nonsense reaches neither the outbox nor the pace."""

from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.delivery_world import sqlite_outbox, submissions
from tests.delivery.sender.test_relay import World
from tiktok_middleware.core.events_api.answers import Delivered, Halted, Rejected, Retry, Verdict
from tiktok_middleware.delivery.sender.sink import fault_of

NONSENSE: list[tuple[list[Any], str]] = [
    ([], "0 verdicts on 2 records"),
    ([Delivered()] * 3, "3 verdicts on 2 records"),
    ([Delivered(), None], "a NoneType for a verdict"),
    ([True, True], "a bool for a verdict"),
    ([Delivered, Delivered], "a StructMeta for a verdict"),
    ([Rejected(None), Delivered()], "a NoneType for a reason"),  # type: ignore[arg-type]
    ([Halted(b"no"), Delivered()], "a bytes for a reason"),  # type: ignore[arg-type]
    ([Retry("5", "busy"), Delivered()], "no number of seconds up to 3600"),  # type: ignore[arg-type]
    ([Retry(float("nan"), "busy")] * 2, "no number of seconds up to 3600"),
    ([Retry(float("inf"), "busy")] * 2, "no number of seconds up to 3600"),
    ([Retry(1e9, "busy")] * 2, "no number of seconds up to 3600"),
]


@pytest.mark.parametrize("verdict", [Delivered(), Retry(None, "x"), Retry(3, "x"), Rejected("x"), Halted("x")])
def test_verdicts_as_they_should_be(verdict: Verdict) -> None:
    assert fault_of([verdict, Delivered()], 2) == ""


@pytest.mark.parametrize(("verdicts", "words"), NONSENSE)
def test_nonsense_is_named(verdicts: list[Any], words: str) -> None:
    assert words in fault_of(verdicts, 2)


@pytest.mark.parametrize("verdicts", [verdicts for verdicts, _ in NONSENSE])
def test_nonsense_loses_nothing_and_waits_its_turn(verdicts: list[Any], tmp_path: Any) -> None:
    world = World(lambda _: verdicts)
    world.outbox = sqlite_outbox(tmp_path / "o.sqlite3", clock=world.clock, monotonic=world.clock)  # type: ignore[assignment]
    world.outbox.put(submissions(2))
    world.run()
    assert len(world.sink.batches) == 1, "it is not asked again at once"
    world.sink.answer = lambda batch: [Delivered()] * len(batch)
    world.clock.pass_by(2.0)
    world.run()
    assert world.outbox.counts()["waiting"] == 0
    assert world.relay.counts["delivered"] == 2
    world.outbox.close()
