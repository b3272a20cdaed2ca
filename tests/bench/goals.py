"""What the project sets out to reach, beside which every figure is printed."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["GOALS", "Goal"]


class Goal(NamedTuple):
    """A bound on one figure.

    Attributes:
        bound: the figure that is allowed, in the unit of the row.
        words: the bound as it is printed.
        is_at_least: whether the figure should be larger, not smaller.
    """

    bound: float
    words: str
    is_at_least: bool = False

    def is_met(self, figure: float) -> bool:
        """Whether the figure keeps the bound."""
        return figure >= self.bound if self.is_at_least else figure <= self.bound


#: By what is measured: door and scene, or a name.
GOALS: dict[str, Goal] = {
    "asgi json": Goal(2, "at most +2 us"),
    "asgi page": Goal(11, "at most +11 us"),
    "asgi landing": Goal(11, "at most +11 us"),
    "asgi long over page": Goal(5, "the 20 KB figure +5 us"),
    "asgi stream": Goal(20, "at most +20 us"),
    "wsgi json": Goal(1.5, "at most +1.5 us"),
    "wsgi page": Goal(11, "at most +11 us"),
    "wsgi landing": Goal(11, "at most +11 us"),
    "wsgi long": Goal(16, "at most +16 us"),
    "wsgi stream": Goal(20, "at most +20 us"),
    "tracked": Goal(80, "at most +80 us"),
    "tracked p99": Goal(1, "p99 under 1 ms"),
    "track": Goal(15, "at most 15 us"),
    "first byte": Goal(50, "before the second piece"),
    "memory": Goal(1, "under 1 MB"),
    "import": Goal(50, "under 50 ms, no httpx"),
    "delivered": Goal(40_000, "40,000 events/s", is_at_least=True),
    "lost": Goal(0, "none"),
    "waiting in memory": Goal(1, "under 1 KB"),
    "waiting on disk": Goal(0.1, "none (caches: under 0.1 KB)"),
}
