"""Results of the tests of states as a table: one row for each platform and version, one column for each state.

    pytest -m "soak or not soak" tests/consent_platforms --consent-results results.json
    python -m tests.consent_platforms.results results.json
    python -m tests.consent_platforms.results --write docs/consent.md results.json

The first command adds its results to the file, so that the run may have several parts. The second prints the table, in
Markdown; the third writes it into a document. Both take several files: a failure in one of them stays a failure.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.consent_platforms.platforms import PLATFORMS

__all__ = ["BEGIN", "COLUMNS", "END", "FAILED", "NOT_RUN", "PASSED", "SKIPPED", "Results", "add", "joined", "table"]

#: Result of each state, by the platform's name.
Results = dict[str, dict[str, str]]

PASSED, FAILED, SKIPPED, NOT_RUN = "ok", "FAILED", "-", "not run"
_MARKS = {"passed": PASSED, "failed": FAILED, "skipped": SKIPPED}

#: Lines around the table in a document.
BEGIN, END = (
    "<!-- table of states: written by tests.consent_platforms.results -->",
    "<!-- end of the table of states -->",
)

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


def joined(parts: Iterable[Results]) -> Results:
    """Return the results of several files as one. If two files hold the same state, a failure counts."""
    whole: Results = {}
    for part in parts:
        for name, states in part.items():
            kept = whole.setdefault(name, {})
            for state, mark in states.items():
                kept[state] = FAILED if FAILED in {mark, kept.get(state)} else mark
    return whole


def table(results: Results) -> str:
    """Return the results as a Markdown table, with a short name for each state."""
    head = ["Platform", "Version", *COLUMNS.values()]
    lines = [head, ["---"] * len(head)]
    for platform in PLATFORMS:
        states = results.get(platform.name, {})
        lines.append([platform.name, platform.package, *(states.get(state, NOT_RUN) for state in COLUMNS)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _write(document: Path, results: Results) -> None:
    before, _, rest = document.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}", "utf-8")


def main() -> None:
    """Print the table of some files of results, or write it into a document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="files of --consent-results")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="document with the two lines around the table")
    given = parser.parse_args()
    results = joined(json.loads(file.read_text("utf-8")) for file in given.files)
    if given.write:
        _write(given.write, results)
    else:
        print(table(results))


if __name__ == "__main__":
    main()
