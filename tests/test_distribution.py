"""Each test goes to one worker, with the tests that share its servers; long ones go first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.distribution import LONG_FILES, WHOLE_FOLDERS, UnitScheduling, long_units_first, unit_of

_COLLECTED = [
    *(f"tests/browser/test_{letter}.py::test_{number}" for letter in "ab" for number in range(3)),
    *(f"tests/core/test_{letter}.py::test_it[row@{number}::x]" for letter in "abcdef" for number in range(4)),
    "tests/test_single.py::test_one",
]


class _Worker:
    """Has what a scheduler needs of a worker process."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.waiting: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.waiting += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def _schedule(workers: list[_Worker], collected: list[str]) -> dict[str, list[str]]:
    """Return the tests that each worker has run, in order."""
    option = SimpleNamespace(loadscopereorder=True)
    config: Any = SimpleNamespace(option=option, getvalue=lambda _: ["popen"] * len(workers), debug=False)
    config.trace = SimpleNamespace(root=SimpleNamespace(get=lambda _: lambda *_: None))
    log: Any = _Silent()
    scheduling: Any = UnitScheduling(config, log)
    for worker in workers:
        scheduling.add_node(worker)
    for worker in workers:
        scheduling.add_node_collection(worker, collected)
    scheduling.schedule()
    ran: dict[str, list[str]] = {worker.gateway.id: [] for worker in workers}
    while any(worker.waiting for worker in workers):
        for worker in workers:
            if worker.waiting:
                index = worker.waiting.pop(0)
                ran[worker.gateway.id].append(collected[index])
                scheduling.mark_test_complete(worker, index)
    assert scheduling.tests_finished
    assert not scheduling.has_pending
    return ran


class _Silent:
    """A log of the scheduler that keeps nothing."""

    def __call__(self, *words: object) -> None: ...

    def __getattr__(self, name: str) -> _Silent:
        return self


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_test_runs_once_and_a_unit_runs_in_one_worker(count: int) -> None:
    ran = _schedule([_Worker(f"gw{number}") for number in range(count)], _COLLECTED)
    assert sorted(test for tests in ran.values() for test in tests) == sorted(_COLLECTED)
    for unit in set(map(unit_of, _COLLECTED)):
        at = [name for name, tests in ran.items() if any(unit_of(test) == unit for test in tests)]
        assert len(at) == 1, unit
    assert all(ran.values()), "no worker is left without work"


def test_units_are_handed_out_in_the_order_of_collection() -> None:
    (ran,) = _schedule([_Worker("gw0")], list(reversed(_COLLECTED))).values()
    assert list(dict.fromkeys(map(unit_of, ran))) == list(dict.fromkeys(map(unit_of, reversed(_COLLECTED))))


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/browser/test_a.py::test_it", "tests/browser/"),
        ("tests/browser_scripts/test_a.py::test_it", "tests/browser_scripts/test_a.py"),
        ("tests/core/test_a.py::test_it[tests/browser/::x]", "tests/core/test_a.py"),
        ("tests/core/test_a.py::TestClass::test_it[a@b]", "tests/core/test_a.py"),
    ],
)
def test_unit_is_the_file_or_the_whole_folder(nodeid: str, unit: str) -> None:
    assert unit_of(nodeid) == unit


def test_folders_and_files_of_long_tests_come_first_and_units_keep_their_order() -> None:
    def item(nodeid: str, *markers: str) -> Any:
        return SimpleNamespace(nodeid=nodeid, get_closest_marker=lambda name: name in markers or None)

    items = [
        item("tests/a.py::quick"),
        item("tests/b.py::quick"),
        item("tests/b.py::slow", "slow"),
        item("tests/c.py::server", "slow", "servers"),
        item("tests/d.py::quick"),
        item("tests/test_patterns.py::many"),
        item("tests/engines/e.py::quick"),
    ]
    in_order = [one.nodeid.removeprefix("tests/") for one in long_units_first(items)]
    first = ["engines/e.py::quick", "c.py::server", "b.py::quick", "b.py::slow", "test_patterns.py::many"]
    assert in_order == [*first, "a.py::quick", "d.py::quick"]


def test_folders_and_files_exist(pytestconfig: pytest.Config) -> None:
    assert all((pytestconfig.rootpath / folder).is_dir() for folder in WHOLE_FOLDERS)
    assert all((pytestconfig.rootpath / file).is_file() for file in LONG_FILES)
