"""The seconds that the end of a process may take are shared by all of its steps."""

from __future__ import annotations

import os
import threading
import time
from math import inf

import pytest

from tiktok_middleware.delivery.process.stopping import StopBudget, StopFlag, StoppedError, run_until


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> StopBudget:
    return StopBudget(2.0, 4.5, clock)


def test_steps_share_the_seconds_for_sending(budget: StopBudget, clock: Clock) -> None:
    with budget.step() as left_s:
        assert left_s == 2.0
        clock.now += 1.5
    clock.now += 5  # the server's own work is not counted
    with budget.step() as left_s:
        assert left_s == 0.5
        clock.now += 0.5
    assert budget.spend(lambda left_s: left_s) == 0.0


def test_storing_gets_what_sending_left(budget: StopBudget, clock: Clock) -> None:
    assert budget.commit_s == 4.5
    with budget.step():
        clock.now += 2
    assert budget.commit_s == 2.5
    with budget.step():
        clock.now += 60
    assert budget.commit_s == 0.2, "a commit always gets a moment"


def test_step_that_raises_is_counted(budget: StopBudget, clock: Clock) -> None:
    def fails(_: float) -> None:
        clock.now += 1
        raise OSError

    with pytest.raises(OSError):
        budget.spend(fails)
    assert budget.spend(lambda left_s: left_s) == 1.0
    assert budget.until == inf


def test_process_that_goes_on_has_the_whole_budget_again(budget: StopBudget, clock: Clock) -> None:
    with budget.step():
        clock.now += 2
    clock.now += 31
    assert budget.spend(lambda left_s: left_s) == 2.0


def test_request_of_a_stop_ends_with_its_step(budget: StopBudget, clock: Clock) -> None:
    assert budget.request_s(15.0) == 15.0
    with budget.step():
        assert budget.request_s(15.0) == 2.0
        clock.now += 1.5
        assert budget.request_s(15.0) == 0.5
        clock.now += 1.5
        assert budget.request_s(15.0) == 0.2
    assert budget.request_s(15.0) == 15.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_child_sees_that_its_parent_stops() -> None:
    flag = StopFlag(send_s=0.0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)
        os._exit(0 if flag.is_over() else 1)
    assert not flag.is_over()
    flag.set()
    os.write(writer, b".")
    assert os.waitpid(child, 0)[1] == 0
    os.close(reader)
    os.close(writer)


def test_stop_flag_leaves_time_for_sending() -> None:
    flag = StopFlag(send_s=3600.0)
    flag.set()
    assert not flag.is_over()


@pytest.mark.parametrize("error", [ValueError("x"), TimeoutError("its own"), SystemExit(3)])
def test_call_gives_its_result_or_its_error(error: BaseException) -> None:
    def fails() -> None:
        raise error

    assert run_until(lambda: 5, lambda: False) == 5
    with pytest.raises(type(error)) as raised:
        run_until(fails, lambda: False)
    assert raised.value is error


def test_call_that_hangs_is_left_when_the_time_is_over() -> None:
    release = threading.Event()
    over_at = time.monotonic() + 0.3
    with pytest.raises(StoppedError):
        run_until(lambda: release.wait(60), lambda: time.monotonic() > over_at)
    release.set()
