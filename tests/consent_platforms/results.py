"""Results of the tests of states as a table: one row for each platform and version, one column for each state.

    pytest -m "soak or not soak" tests/consent_platforms --consent-results results.json
    python -m tests.consent_platforms.results results.json

The first command adds its results to the file, so that the run may have several parts. The second prints the table, in
Markdown.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.consent_platforms.platforms import PLATFORMS

__all__ = ["COLUMNS", "Results", "add", "table"]

#: Result of each state, by the platform's name.
Results = dict[str, dict[str, str]]

_MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "-"}

#: States and their short names.
COLUMNS: Mapping[str, str] = {
    "nothing clicked": "nothing clicked",
    "accepted": "yes",
    "refused": "no",
    "partly accepted": "in part",
    "refused after accepting": "yes, no",
    "accepted after refusing": "no, yes",
    "minds change over pages": "over pages",
    **{f"refused {ms} ms before leaving": f"no, {ms} ms" for ms in (0, 400, 3000)},
    **{f"accepted {ms} ms before leaving": f"yes, {ms} ms" for ms in (0, 400, 3000)},
    "record expires": "expiry",
    "new revision": "revision",
    "two tabs": "two tabs",
    "Global Privacy Control": "GPC",
}

_NAMES = sorted((platform.name for platform in PLATFORMS), key=len, reverse=True)
_STATE = re.compile(r"consent_platforms/test_states\.py::test_(consent|global_privacy)\w+\[(.*)\]$")


def add(results: Results, stats: Mapping[str, Iterable[Any]]) -> None:
    """Add the reports of one test run.

    Args:
        results: earlier results, to which these are added.
        stats: reports by outcome, as pytest's terminal reporter holds them.
    """
    for outcome, mark in _MARKS.items():
        for report in stats.get(outcome, ()):
            found = _STATE.search(getattr(report, "nodeid", ""))
            if found is None:
                continue
            name = next(name for name in _NAMES if found[2] == name or found[2].startswith(f"{name}-"))
            state = found[2][len(name) + 1 :] or "Global Privacy Control"
            results.setdefault(name, {})[state] = mark


def table(results: Results) -> str:
    """Return the results as a Markdown table, with a short name for each state."""
    head = ["Platform", "Version", *COLUMNS.values()]
    lines = [head, ["---"] * len(head)]
    for platform in PLATFORMS:
        states = results.get(platform.name, {})
        lines.append([platform.name, platform.package, *(states.get(state, "not run") for state in COLUMNS)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
