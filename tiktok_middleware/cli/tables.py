"""Format tables for a terminal: aligned columns, no broken words; only the last column is wrapped."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

__all__ = ["table"]

_GAP = "  "
_MIN_LAST = 24


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return the table as text. A word is never broken, so a line may be longer than the width.

    Args:
        columns: titles of the columns.
        rows: the cells of each row.
        width: characters in a line; None for the terminal's width.
    """
    width = width or shutil.get_terminal_size().columns
    cells = [list(columns), *([" ".join(str(cell).split()) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns) - 1)]
    indent = sum(widths) + len(_GAP) * len(widths)
    return "\n".join(line for row in cells for line in _lines(row, widths, indent, width))


def _lines(row: list[str], widths: list[int], indent: int, width: int) -> list[str]:
    head = "".join(cell.ljust(size) + _GAP for cell, size in zip(row, widths, strict=False))
    last = textwrap.wrap(row[-1], max(width - indent, _MIN_LAST), break_long_words=False, break_on_hyphens=False)
    return [(head + (last[0] if last else "")).rstrip(), *(" " * indent + line for line in last[1:])]
