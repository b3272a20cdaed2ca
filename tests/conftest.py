"""Shared by all tests: a mistake of ours that was kept away from the app must not be kept away from the suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.frameworks.summary import pytest_terminal_summary  # noqa: F401  # prints versions and results
from tiktok_middleware._log import NoticeLog
from tiktok_middleware.core.tracking.current import tracker_var
from tiktok_middleware.delivery.process.forks import alive

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("ci")


@pytest.fixture(autouse=True)
def swallowed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Errors that the guard swallowed during the test; any of them fails it, unless it is marked ``swallows``."""
    errors: list[BaseException] = []
    original = NoticeLog.failure

    def failure(self: NoticeLog, part: str, error: BaseException) -> None:
        errors.append(error)
        original(self, part, error)

    monkeypatch.setattr(NoticeLog, "failure", failure)
    open_before = set(alive)
    yield errors
    for delivery in set(alive) - open_before:
        delivery.close(0)  # its threads are not the next test's
    if errors and request.node.get_closest_marker("swallows") is None:
        raise AssertionError(f"{len(errors)} error(s) of ours were swallowed") from errors[0]


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    """A visitor that a test leaves behind fails it: in a server the thread's next code would be theirs."""
    yield
    left = tracker_var.get()
    tracker_var.set(None)
    assert left is None
