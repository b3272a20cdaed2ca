"""Guards of the decision cache: check the values that a decision reads but that are not in its key.

A guard only rejects: when it is not certain, an Exchange decides.
"""

from __future__ import annotations

from typing import Any

from tiktok_middleware.core.consent.consent import SPOKEN_BY
from tiktok_middleware.core.consent.precedence import SAID_COOKIE
from tiktok_middleware.core.pixel.redirect_cookie import CARRY
from tiktok_middleware.core.response.decision_cache_key import ProtocolNames
from tiktok_middleware.core.tracking.request_tracker import RequestTracker
from tiktok_middleware.core.visitor.url_redaction import holds_identity

__all__ = ["MAX_COOKIE_CHARS", "READS_BEHIND_GUARDS", "is_usual_target", "speaks", "without_click"]

#: Values, as ``ReadLog`` names them, that a decision may read because a guard excludes all that would change it.
READS_BEHIND_GUARDS = frozenset({"path", "query", f"cookie text {CARRY}", f"cookie text {SAID_COOKIE}"})

#: A longer Cookie header may be truncated or hold several copies of one cookie: leave it to an Exchange.
MAX_COOKIE_CHARS = 4_096


def speaks(cookies: str) -> bool:
    """Return whether the Cookie header may hold consent, for a site without a consent platform's cookie."""
    for text in SPOKEN_BY:  # noqa: SIM110  # a generator takes three times as long
        if text in cookies:
            return True
    return False


def without_click(query: Any, protocol: ProtocolNames) -> tuple[Any, Any]:
    """Return a query without the click id that it names, and the click id.

    An id of another form stays in the query, and None is returned for it.
    """
    found = protocol.click.search(query, query.find(protocol.ttclid))  # nothing matches before
    return (query, None) if found is None else (query[: found.start()] + query[found.end() :], found[1])


def is_usual_target(tracker: RequestTracker, rest: Any, protocol: ProtocolNames) -> bool:
    """Return whether path and query hold no identity and are not excluded.

    Args:
        tracker: tracker of the request.
        rest: the query without its click id, which is not identity here.
        protocol: protocol of the adapter.
    """
    if rest and protocol.ttclid in rest:
        return False  # a second click id, or one of another form
    runtime, raw = tracker.runtime, tracker.raw
    target = raw.get(protocol.mount), raw.get(protocol.path), rest
    is_usual = runtime.targets.get(target)
    if is_usual is None:
        request = tracker.state.request
        text = rest.decode("latin-1") if isinstance(rest, bytes) else rest
        is_usual = not (
            holds_identity(f"{request.path}?{text}" if text else request.path) or runtime.is_excluded(request.path)
        )
        runtime.targets.keep(target, is_usual)
    return is_usual
