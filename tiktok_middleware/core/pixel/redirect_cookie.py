"""Events on their way over a redirect: signed cookies, read on the next page; it sets nothing itself.

One kind holds browser copies whose server copies are stored; each response has one of its own, since two that a browser
fetches side by side know nothing of each other. The other holds envelopes: a POST that another site has sent
came without the visitor's cookies, so that only the page that follows knows who they are and what they allow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from tiktok_middleware.core.http.cookies import is_cookie_name
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.signed_event import SignedEvent, pack, unpack
from tiktok_middleware.core.pixel.snippet import BrowserCopy
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.errors import TokenError

__all__ = [
    "CARRY",
    "COOKIE_LIMIT_CHARS",
    "COOKIE_MAX_AGE_S",
    "SEALED",
    "RedirectEvents",
    "RedirectToken",
    "carry_name",
    "carry_names",
    "read_carry",
    "read_sealed",
    "write_carry",
    "write_sealed",
]

#: How the names of the copies' cookies begin. Scripts may read them: the page clears them once their events have fired.
CARRY = "_tt_carry"
#: Name of the envelopes' cookie, which the response that opens it deletes.
SEALED = "_tt_carry_sealed"
#: Cookies that every later request repeats must stay small, all of them together; what does not fit waits with us.
COOKIE_LIMIT_CHARS = 1024
#: Long enough for a slow payment page, short enough that a forgotten cookie says nothing.
COOKIE_MAX_AGE_S = 3600


class RedirectEvents(NamedTuple):
    """What the copies' cookies hold.

    Attributes:
        copies: to be fired, in the browser's order of their cookies: oldest first.
        references: of copies that wait with us.
        names: of the cookies that hold them.
        faults: why other cookies hold nothing, a word each: forged, expired or malformed.
    """

    copies: Sequence[BrowserCopy] = ()
    references: Sequence[str] = ()
    names: Sequence[str] = ()
    faults: Sequence[str] = ()


class RedirectToken(NamedTuple):
    """What the envelopes' cookie holds.

    Attributes:
        signed_events: to be opened.
        references: of envelopes that wait with us.
    """

    signed_events: Sequence[SignedEvent] = ()
    references: Sequence[str] = ()


def carry_names(request: RequestView) -> list[str]:
    """Return the names of the copies' cookies that the request brings and that we could have written."""
    names = (name for name in request.kept if name.startswith(CARRY) and name != SEALED)
    return [name for name in names if is_cookie_name(name)][:_MOST]


def carry_name(copies: Sequence[BrowserCopy], references: Sequence[str]) -> str:
    """The name of the cookie for these: no other response's, whoever made it at the same time."""
    held = [*(f"{name} {event_id}" for name, _, event_id in copies), *references]
    return f"{CARRY}.{hashlib.sha256(chr(0).join(held).encode()).hexdigest()[:_MARK_CHARS]}"


def read_carry(request: RequestView, signer: Signer) -> RedirectEvents:
    """What the request's cookies carry; never raises for what a browser sends."""
    copies: list[BrowserCopy] = []
    references: list[str] = []
    names: list[str] = []
    faults: list[str] = []
    for name in carry_names(request):
        try:
            items = _items(request.kept[name], signer, CARRY)
            if not all(isinstance(item, str) or _is_copy(item) for item in items):
                raise TokenError("malformed")  # noqa: TRY301  # as what the signer finds
        except TokenError as error:
            faults.append(error.reason)
            continue
        names += [name] if items else []
        references += [item for item in items if isinstance(item, str)]
        copies += [(item[0], item[1], item[2]) for item in items if not isinstance(item, str)]
    return RedirectEvents(copies, references, names, faults)


def write_carry(copies: Sequence[BrowserCopy], signer: Signer, references: Sequence[str] = ()) -> str:
    """A cookie's value; longer than :data:`COOKIE_LIMIT_CHARS` where the copies are too many."""
    return signer.dump([*copies, *references], purpose=_PURPOSES[CARRY])


def read_sealed(request: RequestView, signer: Signer, pixels: Sequence[str], now_s: float) -> RedirectToken:
    """What the request's other cookie carries; nothing where it carries no cookie.

    Args:
        request: the request.
        signer: that of :func:`write_sealed`.
        pixels: as for ``open_envelope``.
        now_s: Unix seconds.

    Raises:
        TokenError: the cookie, or an envelope in it, is forged, expired or not ours.
    """
    items = _items(request.kept.get(SEALED, ""), signer, SEALED)
    signed_events = [unpack(item, pixels, now_s) for item in items if not isinstance(item, str)]
    return RedirectToken(signed_events, [item for item in items if isinstance(item, str)])


def write_sealed(sealed: RedirectToken, signer: Signer, pixels: Sequence[str]) -> str:
    """The other cookie's value; as above."""
    packed: list[object] = [pack(signed_event, pixels) for signed_event in sealed.signed_events]
    return signer.dump([*packed, *sealed.references], purpose=_PURPOSES[SEALED])


_MARK_CHARS = 8
# What fits beside each other into the limit, and some more; each costs a check of its signature.
_MOST = 16

_PURPOSES = {CARRY: "carry", SEALED: "carried envelopes"}


def _items(token: str, signer: Signer, name: str) -> list[Any]:
    if not token:
        return []
    items = signer.load(token, purpose=_PURPOSES[name], max_age_s=COOKIE_MAX_AGE_S)
    if not isinstance(items, list):
        raise TokenError("malformed")
    return items


def _is_copy(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
        and isinstance(value[2], str)
    )
