"""What it costs to import the package and one door, in processes of their own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.goals import GOALS
from tests.bench.ours import PIXEL, TOKEN
from tests.bench.report import Table, verdict
from tests.bench.rounds import spread

__all__ = ["startup_table"]

_STATEMENTS = {
    "ASGI door": "import tiktok_middleware.asgi",
    "WSGI door": "import tiktok_middleware.wsgi",
    "for comparison: ASGI door and its client, configured": "import tiktok_middleware.asgi as a; a.TikTokMiddleware(None)",
    "for comparison: starlette": "import starlette.applications",
    "for comparison: httpx": "import httpx",
}
_VARIABLES = {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ACCESS_TOKEN": TOKEN, "TIKTOK_OUTBOX": "memory://"}
_NOTHING = "pass"
_ASKS = "; import sys; sys.exit('httpx' in sys.modules)"


def startup_table(repeats: int) -> Table:
    """Milliseconds over an interpreter that does nothing, interleaved."""
    statements = [_NOTHING, *_STATEMENTS.values()]
    took: dict[str, list[float]] = {statement: [] for statement in statements}
    for number in range(repeats + 1):
        random.Random(number).shuffle(statements)
        for statement in statements:
            seconds = _run(statement)
            if number:  # the first round fills the caches of the disk
                took[statement].append(seconds)
    table = Table(
        "Import, ms over an empty interpreter",
        ("what", "ms", "quartiles", "goal"),
        f"{repeats} processes each, interleaved.",
    )
    for title, statement in _STATEMENTS.items():
        over = spread([(one - none) * 1e3 for one, none in zip(took[statement], took[_NOTHING], strict=True)])
        goal = None if title.startswith("for") else GOALS["import"]
        is_met = goal and goal.is_met(over.median) and not _run_code(statement + _ASKS)
        table.add(
            (
                title,
                f"{over.median:.0f}",
                f"{over.low:.0f} .. {over.high:.0f}",
                verdict(goal, over.median if is_met else float("inf")),
            ),
            what=title,
            ms=over._asdict(),
            is_met=is_met,
        )
    return table


def _run(statement: str) -> float:
    begin = time.perf_counter()
    _run_code(statement)
    return time.perf_counter() - begin


def _run_code(statement: str) -> int:
    return subprocess.run(
        [sys.executable, "-c", statement],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **_VARIABLES},
        check=False,
        capture_output=True,
        timeout=30,
    ).returncode
