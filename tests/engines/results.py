"""Run the scenarios and write their results as JSON; write the compatibility table of docs/browsers.md from them.

``python -m tests.engines.results run ENGINE FILE [NAME ...]`` adds one line of JSON for each scenario (whose name holds
one of these texts), ``python -m tests.engines.results write FILE ...`` writes the table.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.engines.engines import ENGINES
from tests.engines.lab import lab
from tests.engines.scenarios import SCENARIOS, Scenario

__all__ = ["PAGE", "expected_table", "table"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "browsers.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
_NAMES = {"chromium": "Chromium", "firefox": "Firefox ESR", "webkit": "WebKitGTK"}


def run(engine: str, file: Path, *names: str) -> None:
    """Run scenarios in an engine, and add their results to a file."""
    with tempfile.TemporaryDirectory() as folder, lab(engine, Path(folder)) as found, file.open("a") as lines:
        for scenario in SCENARIOS:
            if names and not any(name in scenario.name for name in names):
                continue
            try:
                seen = found.result(scenario)
            except AssertionError as error:
                seen = f"error: {error}"[:300]
            line = {"name": scenario.name, "engine": engine, "version": found.version, "seen": seen}
            text = json.dumps({**line, "ok": scenario.is_expected(engine, seen)})
            print(text, file=lines, flush=True)
            print(text, flush=True)


def table(seen: dict[tuple[str, str], str]) -> str:
    """Return the rows of the table: a scenario, and its result in each engine."""
    lines = [f"| Scenario | {' | '.join(_NAMES[engine] for engine in ENGINES)} |", f"|{'---|' * (len(ENGINES) + 1)}"]
    for scenario in SCENARIOS:
        name = f"{scenario.name}, consent required" if scenario.consent == "required" else scenario.name
        cells = [_cell(scenario, engine, seen[scenario.name, engine]) for engine in ENGINES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(scenario: Scenario, engine: str, seen: str) -> str:
    """Return a result in words; where the moment decides, all that are expected."""
    expected = scenario.expected_in(engine)
    results = expected if scenario.is_expected(engine, seen) or seen == expected else seen
    return " or ".join(map(_words, results.split(" or ")))


def _words(result: str) -> str:
    channel, _, reason = result.partition(": ")
    said = "not counted" if reason == "silent" else f"`{reason}`"
    return f"{'server only' if channel == 'server' else channel}: {said}" if reason else channel


def expected_table() -> str:
    """Return the table of the results that the scenarios expect."""
    return table({(one.name, engine): one.expected_in(engine) for one in SCENARIOS for engine in ENGINES})


def written(text: str, versions: Iterable[str], rows: str) -> str:
    """Return the page with these results between its two marks."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n\nRun with {', '.join(versions)}.\n\n{rows}\n\n{END}{tail}"


def write(*files: Path) -> None:
    """Write the newest result of each scenario and engine into the page.

    Raises:
        SystemExit: a result is missing.
    """
    lines: list[dict[str, Any]] = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    seen = {(line["name"], line["engine"]): line["seen"] for line in lines}
    versions = {line["engine"]: f"{_NAMES[line['engine']]} {line['version'].split()[-1]}" for line in lines}
    missing = [(one.name, engine) for one in SCENARIOS for engine in ENGINES if (one.name, engine) not in seen]
    if missing:
        sys.exit(f"no result of {missing}")
    PAGE.write_text(written(PAGE.read_text("utf-8"), map(versions.__getitem__, ENGINES), table(seen)), "utf-8")


if __name__ == "__main__":
    action, *given = sys.argv[1:]
    if action == "run":
        run(given[0], Path(given[1]), *given[2:])
    else:
        write(*map(Path, given))
