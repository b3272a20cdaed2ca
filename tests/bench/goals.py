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
    **{
        f"{adapter} {scene}": Goal(0, "not above New Relic")
        for adapter in ("asgi", "wsgi")
        for scene in ("page", "varying", "landing", "long", "stream")
    },
    "asgi json": Goal(1.5, "a wrapper that does nothing +1.5 us"),
    "wsgi json": Goal(1.5, "a wrapper that does nothing +1.5 us"),
    "asgi tracked": Goal(88.5, "at most 100 us with the app's own"),
    "wsgi tracked": Goal(74.5, "at most 75 us with the app's own"),
    "tracked p99": Goal(1, "p99 under 1 ms"),
    "track": Goal(15, "at most 15 us"),
    "first byte": Goal(50, "before the second piece"),
    "memory": Goal(1, "under 1 MB"),
    "import": Goal(50, "under 50 ms, no httpx"),
    "outbox call": Goal(1.05, "as release 0.1, within 5%"),
    "delivered": Goal(40_000, "40,000 events/s", is_at_least=True),
    "lost": Goal(0, "none"),
    "waiting in memory": Goal(1, "under 1 KB"),
    "waiting on disk": Goal(0.1, "none (caches: under 0.1 KB)"),
}
