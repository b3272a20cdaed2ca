"""Keep the events that arrived, deduplicated as TikTok does it. All times are those of the copies.

Source: TikTok help page "Event deduplication": the key is pixel, event and ``event_id``. The first copy counts for
48 h. A copy within five minutes of it is merged: fields that the first copy lacked are added.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tiktok_middleware.sandbox.matching import Copy, Difference, Note, cross_notes, differences

__all__ = ["Arrival", "Conversion", "Ledger"]

WINDOW_S = 48 * 3_600
MERGE_S = 300
COPIES_LIMIT = 50
STORE_LIMIT_BYTES = 64 * 1024 * 1024


class Arrival(msgspec.Struct, frozen=True):
    """Arrival of one copy; ``fate`` is ``first``, ``merged``, ``discarded`` or ``counted``."""

    channel: str
    at: float
    fate: str


class Conversion(msgspec.Struct):
    """An event as TikTok would count it: all copies with the same key.

    Attributes:
        key: id of the conversion in the inspector, as long as it is kept.
        state: ``matched``, ``different``, ``browser_only`` or ``server_only``.
        matched: True if both copies arrived and agree.
        counted: how often TikTok counts it; more than once if a copy arrived after 48 h.
        browser: the first browser copy.
        server: the first server copy.
        differences: fields in which the two first copies differ.
        properties: properties that TikTok keeps: those of the first copy, and those that merged copies added.
        user: match keys that TikTok keeps, by the same rule.
        browser_copies: number of copies from browsers.
        server_copies: number of copies from the Events API.
        copies: the first fifty arrivals.
        notes: lint remarks on one copy or on both.
    """

    key: str
    pixel: str
    event: str
    event_id: str
    first_at: float
    last_at: float = 0.0
    state: str = ""
    matched: bool = False
    counted: int = 1
    browser: Copy | None = None
    server: Copy | None = None
    differences: list[Difference] = []
    properties: dict[str, Any] = {}
    user: dict[str, Any] = {}
    browser_copies: int = 0
    server_copies: int = 0
    copies: list[Arrival] = []
    notes: list[Note] = []
    window_from: float = 0.0
    size: int = 0

    def take(self, copy: Copy) -> None:
        """Add one copy of this event."""
        fate = self._fate(copy.at)
        if fate == "counted":
            self.counted += 1
            self.window_from = copy.at
        if fate in {"first", "merged"}:
            self.properties = copy.properties | self.properties
            self.user = copy.user | self.user
        self.last_at = copy.at
        if len(self.copies) < COPIES_LIMIT:
            self.copies.append(Arrival(copy.channel, copy.at, fate))
        if copy.channel == "browser":
            self.browser_copies += 1
            self.browser = self.browser or copy
        else:
            self.server_copies += 1
            self.server = self.server or copy
        self._compare()

    def _fate(self, at: float) -> str:
        if not self.copies:
            return "first"
        age_s = at - self.window_from
        if age_s >= WINDOW_S:
            return "counted"
        return "merged" if age_s <= MERGE_S else "discarded"

    def _compare(self) -> None:
        self.notes = [*(self.browser.notes if self.browser else ()), *(self.server.notes if self.server else ())]
        if self.browser and self.server:
            self.differences = differences(self.browser, self.server)
            self.notes.extend(cross_notes(self.browser, self.server))
            self.state = "different" if self.differences else "matched"
        else:
            self.state = "browser_only" if self.browser else "server_only"
        self.matched = self.state == "matched"


class Ledger:
    """The conversions of this run, oldest first, bounded by number and memory.

    Args:
        limit: how many conversions are kept; beyond it the oldest is removed, also from deduplication.
        on_state: called with a conversion whose state has changed.
        limit_bytes: how many bytes of conversions are kept; beyond it the oldest is removed.
    """

    def __init__(
        self,
        limit: int = 10_000,
        on_state: Callable[[Conversion], None] | None = None,
        limit_bytes: int = STORE_LIMIT_BYTES,
    ) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._on_state = on_state
        self._serial = 0
        self._bytes = 0
        self._conversions: OrderedDict[tuple[str, str, str], Conversion] = OrderedDict()
        self.revision: int = 0

    def take(self, copy: Copy) -> Conversion:
        """Add a copy, and return the conversion that it belongs to."""
        self._serial += 1
        self.revision += 1
        # A copy without an id cannot be deduplicated: each one becomes a conversion of its own.
        key = (copy.pixel, copy.event, copy.event_id or f"\0{self._serial}")
        conversion = self._conversions.get(key)
        if conversion is None:
            conversion = self._conversions[key] = Conversion(
                key=str(self._serial),
                pixel=copy.pixel,
                event=copy.event,
                event_id=copy.event_id,
                first_at=copy.at,
                window_from=copy.at,
                copies=[],
            )
        known = conversion.browser, conversion.server
        state = conversion.state
        conversion.take(copy)
        if self._on_state is not None and conversion.state != state:
            self._on_state(conversion)
        if (conversion.browser, conversion.server) != known:
            conversion.size += copy.size
            self._bytes += copy.size
        self._bound()
        return conversion

    def _bound(self) -> None:
        while len(self._conversions) > self._limit or (self._bytes > self._limit_bytes and len(self._conversions) > 1):
            _, oldest = self._conversions.popitem(last=False)
            self._bytes -= oldest.size

    def clear(self) -> None:
        """Remove all conversions."""
        self._conversions.clear()
        self._bytes = 0
        self.revision += 1

    def __iter__(self) -> Iterator[Conversion]:
        return iter(self._conversions.values())

    def __len__(self) -> int:
        return len(self._conversions)
