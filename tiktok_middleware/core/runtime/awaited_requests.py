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
        sealed: sealed events in a cookie, which a request without cookies may take.
        lost: number of sealed events in cookies that no request may take: they may be another visitor's.
        due_s: when it is forgotten, Unix seconds.
    """

    copies: int
    sealed: RedirectToken
    lost: int
    due_s: float


_NOTHING = RedirectToken()


def _number(sealed: RedirectToken) -> int:
    return len(sealed.signed_events) + len(sealed.references)


class AwaitedRequests(OrderedDict[Key, AwaitedRequest]):
    """The requests that are awaited, oldest first."""

    def expect(self, key: Key, copies: int, sealed: RedirectToken, now_s: float, *, is_exact: bool) -> None:
        """Add what waits for a request.

        Sealed events hold hashes of one visitor. Where two responses wait for requests that look alike, nobody knows
        which visitor sends which. Then neither request gets any.

        Args:
            key: the request.
            copies: number of events whose browser copies are in a cookie.
            sealed: sealed events in a cookie.
            now_s: Unix seconds.
            is_exact: whether the key names the request's address. Sealed events wait for an exact address only.
        """
        self._forget(now_s)
        before, lost = self.pop(key, None), 0
        if before is not None:
            copies, lost = copies + before.copies, before.lost
            if any(sealed) and (any(before.sealed) or lost):
                sealed, lost = _NOTHING, lost + _number(sealed) + _number(before.sealed)
            elif not any(sealed):
                sealed = before.sealed
        if not is_exact:
            sealed, lost = _NOTHING, lost + _number(sealed)
        self[key] = AwaitedRequest(copies, sealed, lost, now_s + LIFE_S)
        if len(self) > MOST:
            self._drop_oldest()

    def taken(self, key: Key, now_s: float, *, may_be_return: bool) -> AwaitedRequest | None:
        """Return what waits for a request, and forget it.

        Of sealed events that no request may take, each call returns one: several visitors' responses wait there.

        Args:
            key: the request.
            now_s: Unix seconds.
            may_be_return: whether another site may have sent the browser here; if not, sealed events stay.
        """
        self._forget(now_s)
        found = self.get(key)
        if found is None or (any(found.sealed) and not may_be_return):
            return None
        self.pop(key, None)
        if found.lost > 1:
            self[key] = found._replace(copies=0, lost=found.lost - 1)
            return found._replace(lost=1)
        return found

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
