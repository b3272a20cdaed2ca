"""Count what TikTok would count: how many conversions each order makes, by all copies that were received."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.delivery.delivery_world import Request

_WINDOW_S = 48 * 3600  # TikTok counts copies with one id once within this time
_IN_PAGE = re.compile(r'\["Purchase",(\{[^{}]*\}),"([^"]+)"\]')


class Copy(NamedTuple):
    """A copy of a purchase as TikTok receives it, from a server or a browser.

    Attributes:
        order: the order's number.
        event_id: id of the event.
        at: when it was received, in seconds.
    """

    order: str
    event_id: str
    at: float


def server_copies(requests: Sequence[Request], at: float) -> list[Copy]:
    """Return the copies in requests to the Events API."""
    items = [item for request in requests for item in json.loads(request.body)["data"]]
    return [Copy(item["properties"]["order_id"], item["event_id"], at) for item in items]


def browser_copies(page: str, at: float) -> list[Copy]:
    """Return the copies that a page's script sends."""
    return [Copy(json.loads(shown)["order_id"], event_id, at) for shown, event_id in _IN_PAGE.findall(page)]


def conversions(copies: Iterable[Copy]) -> dict[str, int]:
    """Return how many conversions TikTok counts for each order.

    Copies with one id are one conversion while they are received within the window. An order that is sent under two
    ids is two conversions.
    """
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for copy in copies:
        times[copy.order, copy.event_id].append(copy.at)
    counted: Counter[str] = Counter()
    for (order, _), all_at in times.items():
        first = float("-inf")
        for at in sorted(all_at):
            if at - first > _WINDOW_S:
                first = at
                counted[order] += 1
    return dict(counted)
