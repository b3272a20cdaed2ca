"""Keeps what arrived, deduplicated as TikTok does; it knows nothing of HTTP, and no clock but the copies' own.

Source: TikTok help page "Event deduplication": the key is pixel, event and ``event_id``; the first copy wins for 48 h;
a copy within five minutes of it is merged, fields that the first lacked are added.
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
BYTES_LIMIT = 64 * 1024 * 1024


class Arrival(msgspec.Struct, frozen=True):
    """One line of a conversion's history; its fate is ``first``, ``merged``, ``discarded`` or ``counted``."""

    channel: str
    at: float
    fate: str


class Conversion(msgspec.Struct):
    """What TikTok would show as one event.

    Attributes:
        key: identifies it in the inspector, as long as it is kept.
        state: ``matched``, ``different``, ``browser_only`` or ``server_only``.
        matched: True when both copies arrived and agree.
        counted: how often TikTok counts it; more than once when a copy came after 48 h.
        browser: the first browser copy.
        server: the first server copy.
        differences: where the two disagree.
        properties: what TikTok keeps: the first copy's, with what a merged one added.
        user: the same for the match keys.
        browser_copies: how many copies came from browsers.
        server_copies: how many came over the Events API.
        copies: the first fifty arrivals.
        notes: lint remarks on either copy, and on both.
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
        """One more copy of this event."""
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
    """The conversions of this run, oldest first, within bounds of number and memory.

    Args:
        limit: how many conversions are kept; the oldest goes first, and is forgotten for deduplication too.
        on_state: called with a conversion whose state has changed.
        limit_bytes: how many bytes of conversions are kept; the oldest goes first.
    """

    def __init__(
        self,
        limit: int = 10_000,
        on_state: Callable[[Conversion], None] | None = None,
        limit_bytes: int = BYTES_LIMIT,
    ) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._on_state = on_state
        self._serial = 0
        self._bytes = 0
        self._conversions: OrderedDict[tuple[str, str, str], Conversion] = OrderedDict()
        self.revision: int = 0

    def take(self, copy: Copy) -> Conversion:
        """The conversion that a copy belongs to, after it was added."""
        self._serial += 1
        self.revision += 1
        # Without an id nothing can be deduplicated: each copy stands alone.
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
        """Forgets everything."""
        self._conversions.clear()
        self._bytes = 0
        self.revision += 1

    def __iter__(self) -> Iterator[Conversion]:
        return iter(self._conversions.values())

    def __len__(self) -> int:
        return len(self._conversions)
