"""How long a pixel is left alone after failures, and that a probe is small."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.delivery_world import NOW
from tiktok_middleware.delivery.sender.backoff import MAX_PROBE_S, MAX_WAIT_S, MIN_WAIT_S, Backoff, jitter


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_jitter_keeps_its_bounds(failures: int, random: float) -> None:
    assert MIN_WAIT_S <= jitter(failures, random) <= MAX_WAIT_S


def test_the_cap_doubles_up_to_five_minutes() -> None:
    caps = [jitter(n, 1.0) for n in range(1, 13)]
    assert caps == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert {jitter(n, 0.0) for n in range(1, 13)} == {0.5}


def test_a_failure_blocks_its_pixel_for_a_while_and_no_other() -> None:
    pace = Backoff(lambda: 1.0)
    pace.failed("C1", NOW, None, "down")
    assert pace.due("C1", NOW, 0) == NOW + 1
    assert pace.blocked(NOW) == {"C1"}
    assert pace.opens_at() == NOW + 1
    assert pace.blocked(NOW + 1) == set()
    pace.failed("C1", NOW + 1, None, "down")
    assert pace.due("C1", NOW + 1, 1) == NOW + 3
    assert pace.limit("C1", 1000) == 250
    assert pace.limit("C2", 1000) == 1000


def test_retry_after_is_the_least_wait() -> None:
    pace = Backoff(lambda: 0.0)
    pace.failed("C1", NOW, 40.0, "throttled")
    assert pace.due("C1", NOW, 0) == NOW + 40
    assert pace.blocked(NOW + 39) == {"C1"}
    pace.failed("C1", NOW, 0.1, "throttled")
    assert pace.due("C1", NOW, 0) == NOW + 0.5


def test_probes_shrink_to_one_and_a_success_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    pace = Backoff(lambda: 0.5)
    with caplog.at_level(logging.INFO):
        for n in range(30):
            pace.failed("C1", NOW + n, None, "HTTP 503")
        assert pace.limit("C1", 1000) == 1
        assert pace.is_troubled
        pace.succeeded("C1")
        pace.succeeded("C1")
    assert not pace.is_troubled
    assert pace.opens_at() is None
    assert pace.limit("C1", 1000) == 1000
    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"], "an outage is said once, its end too"


def test_a_row_that_failed_often_waits_longer_than_its_pixel() -> None:
    pace = Backoff(lambda: 1.0)
    pace.failed("C1", NOW, None, "50000")
    assert (pace.due("C1", NOW, 8), pace.opens_at()) == (NOW + 256, NOW + 1)


def test_in_an_outage_neither_a_pixel_nor_its_rows_wait_longer_than_a_probe() -> None:
    """However long it has lasted: all goes within a minute after it, of which a hanging request may take 15 s."""
    pace = Backoff(lambda: 1.0)
    for n in range(100):
        pace.failed("C1", NOW + n, None, "HTTP 503")
    assert pace.opens_at() == NOW + 99 + MAX_PROBE_S
    assert pace.due("C1", NOW + 99, 100) == NOW + 99 + MAX_PROBE_S
    assert MAX_PROBE_S + 15 < 60
    pace.succeeded("C1")
    pace.failed("C1", NOW, None, "50000")
    assert pace.due("C1", NOW, 100) == NOW + MAX_WAIT_S, "a row that fails while others are taken"


def test_halting_is_loud_once_and_final(caplog: pytest.LogCaptureFixture) -> None:
    pace = Backoff(lambda: 1.0)
    pace.halt("C1", "40105 token expired")
    pace.halt("C1", "40105 token expired again")
    assert pace.blocked(NOW + 10**9) == {"C1"}
    assert pace.opens_at() is None
    assert pace.halted == {"C1": "40105 token expired"}
    assert len(caplog.records) == 1
    assert "40105 token expired" in caplog.text


def test_a_clock_that_is_set_back_closes_no_road_for_long() -> None:
    pace = Backoff(lambda: 0.5)
    pace.failed("A", NOW, 3600.0, "throttled")
    assert pace.blocked(NOW - 3000) == {"A"}
    assert pace.blocked(NOW - 86400) == set()
