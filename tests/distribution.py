"""Divide the tests among several worker processes: a file, or a folder with expensive fixtures, goes to one of them.

A worker that has a file's tests to itself starts the file's servers and databases once, and the process that hands out
the tests has some hundred units to keep account of instead of thousands.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

__all__ = ["LONG_FILES", "WHOLE_FOLDERS", "UnitScheduling", "long_units_first", "unit_of"]

#: Folders whose tests share a browser and servers of a package fixture.
WHOLE_FOLDERS = ("tests/browser/", "tests/consent_platforms/", "tests/engines/")
#: Files of many quick tests that take about ten seconds together.
LONG_FILES = (
    "tests/contract/test_decision_cache.py",
    "tests/core/page/test_head_end_properties.py",
    "tests/test_patterns.py",
)
#: Markers of tests that take long, the longest first.
_LONG = ("browser", "servers", "redis", "postgres", "slow")


def unit_of(nodeid: str) -> str:
    """Return the file of a test, or the folder that stays with one worker."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in WHOLE_FOLDERS if file.startswith(folder)), file)


class UnitScheduling(LoadFileScheduling):
    """Hands out units in the order in which their tests were collected."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the number of tests does not say how long they take

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def long_units_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with whole folders and units of long tests first, so that workers end at about the same time."""
    ranks: dict[str, int] = {}
    for item in items:
        unit = unit_of(item.nodeid)
        ranks[unit] = min(ranks.get(unit, len(_LONG) + 1), _rank(item, unit))
    return sorted(items, key=lambda item: ranks[unit_of(item.nodeid)])


def _rank(item: pytest.Item, unit: str) -> int:
    if unit in WHOLE_FOLDERS:
        return 0
    if unit in LONG_FILES:
        return len(_LONG)
    return next((rank for rank, marker in enumerate(_LONG, 1) if item.get_closest_marker(marker)), len(_LONG) + 1)
