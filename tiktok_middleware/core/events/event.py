"""Data types: an event, its channels, and the records that are sent to TikTok."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

import msgspec

__all__ = [
    "PAGE_VIEW",
    "Channel",
    "Channels",
    "Claim",
    "DeferredPayload",
    "Event",
    "OutboxEntry",
    "Record",
    "browser_properties",
    "channels_closed",
]


#: The name that the pixel itself gives a page view, so that both copies match (TikTok has no official server name).
PAGE_VIEW = "Pageview"


class Channel(msgspec.Struct, frozen=True, gc=False):
    """Whether an event goes through one channel, and why not if it does not.

    Attributes:
        sends: True when a copy goes (or has gone) this way.
        reason: one snake_case word when it does not, such as ``no_token``, ``denied`` or ``already_counted``.
    """

    sends: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.sends


class Channels(msgspec.Struct, frozen=True, gc=False):
    """The two ways an event can take."""

    browser: Channel
    server: Channel


@lru_cache(maxsize=256)
def channels_closed(browser: str, server: str) -> Channels:
    """The channels, each closed for the reason given, or open where it is empty; one object for all equal ones."""
    return Channels(Channel(not browser, browser), Channel(not server, server))


class Event(msgspec.Struct, gc=False):
    """One tracked event, as ``track()`` returns it.

    Attributes:
        event: TikTok's name of it, such as ``Purchase``.
        event_id: the id that both copies carry, URL-safe, at most 64 characters.
        event_time: Unix seconds, UTC.
        properties: the cleaned properties, the same on both channels.
        channels: what is known, at the time of the call, of where it goes.
        once: True when the id is deterministic and the event is counted once.
        limited_data_use: True when TikTok's flag is set on this event, whatever the visitor's own choice.
        once_per: ``visit`` when it is counted once per visit; empty otherwise.
    """

    event: str
    event_id: str
    event_time: int
    properties: dict[str, object]
    channels: Channels
    once: bool = False
    limited_data_use: bool = False
    once_per: str = ""


class _Flagged(Protocol):
    """What has parameters, and TikTok's flag."""

    @property
    def properties(self) -> Mapping[str, object]: ...

    @property
    def limited_data_use(self) -> bool: ...


def browser_properties(event: _Flagged) -> Mapping[str, object]:
    """The parameters as the pixel takes them: TikTok's flag of a single event stands among them."""
    return {**event.properties, "limited_data_use": True} if event.limited_data_use else event.properties


class Record(msgspec.Struct, frozen=True, gc=False):
    """One server copy, encoded for one pixel, as the outbox keeps it and the sink sends it.

    Attributes:
        pixel: TikTok's ``event_source_id``.
        source: TikTok's ``event_source``: ``web``, ``offline`` or ``crm``.
        event: the event's name (for listings and overflow order; it also stands in ``body``).
        event_id: the id (also in ``body``).
        event_time: Unix seconds; decides when the record expires.
        body: UTF-8 JSON of one item of TikTok's ``data`` array.
        paired: True when a browser copy was handed out, so that it must not be sent once TikTok's
            48 h deduplication window closes.
    """

    pixel: str
    source: str
    event: str
    event_id: str
    event_time: int
    body: bytes
    paired: bool = False


class DeferredPayload(msgspec.Struct, frozen=True, gc=False):
    """A browser copy that is too large for a header, kept for the page that asks for it.

    Attributes:
        ref: a random name, as long as a secret.
        body: JSON of the copy, ``[name, properties, event_id]``, or of the envelope that holds it.
    """

    ref: str
    body: bytes


class OutboxEntry(msgspec.Struct, frozen=True, gc=False):
    """One event handed to delivery: what to store and what to claim, in one transaction.

    Attributes:
        event_id: the id that a claim is kept under.
        records: the server copies, one a pixel; empty when no server copy is wanted.
        browser: True when a browser copy is about to be handed out.
        once: True when each channel may carry this ``event_id`` only once, ever.
        passing: True when the claim need be remembered for some days only, as for an id that a browser made.
        deferred: the browser copy, where it is to wait here; kept if its claim is won.
        pixels: the pixels that the browser copy goes to; empty for the pixels of the process.
        delay_s: seconds that the server copies wait before they are sent.
        reported: True for an event that a page reports, which a stranger may have made up.
    """

    event_id: str
    records: tuple[Record, ...] = ()
    browser: bool = False
    once: bool = False
    passing: bool = False
    deferred: DeferredPayload | None = None
    pixels: tuple[str, ...] = ()
    delay_s: float = 0.0
    reported: bool = False


class Claim(msgspec.Struct, frozen=True, gc=False, eq=False):
    """What a submission won: the channels whose copy may go.

    A submission without ``once`` wins whatever it asks for. With ``once`` each channel is won by the
    first submission that asks for it, on any process that shares the outbox; but by none once the other
    channel's claim is so old that TikTok has forgotten its copy, and would count a second conversion.

    Attributes:
        browser: True when the browser copy may go.
        server: True when the server copies are stored.
        is_decided: False while the store that holds the claims cannot be asked. The browser copy may go, the server
            copies wait until the store has decided.
        first_at: when the event was claimed first, in Unix seconds, where a channel was lost to an earlier claim.
    """

    browser: bool
    server: bool
    is_decided: bool = True
    first_at: float = 0.0

    def __eq__(self, other: object) -> bool:
        """Whether both allow the same; when the event was claimed first does not matter."""
        return isinstance(other, Claim) and self._allowed() == other._allowed()

    def __hash__(self) -> int:
        """The hash of what it allows."""
        return hash(self._allowed())

    def _allowed(self) -> tuple[bool, bool, bool]:
        return self.browser, self.server, self.is_decided
