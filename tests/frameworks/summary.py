"""The versions that the acceptance suite ran with, and what became of it, at the end of pytest's output."""

from __future__ import annotations

from collections import Counter
from typing import Any

__all__ = ["pytest_terminal_summary"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line for each framework that was tested."""
    results: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", ()):
                if name == "framework" and (report.when == "call" or outcome != "passed"):
                    results.setdefault(str(value), Counter())[outcome] += 1
    if results:
        terminalreporter.section("frameworks")
        for framework, counts in results.items():
            terminalreporter.line(
                f"{framework}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}"
            )
