"""What deliveries are told of forks and of the end."""

from __future__ import annotations

import os
import time

import pytest

from tests.delivery.delivery_world import StartedThreads, ToldSink, submissions
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
from tiktok_middleware.delivery.process.forks import alive, close_all, watch
from tiktok_middleware.delivery.process.stopping import StopBudget


class Slow:
    """Takes all the time that it is given."""

    def __init__(self) -> None:
        self.given_s: list[float] = []
        self.heard: list[str] = []

    def before_fork(self) -> None:
        self.heard.append("before")

    def after_fork(self) -> None:
        self.heard.append("after")

    def begin_anew(self) -> None:
        self.heard.append("anew")

    def close(self, timeout_s: float) -> bool:
        self.given_s.append(timeout_s)
        time.sleep(timeout_s)
        return False


class Broken(Slow):
    """Cannot be closed."""

    def close(self, timeout_s: float) -> bool:
        super().close(timeout_s)
        raise OSError("no more")


def test_an_exit_has_one_deadline_for_all(caplog: pytest.LogCaptureFixture) -> None:
    several = [Slow(), Broken(), Slow()]
    close_all(several, StopBudget(0.1))
    assert [len(one.given_s) for one in several] == [1, 1, 1]
    assert sum(one.given_s[0] for one in several) < 0.15
    assert caplog.text.count("could not be closed") == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_each_side_of_a_fork_is_told() -> None:
    one = Slow()
    watch(one)
    child = os.fork()
    if child == 0:
        os._exit(one.heard != ["before", "anew"])
    assert os.waitpid(child, 0)[1] == 0
    assert one.heard == ["before", "after"]
    alive.discard(one)


def test_an_event_that_is_the_first_after_the_end_is_committed_by_its_caller() -> None:
    delivery = open_delivery(DeliveryOptions(sink=lambda _: ToldSink()))
    assert delivery.close(1)
    started = StartedThreads()
    assert delivery.submit(submissions(1)).result(0)[0].server
    assert not started.alive
