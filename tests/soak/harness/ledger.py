"""Counts what a run has served and keeps every difference; it decides nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

__all__ = ["REPORT", "Ledger"]

#: Variable that names the file which the report is written to.
REPORT = "SOAK_REPORT"


class Ledger:
    """The counts and faults of one run."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.missed: list[str] = []

    def fault(self, text: str) -> None:
        """Something differs that may not."""
        self.faults.append(f"{_current_test()}: {text}")

    def miss(self, text: str) -> None:
        """A document went out without a script."""
        self.missed.append(f"{_current_test()}: {text}")

    def write(self) -> None:
        """The report, where the environment wants it."""
        report = {"counts": dict(self.counts), "faults": self.faults, "missed": self.missed}
        Path(os.environ[REPORT]).write_text(json.dumps(report, indent=1))


def _current_test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "outside a test")
