"""Choose the tests of the fast tier, which needs nothing but Python and takes less than a minute.

Left out are the tests whose markers say that they need more, and most rows of long tables: of a test with more than
``MAX_ROWS`` rows the fast tier runs that many, from the first to the last, at equal distances. ``make test`` runs all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

__all__ = ["MAX_ROWS", "NOT_FAST", "left_out", "spread"]

#: Markers of tests that need more than Python, or more than a second.
NOT_FAST = ("browser", "node", "redis", "postgres", "servers", "slow", "soak")
#: Rows of one test that the fast tier runs.
MAX_ROWS = 10


def left_out(items: Iterable[pytest.Item], *, all_rows: bool = False) -> list[pytest.Item]:
    """Return the tests that the fast tier does not run.

    Args:
        items: all collected tests.
        all_rows: whether it runs every row of each table.
    """
    out: list[pytest.Item] = []
    tables: dict[str, list[pytest.Item]] = {}
    for item in items:
        if any(map(item.get_closest_marker, NOT_FAST)):
            out.append(item)
        else:
            tables.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for rows in () if all_rows else tables.values():
        kept = set(spread(len(rows), MAX_ROWS))
        out += [row for index, row in enumerate(rows) if index not in kept]
    return out


def spread(count: int, most: int) -> Sequence[int]:
    """Return the indexes of at most ``most`` of ``count`` rows, with the first and the last, at equal distances."""
    if count <= most:
        return range(count)
    return [index * (count - 1) // (most - 1) for index in range(most)]
