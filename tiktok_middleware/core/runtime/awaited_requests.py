"""Memory of events that wait for a browser's next request. It is bounded in number and time."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from tiktok_middleware.core.pixel.redirect_cookie import RedirectToken

__all__ = ["LIFE_S", "MOST", "AwaitedRequest", "AwaitedRequests", "Key"]

#: How long a next request is awaited, in seconds. A browser follows a redirect at once.
LIFE_S = 10.0
#: How many next requests are awaited at the same time; the oldest leave first.
MOST = 2000

#: A browser (a hash of its address and two headers), a host, and the path and query that it requests next. They are
#: empty where a response does not name them.
Key = tuple[int, str, str, str]


class AwaitedRequest(NamedTuple):
    """What waits for one request.

    Attributes:
        copies: number of events whose browser copies are in a cookie.
        sealed: sealed events in a cookie.
        due_s: when it is forgotten, Unix seconds.
    """

    copies: int
    sealed: RedirectToken
    due_s: float


class AwaitedRequests(OrderedDict[Key, AwaitedRequest]):
    """The requests that are awaited, oldest first."""

    def expect(self, key: Key, copies: int, sealed: RedirectToken, now_s: float) -> None:
        """Add what waits for a request."""
        self._forget(now_s)
        before = self.pop(key, None)
        if before is not None:
            copies += before.copies
            sealed = sealed.behind(before.sealed)
        self[key] = AwaitedRequest(copies, sealed, now_s + LIFE_S)
        if len(self) > MOST:
            self._drop_oldest()

    def taken(self, key: Key, now_s: float) -> AwaitedRequest | None:
        """Return what waits for a request, and forget it."""
        self._forget(now_s)
        return self.pop(key, None)

    def _forget(self, now_s: float) -> None:
        while self:
            try:
                if next(iter(self.values())).due_s > now_s:
                    return
            except (StopIteration, RuntimeError):  # another thread has changed it
                return
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        try:
            self.popitem(last=False)
        except KeyError:  # another thread was faster
            return
