"""Write and open signed events: tokens that a browser hands back to the endpoint to confirm an event."""

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

#: A token and the page's address must fit together into one request body of the endpoint.
TOKEN_LIMIT_CHARS = 12_288

#: How long a signed event of one visitor can be confirmed: long enough for a tab that stays open overnight, too short
#: for an old saved page.
SEALED_LIFE_S = 86_400

_GRACE_S = 86_400
_MAX_CACHE_S = 31_536_000  # RFC 9111 sets no limit, but no real cache keeps a page for longer
_MAX_LIFE_S = _MAX_CACHE_S + _GRACE_S

_PURPOSE = "envelope"
_LIMITED, _ONCE = 1, 2


class SignedEvent(NamedTuple):
    """One event that a browser has yet to confirm.

    Attributes:
        event: TikTok's name of the event.
        properties: validated properties, the same on both channels.
        path: path of the event's page.
        expires: Unix second after which the event can no longer be confirmed.
        event_id: empty in a template, because each browser makes its own.
        event_time: Unix seconds; 0 in a template, whose events happen when they are confirmed.
        once: whether the id is counted once, whichever browser or visitor sends it.
        limited_data_use: TikTok's flag.
        identity: hashes of the visitor's user data; empty in a template.
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
        """Whether every visitor of the page may confirm the event, each with an id of its own."""
        return not self.event_id


def template_life_s(cache_s: int) -> int:
    """Return how long a template is valid, in seconds: as long as a cache keeps the page, and one day more.

    Args:
        cache_s: the longest time that any cache keeps the page, in seconds.
    """
    return min(max(cache_s, 0), _MAX_CACHE_S) + _GRACE_S


def template(event: Event, *, path: str, expires: int, limited_data_use: bool) -> SignedEvent:
    """Return the signed event for a page that many visitors get: without id, time and identity."""
    limited = limited_data_use or event.limited_data_use
    return SignedEvent(event.event, event.properties, path, expires, limited_data_use=limited)


def seal(event: Event, *, path: str, expires: int, limited_data_use: bool, identity: Identity) -> SignedEvent:
    """Return the signed event of one visitor."""
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
    """Return the token. If it is longer than :data:`TOKEN_LIMIT_CHARS`, the endpoint cannot accept it.

    Args:
        signed_event: the event.
        signer: signs the token.
        pixels: the pixel codes that the page loads.
    """
    return signer.dump(pack(signed_event, pixels), purpose=_PURPOSE)


def pack(signed_event: SignedEvent, pixels: Sequence[str]) -> list[object]:
    """Return the signed event as a short list of JSON values."""
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
    """Return the event in a token.

    Args:
        token: from a browser.
        signer: the one that was used in :func:`write_signed_event`.
        pixels: the pixel codes of the current configuration.
        now_s: current time, Unix seconds.

    Raises:
        TokenError: the token is ``forged``, ``expired`` or ``malformed``, or made for other ``pixels``.
    """
    if len(token) > TOKEN_LIMIT_CHARS:
        raise TokenError("malformed")
    return unpack(signer.load(token, purpose=_PURPOSE, max_age_s=_MAX_LIFE_S), pixels, now_s)


def unpack(packed: Any, pixels: Sequence[str], now_s: float) -> SignedEvent:
    """Return the signed event that was passed to :func:`pack`; for the rest see :func:`open_signed_event`."""
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
    except (TypeError, ValueError):  # signed with our key, but by another release
        raise TokenError("malformed") from None
    if is_over:
        raise TokenError("expired")
    if check != _check(pixels):
        raise TokenError("pixels")
    return signed_event


def _check(pixels: Sequence[str]) -> str:
    """Return a checksum of the pixels. An event of a page that loaded other pixels can no longer be matched."""
    return hashlib.sha256(",".join(sorted(pixels)).encode("utf-8", "surrogatepass")).hexdigest()[:8]
