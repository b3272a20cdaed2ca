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

__all__ = ["PER_ADDRESS", "PER_VISITOR", "Buckets", "Rate", "RateLimit"]


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

    def wait_s(self, caller: str, now_s: float) -> float:
        """0 where the call may be made, and is counted; otherwise the seconds until one may.

        Args:
            caller: any text that names it.
            now_s: seconds of any clock; a clock that is set back only fills no bucket.
        """
        burst, per_s = self._rate
        with self._lock:
            left, at_s = self._left.pop(caller, (float(burst), now_s))
            left = min(burst, left + max(now_s - at_s, 0.0) * per_s)
            wait_s = 0.0 if left >= 1 else (1 - left) / per_s
            self._left[caller] = (left if wait_s else left - 1, now_s)
            if len(self._left) > self._limit:
                self._left.popitem(last=False)
        return wait_s

    def __len__(self) -> int:
        return len(self._left)


#: A page says one hello and confirms its events in a few reports; a busy single-page shop some more.
PER_VISITOR = Rate(burst=60, per_s=1.0)
#: Whole offices and mobile networks share an address.
PER_ADDRESS = Rate(burst=1200, per_s=40.0)


class RateLimit:
    """The rates of one process."""

    def __init__(self) -> None:
        self._visitors = Buckets(PER_VISITOR)
        self._addresses = Buckets(PER_ADDRESS)

    def wait_s(self, request: RequestView, now_s: float) -> int:
        """0 where the report may be read, and is counted; otherwise the whole seconds until one may."""
        address, ttp = _network(request), request.cookies.get(TTP)
        forwarded = request.header("x-forwarded-for") or request.header("forwarded")
        is_public = _is_public(address)
        # A visitor may throw cookies away, or make them up: then the address counts. A private one is probably that of
        # a proxy nobody told us of, and so everybody's: what the proxy says, true or not, tells its visitors apart.
        caller = ttp or f"{address} {forwarded[:100]} {request.header('user-agent')}"
        is_one = bool(ttp or forwarded) or is_public
        wait_s = (self._visitors if is_one else self._addresses).wait_s(caller[:400], now_s)
        if not wait_s and address and (is_public or not forwarded):
            wait_s = self._addresses.wait_s(address, now_s)
        return math.ceil(wait_s)


def _network(request: RequestView) -> str:
    """The visitor's address; of IPv6 the /64 that one customer gets."""
    address = request.client.partition("%")[0]
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def _is_public(address: str) -> bool:
    """Whether it is somebody's on the internet."""
    return bool(address) and ipaddress.ip_network(address, strict=False).is_global
