"""A call that hangs holds its caller up for a limited time, and nothing else."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from tests.delivery.delivery_world import wait_until
from tiktok_middleware.delivery.process.bounded_calls import BoundedCalls, TooSlowError


def has_thread(calls: BoundedCalls) -> bool:
    return calls._thread is not None and calls._thread.is_alive()


@pytest.mark.parametrize("keeps_thread", [True, False])
def test_calls_run_in_order_on_one_thread(keeps_thread: bool) -> None:
    calls = BoundedCalls(keeps_thread=keeps_thread)
    names: set[str] = set()
    seen: list[int] = []

    def note(number: int) -> None:
        seen.append(number)
        names.add(threading.current_thread().name)

    for number in range(50):
        calls.start(partial(note, number))
    assert calls.run(lambda: "last", 10) == "last"
    assert (seen, names) == (list(range(50)), {"tiktok-database"})
    calls.close()
    assert wait_until(lambda: not has_thread(calls))


def test_an_error_reaches_the_caller() -> None:
    calls = BoundedCalls()
    for error in (ValueError("x"), TimeoutError("the call's own")):
        with pytest.raises(type(error), match=str(error)):
            calls.run(lambda error=error: (_ for _ in ()).throw(error), 10)  # type: ignore[misc]
    calls.close()


def test_a_call_that_hangs_is_left_behind_and_goes_on() -> None:
    calls = BoundedCalls()
    leave, done = threading.Event(), threading.Event()

    def hang() -> None:
        leave.wait(20)
        done.set()

    with pytest.raises(TooSlowError):
        calls.run(hang, 0.01)
    assert calls.is_busy
    assert not calls.has_others
    with pytest.raises(TooSlowError):
        calls.run(lambda: None, 0.01)
    assert calls.has_others
    leave.set()
    assert done.wait(10)
    assert calls.run(lambda: 1, 10) == 1
    calls.close()


def test_a_closed_one_still_works_and_keeps_no_thread() -> None:
    calls = BoundedCalls()
    calls.run(lambda: None, 10)
    calls.close()
    assert calls.run(lambda: 2, 10) == 2
    assert wait_until(lambda: not has_thread(calls))
