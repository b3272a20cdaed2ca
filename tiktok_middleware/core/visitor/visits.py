"""Read or create the visit id of a request: a random id in a cookie that expires 30 minutes after its last use."""

from __future__ import annotations

import re
from collections.abc import Callable

from tiktok_middleware.core.http.request import RequestView

__all__ = ["VISIT_COOKIE", "VISIT_MAX_AGE_S", "visit_of"]

#: Name of the cookie. It holds only the id, and is set when an event is counted once per visit.
VISIT_COOKIE = "_tt_visit"

#: Seconds without an event of the visit after which it ends, as in most web analytics.
VISIT_MAX_AGE_S = 1800

_RANDOM_BYTES = 12
_ID = re.compile(r"[0-9a-f]{24}")


def visit_of(request: RequestView, random_bytes: Callable[[int], bytes]) -> str:
    """Return the visit id of the request, or a new one if its cookie is missing or invalid."""
    known = request.kept.get(VISIT_COOKIE, "")
    return known if _ID.fullmatch(known) else random_bytes(_RANDOM_BYTES).hex()
