"""Shared by all tests: the fast tier, and a check that no error of ours was swallowed."""

from __future__ import annotations

import gc
import inspect
import os
import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

from tests.distribution import UnitScheduling, long_units_first
from tests.fast_tier import MAX_ROWS, NOT_FAST, left_out
from tests.frameworks.summary import pytest_terminal_summary  # noqa: F401  # prints versions and results
from tests.watch import Watch
from tiktok_middleware._log import observed_by
from tiktok_middleware.core.tracking.current import tracker_var
from tiktok_middleware.delivery.outbox.sqlite.connection import Connection
from tiktok_middleware.delivery.outbox.sqlite.connection import alive as databases
from tiktok_middleware.delivery.process.forks import alive

if TYPE_CHECKING:
    from tests.postgres_world import Postgres

_WHOLE_FILE = re.compile(rf"^pytestmark = pytest\.mark\.({'|'.join(NOT_FAST)})\b", re.MULTILINE)
_CLOCK = re.compile(r"\b((perf_counter|process_time|thread_time)(_ns)?|least_s)\(")

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("fast", settings.get_profile("ci"), max_examples=10)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    markers = ", ".join(NOT_FAST)
    text = f"leave out the tests marked {markers}, and all but {MAX_ROWS} rows of each table"
    parser.addoption("--fast", action="store_true", help=text)
    parser.addoption("--all-rows", action="store_true", help="with --fast: run every row of each table")


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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> UnitScheduling | None:
    return UnitScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = left_out(items, all_rows=config.getoption("all_rows")) if config.getoption("fast") else []
    if Coverage.current() is not None:
        left += filter(_reads_a_clock, items)  # tracing makes all code some times slower
    if left:
        config.hook.pytest_deselected(items=left)
        without = set(left)
        items[:] = [item for item in items if item not in without]
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items[:] = long_units_first(items)


def _reads_a_clock(item: pytest.Item) -> bool:
    """Return True for a test that compares how long our code takes with a bound."""
    return isinstance(item, pytest.Function) and _CLOCK.search(inspect.getsource(item.function)) is not None


class _Watched(NamedTuple):
    """What is watched during one test."""

    watch: Watch
    leave: ExitStack
    open_before: set[Any]
    files_before: set[Connection]


_WATCHED = pytest.StashKey[_Watched]()
#: Deliveries that fixtures of a module or a session have made, which outlive a test.
_LASTING: WeakSet[Any] = WeakSet()


# Hooks instead of fixtures that every test uses: they take a fifth of the time, and most tests take a millisecond.
@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    leave = ExitStack()
    watch = Watch()
    leave.enter_context(observed_by(watch))
    item.stash[_WATCHED] = _Watched(watch, leave, set(alive), set(databases))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    if fixturedef.scope == "function":
        return (yield)
    before = set(alive)
    result = yield
    _LASTING.update(set(alive) - before)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Fail a test that left a visitor behind, or during which an error of ours was swallowed."""
    try:
        result = yield
    finally:
        watched = item.stash[_WATCHED]
        watched.leave.close()
        for delivery in set(alive) - watched.open_before - set(_LASTING):
            delivery.close(0)  # its threads are not the next test's
        if not set(alive) & set(_LASTING):
            for database in set(databases) - watched.files_before:
                database.close()  # an open file that is collected later warns in another test
        left = tracker_var.get()
        tracker_var.set(None)
    assert left is None, "in a server, the thread's next code would be this visitor's"
    errors = watched.watch.errors
    if errors and item.get_closest_marker("swallows") is None:
        raise AssertionError(f"{len(errors)} error(s) of ours were swallowed") from errors[0]
    return result


def pytest_collection_finish() -> None:
    """Keep the thousands of collected tests out of garbage collections."""
    gc.freeze()


@pytest.fixture
def swallowed(request: pytest.FixtureRequest) -> list[BaseException]:
    """Errors that the guard swallowed during the test; any of them fails it, unless it is marked ``swallows``."""
    watched: _Watched = request.node.stash[_WATCHED]
    return watched.watch.errors


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL cluster that the tests of this process share; each test gets a schema of its own in it."""
    from tests.postgres_world import new_cluster

    with new_cluster() as cluster:
        yield cluster
