"""Who may report to our endpoint how often: token buckets by visitor and by address; it reads no body."""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from tiktok_middleware.core.visitor.click_ids import TTP

if TYPE_CHECKING:
    from tiktok_middleware.core.http.request import RequestView

__all__ = [
    "EVENTS_PER_ADDRESS",
    "EVENTS_PER_VISITOR",
    "PER_ADDRESS",
    "PER_SITE",
    "PER_VISITOR",
    "Buckets",
    "Rate",
    "RateLimit",
]


class Rate(NamedTuple):
    """How much a caller may do.

    Attributes:
        burst: calls at once.
        per_s: calls a second in the long run.
    """

    burst: int
    per_s: float


class Buckets:
    """One bucket for each caller; of too many callers the one that was quiet for longest is forgotten.

    Args:
        rate: of each caller.
        limit: callers that are remembered.
    """

    def __init__(self, rate: Rate, limit: int = 10_000) -> None:
        self._rate = rate
        self._limit = limit
        self._lock = threading.Lock()
        # What is left, and when that was so. A caller that is forgotten begins anew with a full bucket.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, now_s: float, cost: int = 1) -> float:
        """Return 0 where the call may be made, and count it; otherwise the seconds until it may.

        Args:
            caller: any text that names it.
            now_s: seconds of any clock; a clock that is set back only fills no bucket.
            cost: what the call takes out of the bucket; never more than a full one holds.
        """
        burst, per_s = self._rate
        with self._lock:
            left, at_s = self._left.pop(caller, (float(burst), now_s))
            left = min(burst, left + max(now_s - at_s, 0.0) * per_s)
            cost = min(cost, burst)
            wait_s = 0.0 if left >= cost else (cost - left) / per_s
            self._left[caller] = (left if wait_s else left - cost, now_s)
            if len(self._left) > self._limit:
                self._left.popitem(last=False)
        return wait_s

    def __len__(self) -> int:
        return len(self._left)


#: Reports: a page says one hello and confirms its events in a few; a busy single-page shop some more.
PER_VISITOR = Rate(burst=60, per_s=1.0)
#: Whole offices and mobile networks share an address.
PER_ADDRESS = Rate(burst=1200, per_s=40.0)
#: Events in reports.
EVENTS_PER_VISITOR = Rate(burst=240, per_s=2.0)
EVENTS_PER_ADDRESS = Rate(burst=1200, per_s=40.0)
#: Reports, and events in them, of everybody together, in one process: whoever strangers claim to be, this bounds them.
PER_SITE = Rate(burst=3000, per_s=200.0)

_EVERYBODY = "site"


class RateLimit:
    """The rates of one process."""

    def __init__(self) -> None:
        self._reports = _Limits(PER_VISITOR, PER_ADDRESS)
        self._events = _Limits(EVENTS_PER_VISITOR, EVENTS_PER_ADDRESS)

    def wait_s(self, request: RequestView, now_s: float) -> int:
        """Return 0 where the report may be read, and count it; otherwise the whole seconds until one may."""
        return self._reports.wait_s(request, now_s, 1)

    def events_wait_s(self, request: RequestView, now_s: float, count: int) -> int:
        """Return the same for the events of a report that has been read.

        Args:
            request: that brought it.
            now_s: as for :meth:`Buckets.wait_s`.
            count: how many there are.
        """
        return self._events.wait_s(request, now_s, count) if count else 0


class _Limits:
    """One kind of call, counted by visitor, by address and for the site."""

    def __init__(self, per_visitor: Rate, per_address: Rate) -> None:
        self._visitors = Buckets(per_visitor)
        self._addresses = Buckets(per_address)
        self._site = Buckets(PER_SITE)

    def wait_s(self, request: RequestView, now_s: float, cost: int) -> int:
        """Return the whole seconds until the call may be made; 0 where it may, and is counted."""
        address, ttp = _network(request), request.cookies.get(TTP)
        forwarded = request.header("x-forwarded-for") or request.header("forwarded")
        is_public = _is_public(address)
        # A visitor may throw cookies away, or make them up: then the address counts. A private one is probably that of
        # an undeclared proxy, and so everybody's: what the proxy says, true or not, only tells its visitors apart, and
        # the site's bucket bounds them together.
        caller = ttp or f"{address} {forwarded[:100]} {request.header('user-agent')}"
        is_one = bool(ttp or forwarded) or is_public
        wait_s = (self._visitors if is_one else self._addresses).wait_s(caller[:400], now_s, cost)
        if not wait_s and address and (is_public or not forwarded):
            wait_s = self._addresses.wait_s(address, now_s, cost)
        return math.ceil(wait_s or self._site.wait_s(_EVERYBODY, now_s, cost))


def _network(request: RequestView) -> str:
    """The visitor's address; of IPv6 the /64 that one customer gets."""
    address = request.client.partition("%")[0]
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def _is_public(address: str) -> bool:
    """Whether it is somebody's on the internet."""
    return bool(address) and ipaddress.ip_network(address, strict=False).is_global
