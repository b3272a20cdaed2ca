"""Write and read redirect cookies: signed cookies that carry events over a redirect to the next page.

There are two kinds. The first holds browser copies whose server copies are stored. Each response has its own cookie of
this kind, so that responses that a browser fetches in parallel do not overwrite each other's events. The second holds
signed events. It is for a POST from another site, which arrives without the visitor's cookies: the identity and the
consent of the visitor are known only on the page that follows.
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
    "kept_name",
    "read_carry",
    "read_sealed",
    "write_carry",
    "write_sealed",
]

#: Prefix of the names of cookies with browser copies. Scripts can read them, and the page clears them after the events
#: have fired.
CARRY = "_tt_carry"
#: Name of the cookie with signed events. The response that opens it deletes it.
SEALED = "_tt_carry_sealed"
#: Limit for all these cookies together, because every later request repeats them. What does not fit is stored, and the
#: cookie holds a reference to it.
COOKIE_LIMIT_CHARS = 1024
#: Long enough for a slow payment page, and short enough that a forgotten cookie sends no old events.
COOKIE_MAX_AGE_S = 3600


class RedirectEvents(NamedTuple):
    """The contents of the cookies with browser copies.

    Attributes:
        copies: the copies to fire, in the browser's order of their cookies: oldest first.
        references: references to copies that are stored.
        names: names of the cookies that held them.
        faults: why other cookies were rejected, one word each: forged, expired or malformed.
    """

    copies: Sequence[BrowserCopy] = ()
    references: Sequence[str] = ()
    names: Sequence[str] = ()
    faults: Sequence[str] = ()


class RedirectToken(NamedTuple):
    """The contents of the cookie with signed events.

    Attributes:
        signed_events: the events.
        references: references to signed events that are stored.
    """

    signed_events: Sequence[SignedEvent] = ()
    references: Sequence[str] = ()

    def behind(self, earlier: RedirectToken) -> RedirectToken:
        """Return the contents of both, the earlier ones first."""
        signed_events = [*earlier.signed_events, *self.signed_events]
        return RedirectToken(signed_events, [*earlier.references, *self.references])


def carry_names(request: RequestView) -> list[str]:
    """Return the names of the request's cookies with browser copies; only names that the middleware could have set."""
    names = (name for name in request.kept if name.startswith(CARRY) and name != SEALED)
    return [name for name in names if is_cookie_name(name)][:_MOST]


def carry_name(copies: Sequence[BrowserCopy], references: Sequence[str]) -> str:
    """Return the name of the cookie for these events. It differs for each response, even for parallel ones."""
    held = [*(f"{name} {event_id}" for name, _, event_id in copies), *references]
    return f"{CARRY}.{hashlib.sha256(chr(0).join(held).encode()).hexdigest()[:_MARK_CHARS]}"


def kept_name(copies: Sequence[BrowserCopy]) -> str:
    """Return the name of the cookie for events that a page is about to fire; a page that begins may ask for them."""
    return carry_name(copies, ()).replace(".", ".k")


def read_carry(request: RequestView, signer: Signer) -> RedirectEvents:
    """Return the events in the request's cookies. Invalid cookies never raise; they are listed in ``faults``."""
    copies: list[BrowserCopy] = []
    references: list[str] = []
    names: list[str] = []
    faults: list[str] = []
    for name in carry_names(request):
        try:
            items = _items(request.kept[name], signer, CARRY)
            if not all(isinstance(item, str) or _is_copy(item) for item in items):
                raise TokenError("malformed")  # noqa: TRY301  # handled like the signer's errors
        except TokenError as error:
            faults.append(error.reason)
            continue
        names += [name] if items else []
        references += [item for item in items if isinstance(item, str)]
        copies += [(item[0], item[1], item[2]) for item in items if not isinstance(item, str)]
    return RedirectEvents(copies, references, names, faults)


def write_carry(copies: Sequence[BrowserCopy], signer: Signer, references: Sequence[str] = ()) -> str:
    """Return a cookie's value. With too many copies it is longer than :data:`COOKIE_LIMIT_CHARS`."""
    return signer.dump([*copies, *references], purpose=_PURPOSES[CARRY])


def read_sealed(request: RequestView, signer: Signer, pixels: Sequence[str], now_s: float) -> RedirectToken:
    """Return the signed events in the request's cookie; empty without that cookie.

    Args:
        request: the request.
        signer: the one that was used in :func:`write_sealed`.
        pixels: as for ``open_signed_event``.
        now_s: current time, Unix seconds.

    Raises:
        TokenError: the cookie, or an event in it, is forged, expired, malformed, or made for other ``pixels``.
    """
    items = _items(request.kept.get(SEALED, ""), signer, SEALED)
    signed_events = [unpack(item, pixels, now_s) for item in items if not isinstance(item, str)]
    return RedirectToken(signed_events, [item for item in items if isinstance(item, str)])


def write_sealed(sealed: RedirectToken, signer: Signer, pixels: Sequence[str]) -> str:
    """Return the value of the cookie with signed events; it may be longer than :data:`COOKIE_LIMIT_CHARS` too."""
    packed: list[object] = [pack(signed_event, pixels) for signed_event in sealed.signed_events]
    return signer.dump([*packed, *sealed.references], purpose=_PURPOSES[SEALED])


_MARK_CHARS = 8
# More cookies than fit into the limit. The number is bounded because each costs a check of its signature.
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
