"""The visit that a request belongs to: a random id in a cookie that ends half an hour after its last use."""

from __future__ import annotations

import re
from collections.abc import Callable

from tiktok_middleware.core.http.request import RequestView

__all__ = ["VISIT_COOKIE", "VISIT_MAX_AGE_S", "visit_of"]

#: Name of the cookie; it holds nothing but the id, and is set where an event is counted once per visit.
VISIT_COOKIE = "_tt_visit"

#: A visit ends after this time without an event of it, as in most web analytics.
VISIT_MAX_AGE_S = 1800

_RANDOM_BYTES = 12
_ID = re.compile(r"[0-9a-f]{24}")


def visit_of(request: RequestView, random_bytes: Callable[[int], bytes]) -> str:
    """Return the id of the request's visit, a new one where the visitor brings none."""
    known = request.kept.get(VISIT_COOKIE, "")
    return known if _ID.fullmatch(known) else random_bytes(_RANDOM_BYTES).hex()
