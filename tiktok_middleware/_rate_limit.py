"""Rate limit of the endpoint: token buckets by visitor, by IP address and for the site."""

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
    """Rate of one bucket.

    Attributes:
        burst: calls at once.
        per_s: calls per second in the long run.
    """

    burst: int
    per_s: float


class Buckets:
    """One bucket for each caller. Above the limit, the caller whose last call is oldest is dropped.

    Args:
        rate: rate of each caller.
        limit: maximum number of callers.
    """

    def __init__(self, rate: Rate, limit: int = 10_000) -> None:
        self._rate = rate
        self._limit = limit
        self._lock = threading.Lock()
        # Tokens left, and the time of that count. A dropped caller starts again with a full bucket.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, now_s: float, cost: int = 1) -> float:
        """Return 0 if the call is allowed, and count it; otherwise the seconds until it is.

        Args:
            caller: any text that identifies the caller.
            now_s: seconds of any clock; if the clock is set back, no bucket fills meanwhile.
            cost: tokens of the call; limited to a full bucket.
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


#: Reports: a page sends one first report and a few that confirm events; a busy single-page shop sends more.
PER_VISITOR = Rate(burst=60, per_s=1.0)
#: Whole offices and mobile networks share an IP address.
PER_ADDRESS = Rate(burst=1200, per_s=40.0)
#: Events in reports.
EVENTS_PER_VISITOR = Rate(burst=240, per_s=2.0)
EVENTS_PER_ADDRESS = Rate(burst=1200, per_s=40.0)
#: Reports, and events in them, of all visitors in one process. This also bounds callers with forged identities.
PER_SITE = Rate(burst=3000, per_s=200.0)

_EVERYBODY = "site"


class RateLimit:
    """The rates of one process."""

    def __init__(self) -> None:
        self._reports = _Limits(PER_VISITOR, PER_ADDRESS)
        self._events = _Limits(EVENTS_PER_VISITOR, EVENTS_PER_ADDRESS)

    def wait_s(self, request: RequestView, now_s: float) -> int:
        """Return 0 if the report is allowed, and count it; otherwise the whole seconds until one is."""
        return self._reports.wait_s(request, now_s, 1)

    def events_wait_s(self, request: RequestView, now_s: float, count: int) -> int:
        """Return the same for the events of a report that has been read.

        Args:
            request: request of the report.
            now_s: as for :meth:`Buckets.wait_s`.
            count: number of events.
        """
        return self._events.wait_s(request, now_s, count) if count else 0


class _Limits:
    """Limits of one kind of call: by visitor, by IP address and for the site."""

    def __init__(self, per_visitor: Rate, per_address: Rate) -> None:
        self._visitors = Buckets(per_visitor)
        self._addresses = Buckets(per_address)
        self._site = Buckets(PER_SITE)

    def wait_s(self, request: RequestView, now_s: float, cost: int) -> int:
        """Return the whole seconds until the call is allowed; 0 if it is, and count it."""
        address, ttp = _network(request), request.cookies.get(TTP)
        forwarded = request.header("x-forwarded-for") or request.header("forwarded")
        is_public = _is_public(address)
        # A visitor may delete or forge cookies: then the limit of the IP address applies. A private address is probably
        # an undeclared proxy, shared by all visitors. Its forwarding header may be forged, so it only separates
        # visitors, and the site's bucket bounds them together.
        caller = ttp or f"{address} {forwarded[:100]} {request.header('user-agent')}"
        is_one = bool(ttp or forwarded) or is_public
        wait_s = (self._visitors if is_one else self._addresses).wait_s(caller[:400], now_s, cost)
        if not wait_s and address and (is_public or not forwarded):
            wait_s = self._addresses.wait_s(address, now_s, cost)
        return math.ceil(wait_s or self._site.wait_s(_EVERYBODY, now_s, cost))


def _network(request: RequestView) -> str:
    """Return the visitor's IPv4 address, or the /64 of the IPv6 address, which one customer has."""
    address = request.client.partition("%")[0]
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def _is_public(address: str) -> bool:
    """Return whether the address is public."""
    return bool(address) and ipaddress.ip_network(address, strict=False).is_global
