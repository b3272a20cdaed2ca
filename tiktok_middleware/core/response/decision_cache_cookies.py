"""Make the cookies of a visitor's ids for a replayed decision: for each request, never recorded."""

from __future__ import annotations

from typing import Any, Union

from tiktok_middleware.core.response.browser_output import visitor_headers
from tiktok_middleware.core.response.decision_cache_key import ProtocolNames
from tiktok_middleware.core.tracking.request_tracker import RequestTracker
from tiktok_middleware.core.visitor.click_ids import TTCLID, cookies_may_be_due, is_ttclid

__all__ = ["Due", "due_cookies", "is_due"]

#: Whether the cookies of the visitor's ids may be due; the click id if it is the only id of the request.
Due = Union[bool, bytes, str]  # noqa: UP007  # a run-time alias on Python 3.10


def is_due(tracker: RequestTracker, click: Any, cookies: str | None, protocol: ProtocolNames) -> Due:
    """Return whether the visitor's cookies may be due. True is always safe: :func:`due_cookies` checks again.

    Args:
        tracker: tracker of the request.
        click: the click id in the query; None without one.
        cookies: the ``Cookie`` header.
        protocol: protocol of the adapter.
    """
    referrer: Any = tracker.headers.get(protocol.referrer)
    if referrer and protocol.ttclid in referrer:
        return True
    text = cookies or ""
    has_ids = _PREFIX in text or TTCLID in text
    if click is None:
        return has_ids and cookies_may_be_due(text)
    if has_ids or tracker.runtime.proxies.are_any:
        return True
    # An id with a dot, like those of TikTok, is not a placeholder.
    is_valid = protocol.dot in click or is_ttclid(click if isinstance(click, str) else click.decode("ascii"))
    found: bytes | str = click
    return found if is_valid else True


# Prefix of our other cookie names: those that hold ids, and the one that states that they are fresh.
_PREFIX = "_tt"


def due_cookies(tracker: RequestTracker, due: Due, protocol: ProtocolNames) -> list[Any]:
    """Return the cookies of the visitor's ids, in the types of the protocol."""
    runtime, host = tracker.runtime, tracker.headers.get(protocol.host)
    place = protocol.scheme, tracker.raw.get(protocol.scheme), host
    known = runtime.click_cookies.get(place) if due is not True else None
    if known is not None:
        name, before, after, fresh = known
        return [(name, before + due + after), fresh]
    made: list[Any] = protocol.pairs(visitor_headers(tracker.state))
    if due is not True and len(made) == 2 and made[0][1].count(due) == 1 and _is_host(tracker, host):
        # Keep the cookies of this host without the click id: all else is the same for each visitor.
        before, after = made[0][1].split(due)
        runtime.click_cookies.keep(place, (made[0][0], before, after, made[1]))
    return made


def _is_host(tracker: RequestTracker, host: Any) -> bool:
    """Return whether the ``Host`` header equals the host that the request view reports."""
    text = host.decode("latin-1") if isinstance(host, bytes) else host
    return isinstance(text, str) and tracker.state.request.host == text.lower()
