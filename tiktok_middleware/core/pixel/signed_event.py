"""Events that a browser hands back to be confirmed: sealed here, opened here; it knows no request and no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tiktok_middleware.core.events.event import Event
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.visitor.user_data import Identity
from tiktok_middleware.errors import TokenError

__all__ = [
    "SEALED_LIFE_S",
    "TOKEN_LIMIT_CHARS",
    "SignedEvent",
    "open_signed_event",
    "pack",
    "seal",
    "template",
    "template_life_s",
    "unpack",
    "write_signed_event",
]

#: A token has to fit, with the page's address, into one body that the endpoint takes.
TOKEN_LIMIT_CHARS = 12_288

#: How long an envelope for one visitor can be confirmed: a tab left open overnight still may, a found page may not.
SEALED_LIFE_S = 86_400

_GRACE_S = 86_400
_MAX_CACHE_S = 31_536_000  # RFC 9111 knows no limit; nobody keeps a page for longer than this in earnest
_MAX_LIFE_S = _MAX_CACHE_S + _GRACE_S

_PURPOSE = "envelope"
_LIMITED, _ONCE = 1, 2


class SignedEvent(NamedTuple):
    """One event that waits for a browser's word.

    Attributes:
        event: TikTok's name of it.
        properties: cleaned, the same on both channels.
        path: of the page that it belongs to.
        expires: Unix second after which it is worthless.
        event_id: empty in a template, where each browser makes its own.
        event_time: Unix seconds; 0 in a template, whose events happen when they are confirmed.
        once: whether the id is counted once, whoever sends it.
        limited_data_use: TikTok's flag.
        identity: hashes of who the visitor said to be; nobody in a template.
    """

    event: str
    properties: Mapping[str, object]
    path: str
    expires: int
    event_id: str = ""
    event_time: int = 0
    once: bool = False
    limited_data_use: bool = False
    identity: Identity = Identity()

    @property
    def is_template(self) -> bool:
        """Whether everybody who gets the page may confirm it, each under an id of their own."""
        return not self.event_id


def template_life_s(cache_s: int) -> int:
    """How long a template is good for: as long as a cache keeps the page, and a day.

    Args:
        cache_s: the longest that any cache keeps it, in seconds.
    """
    return min(max(cache_s, 0), _MAX_CACHE_S) + _GRACE_S


def template(event: Event, *, path: str, expires: int, limited_data_use: bool) -> SignedEvent:
    """The envelope of an event on a page that many visitors get: no id, no time, nobody's identity."""
    limited = limited_data_use or event.limited_data_use
    return SignedEvent(event.event, event.properties, path, expires, limited_data_use=limited)


def seal(event: Event, *, path: str, expires: int, limited_data_use: bool, identity: Identity) -> SignedEvent:
    """The envelope of an event of one visitor."""
    return SignedEvent(
        event.event,
        event.properties,
        path,
        expires,
        event.event_id,
        event.event_time,
        event.once,
        limited_data_use or event.limited_data_use,
        identity,
    )


def write_signed_event(signed_event: SignedEvent, signer: Signer, pixels: Sequence[str]) -> str:
    """The token; longer than :data:`TOKEN_LIMIT_CHARS` where it cannot be handed back.

    Args:
        signed_event: what it holds.
        signer: signs it.
        pixels: the codes that the page loads.
    """
    return signer.dump(pack(signed_event, pixels), purpose=_PURPOSE)


def pack(signed_event: SignedEvent, pixels: Sequence[str]) -> list[object]:
    """The envelope as JSON values, as short as can be."""
    flags = signed_event.limited_data_use * _LIMITED + signed_event.once * _ONCE
    packed: list[object] = [
        signed_event.event,
        signed_event.properties,
        signed_event.path,
        signed_event.expires,
        _check(pixels),
        flags,
    ]
    if not signed_event.is_template:
        packed += [signed_event.event_id, signed_event.event_time]
        if signed_event.identity:
            packed.append(msgspec.to_builtins(signed_event.identity))
    return packed


def open_signed_event(token: str, signer: Signer, pixels: Sequence[str], now_s: float) -> SignedEvent:
    """What the token holds.

    Args:
        token: from a browser.
        signer: that of :func:`write_envelope`.
        pixels: the codes of the configuration as it is now.
        now_s: Unix seconds.

    Raises:
        TokenError: it is ``forged``, ``expired`` or ``malformed``, or made for other ``pixels``.
    """
    if len(token) > TOKEN_LIMIT_CHARS:
        raise TokenError("malformed")
    return unpack(signer.load(token, purpose=_PURPOSE, max_age_s=_MAX_LIFE_S), pixels, now_s)


def unpack(packed: Any, pixels: Sequence[str], now_s: float) -> SignedEvent:
    """The envelope that :func:`pack` was given; the rest as for :func:`open_envelope`."""
    try:
        event, properties, path, expires, check, flags, *rest = packed
        event_id, event_time, *someone = rest or ("", 0)
        identity = msgspec.convert(someone[0], Identity) if someone else Identity()
        signed_event = SignedEvent(
            event,
            properties,
            path,
            expires,
            event_id,
            event_time,
            bool(flags & _ONCE),
            bool(flags & _LIMITED),
            identity,
        )
        is_over = expires < now_s
    except (TypeError, ValueError):  # signed by us, but by another release
        raise TokenError("malformed") from None
    if is_over:
        raise TokenError("expired")
    if check != _check(pixels):
        raise TokenError("pixels")
    return signed_event


def _check(pixels: Sequence[str]) -> str:
    """Names a set of pixels: an event of a page that loaded others cannot be matched any more."""
    return hashlib.sha256(",".join(sorted(pixels)).encode("utf-8", "surrogatepass")).hexdigest()[:8]
