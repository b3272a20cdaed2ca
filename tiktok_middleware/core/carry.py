"""Browser copies on their way over a redirect: a signed cookie, read on the next page; it sets nothing itself."""

from __future__ import annotations

from collections.abc import Sequence

from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.snippet import Copy
from tiktok_middleware.errors import TokenError

__all__ = ["CARRY", "LIMIT_CHARS", "MAX_AGE_S", "read_carry", "write_carry"]

#: Name of the cookie. Scripts may read it, since the page clears it once its events have fired.
CARRY = "_tt_carry"
#: A cookie that every later request repeats must stay small; what does not fit goes by the server channel only.
LIMIT_CHARS = 1024
#: Long enough for a slow payment page, short enough that a forgotten cookie says nothing.
MAX_AGE_S = 3600


def read_carry(facts: RequestFacts, signer: Signer) -> list[Copy]:
    """The copies that the request's cookie carries; none where it carries no cookie.

    Raises:
        TokenError: the cookie is forged, expired or not ours.
    """
    token = facts.kept.get(CARRY)
    if not token:
        return []
    copies = signer.load(token, purpose="carry", max_age_s=MAX_AGE_S)
    if not isinstance(copies, list) or not all(_is_copy(copy) for copy in copies):
        raise TokenError("malformed")
    return [(name, properties, event_id) for name, properties, event_id in copies]


def write_carry(copies: Sequence[Copy], signer: Signer) -> str:
    """The cookie's value; longer than :data:`LIMIT_CHARS` where the copies are too many."""
    return signer.dump(copies, purpose="carry")


def _is_copy(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
        and isinstance(value[2], str)
    )
