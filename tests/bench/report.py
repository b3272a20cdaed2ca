"""Tables for a reader: rich ones on a terminal, plain ones in a pipe; it measures nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench.goals import GOALS, Goal

__all__ = ["Table", "goal_of", "verdict"]


class Table:
    """A titled table that also keeps its rows for ``--json``.

    Args:
        title: above it.
        columns: their headings; the first is set to the left, the others to the right.
        note: one line below it.
    """

    def __init__(self, title: str, columns: Sequence[str], note: str = "") -> None:
        self.title = title
        self._columns = list(columns)
        self._note = note
        self._rows: list[list[str]] = []
        self.records: list[dict[str, Any]] = []

    def add(self, cells: Sequence[str], **record: Any) -> None:
        """One row, and the same in numbers."""
        self._rows.append(list(cells))
        self.records.append(record)

    def show(self) -> None:
        """Print it."""
        if sys.stdout.isatty():
            self._show_rich()
        else:
            self._show_plain()

    def _show_plain(self) -> None:
        rows = [self._columns, *self._rows]
        widths = [max(len(row[at]) for row in rows) for at in range(len(self._columns))]
        print(f"\n## {self.title}\n")
        for number, row in enumerate(rows):
            cells = [
                cell.rjust(width) if at else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            print(f"| {' | '.join(cells)} |")
            if number == 0:
                print(f"|{'|'.join('-' * (width + 2 - bool(at)) + ':' * bool(at) for at, width in enumerate(widths))}|")
        if self._note:
            print(f"\n{self._note}")
        sys.stdout.flush()

    def _show_rich(self) -> None:
        from rich.console import Console
        from rich.table import Table as RichTable

        table = RichTable(title=self.title, caption=self._note or None, title_justify="left", caption_justify="left")
        for at, column in enumerate(self._columns):
            table.add_column(column, justify="right" if at else "left")
        for row in self._rows:
            missed = any(cell.startswith("MISSED") for cell in row)
            table.add_row(*row, style="red" if missed else None)
        Console().print(table)


def goal_of(name: str) -> Goal | None:
    """The goal of this name."""
    return GOALS.get(name)


def verdict(goal: Goal | None, figure: float | None) -> str:
    """``met`` or ``MISSED`` with the goal's words; empty where there is no goal."""
    if goal is None or figure is None:
        return ""
    return f"{'met' if goal.is_met(figure) else 'MISSED'}: {goal.words}"


def as_json(tables: Sequence[Table], request: Mapping[str, Any]) -> dict[str, Any]:
    """Everything in numbers."""
    return {**request, "tables": {table.title: table.records for table in tables}}
