"""Shared by all tests: the fast tier, and a check that no error of ours was swallowed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

from tests.frameworks.summary import pytest_terminal_summary  # noqa: F401  # prints versions and results
from tests.watch import Watch
from tiktok_middleware._log import observed_by
from tiktok_middleware.core.tracking.current import tracker_var
from tiktok_middleware.delivery.process.forks import alive

#: Markers of tests that the fast tier leaves out: they need more than Python, or more than a second.
NOT_FAST = ("browser", "node", "redis", "postgres", "servers", "slow", "soak")
_WHOLE_FILE = re.compile(rf"^pytestmark = pytest\.mark\.({'|'.join(NOT_FAST)})\b", re.MULTILINE)
_CLOCK = re.compile(r"\b(perf_counter|process_time|thread_time)(_ns)?\(")

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("fast", settings.get_profile("ci"), max_examples=10)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help=f"leave out the tests marked {', '.join(NOT_FAST)}")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("fast"):
        settings.load_profile("fast")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import a file, or a folder's, of which no test is fast: what it imports may not be installed."""
    if not config.getoption("fast"):
        return None
    files = [collection_path] if collection_path.is_file() else sorted(collection_path.rglob("test_*.py"))
    is_slow = files and all(_WHOLE_FILE.search(file.read_text("utf-8")) for file in files)
    return True if is_slow else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out: list[pytest.Item] = []
    if config.getoption("fast"):
        left_out += [item for item in items if any(map(item.get_closest_marker, NOT_FAST))]
    if Coverage.current() is not None:
        left_out += filter(_reads_a_clock, items)  # tracing makes all code some times slower
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _reads_a_clock(item: pytest.Item) -> bool:
    """Return True for a test that compares how long our code takes with a bound."""
    return isinstance(item, pytest.Function) and _CLOCK.search(inspect.getsource(item.function)) is not None


@pytest.fixture(autouse=True)
def swallowed(request: pytest.FixtureRequest) -> Iterator[list[BaseException]]:
    """Errors that the guard swallowed during the test; any of them fails it, unless it is marked ``swallows``."""
    watch = Watch()
    errors = watch.errors
    open_before = set(alive)
    with observed_by(watch):
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
