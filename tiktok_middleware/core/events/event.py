"""Data types of an event, its channels, its outbox records and its claim."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

import msgspec

__all__ = [
    "NOT_YET",
    "PAGE_VIEW",
    "Channel",
    "Channels",
    "Claim",
    "DeferredPayload",
    "Draft",
    "DraftWriter",
    "Event",
    "OutboxEntry",
    "Record",
    "browser_properties",
    "channels_closed",
]


#: The pixel's own name of a page view, so that both copies match. TikTok documents no name for the server.
PAGE_VIEW = "Pageview"


class Channel(msgspec.Struct, frozen=True, gc=False):
    """Whether a copy of an event is sent through one channel, and the reason if it is not.

    Attributes:
        sends: True when a copy is sent, or was sent, through this channel.
        reason: one snake_case word when no copy is sent, such as ``no_token``, ``denied`` or ``already_counted``.
        first_at: when the conversion was counted first, in Unix seconds, if the reason is ``already_counted``; else 0.
    """

    sends: bool
    reason: str = ""
    first_at: float = 0.0

    def __bool__(self) -> bool:
        return self.sends


class Channels(msgspec.Struct, frozen=True, gc=False):
    """The browser channel and the server channel of an event."""

    browser: Channel
    server: Channel


@lru_cache(maxsize=256)
def channels_closed(browser: str, server: str) -> Channels:
    """Return the channels, each closed for its given reason, or open if the reason is empty. Results are cached."""
    return Channels(Channel(not browser, browser), Channel(not server, server))


class Event(msgspec.Struct, gc=False):
    """One tracked event, as ``track()`` returns it.

    Attributes:
        event: TikTok's name of the event, such as ``Purchase``.
        event_id: the id that both copies carry, URL-safe, at most 64 characters.
        event_time: Unix seconds, UTC.
        properties: the cleaned properties, the same on both channels.
        channels: the channels that carry the event, as known at the time of the call. The outbox decides later whether
            a ``once`` event was counted before: after the response, or at the end of a ``client.tracker()`` block.
        once: True when the id is deterministic and the event is counted once.
        limited_data_use: True when TikTok's flag is set on this event, regardless of the visitor's choice.
        once_per: ``visit`` when the event is counted once per visit; empty otherwise.
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
    """An object with parameters and TikTok's ``limited_data_use`` flag."""

    @property
    def properties(self) -> Mapping[str, object]: ...

    @property
    def limited_data_use(self) -> bool: ...


def browser_properties(event: _Flagged) -> Mapping[str, object]:
    """Return the parameters for the pixel, which reads TikTok's flag of a single event among them."""
    return {**event.properties, "limited_data_use": True} if event.limited_data_use else event.properties


class Record(msgspec.Struct, frozen=True, gc=False):
    """One server copy, encoded for one pixel, as the outbox keeps it and the sink sends it.

    Attributes:
        pixel: TikTok's ``event_source_id``.
        source: TikTok's ``event_source``: ``web``, ``offline`` or ``crm``.
        event: the event's name, for listings and overflow order (also in ``body``).
        event_id: the id (also in ``body``).
        event_time: Unix seconds; the record's expiry is computed from it.
        body: UTF-8 JSON of one item of TikTok's ``data`` array.
        paired: True when a browser copy was handed out. Such a record must not be sent after TikTok's
            48 h deduplication window.
    """

    pixel: str
    source: str
    event: str
    event_id: str
    event_time: int
    body: bytes
    paired: bool = False


NOT_YET = b""
"""Stands for the payload of a reference whose event may still be committed, or that cannot be read at present."""


class DeferredPayload(msgspec.Struct, frozen=True, gc=False):
    """A browser copy that is too large for a header, stored until the page requests it.

    Attributes:
        ref: a random name, too long to guess.
        body: JSON of the copy, ``[name, properties, event_id]``, or of the event token that holds it.
    """

    ref: str
    body: bytes


class Draft(msgspec.Struct, frozen=True, gc=False):
    """The draft of an event that was written in the app's own transaction, and that an entry completes.

    Attributes:
        ref: random name of the draft, and of its browser copy, too long to guess.
        payload: the browser copy, as in `DeferredPayload`, for a page that asks for it later; empty without one.
        is_deferred: True when the response has no room for the browser copy, so that the page asks for it anyway.
    """

    ref: str
    payload: bytes = b""
    is_deferred: bool = False


class OutboxEntry(msgspec.Struct, frozen=True, gc=False):
    """The records and the claim of one event, which the outbox stores in one transaction.

    Attributes:
        event_id: the key of the claim.
        records: the server copies, one per pixel; empty when there is no server copy.
        browser: True when a browser copy is about to be handed out.
        once: True when each channel may carry this ``event_id`` only once, ever.
        passing: True when the claim is kept for a few days only, as for an id that a browser made.
        deferred: the browser copy, if the outbox has to store it; it is stored only if its claim is won.
        pixels: the pixels that the browser copy goes to; empty for the pixels of the process.
        delay_s: seconds that the server copies wait before they are sent.
        reported: True for an event that a page reports; such an event may be forged.
        draft: the draft that this entry completes. The entry is stored only if the draft was committed.
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
    draft: Draft | None = None


class Claim(msgspec.Struct, frozen=True, gc=False, eq=False):
    """The channels through which a submitted event may be sent.

    An event without ``once`` gets every channel that it requests. With ``once``, the first event that requests a
    channel gets it, across all processes that share the outbox. If the other channel's claim is older than TikTok's
    deduplication window, the channel is given to no event, because TikTok would count a second conversion.

    Attributes:
        browser: True when the browser copy may be sent.
        server: True when the server copies are stored.
        is_decided: False while the store that holds the claims is unavailable. The browser copy may be sent; the server
            copies wait until the store has decided.
        first_at: time of the first claim of the event, in Unix seconds, if an earlier claim has taken a channel.
        is_committed: False while the transaction that holds the event's draft is not seen to be committed. Nothing may
            be sent; the outbox decides once it is.
    """

    browser: bool
    server: bool
    is_decided: bool = True
    first_at: float = 0.0
    is_committed: bool = True

    def __eq__(self, other: object) -> bool:
        """Return whether both allow the same channels; ``first_at`` is not compared."""
        return isinstance(other, Claim) and self._allowed() == other._allowed()

    def __hash__(self) -> int:
        """Return the hash of the compared attributes."""
        return hash(self._allowed())

    def _allowed(self) -> tuple[bool, bool, bool, bool]:
        return self.browser, self.server, self.is_decided, self.is_committed


class DraftWriter(Protocol):
    """Writes drafts of events into the app's own transactions."""

    def refusal(self, connection: object) -> str:
        """Return which connections are allowed instead of this one; empty if it can be used."""
        ...

    def write(self, connection: object, ref: str, entry: OutboxEntry) -> str:
        """Write a draft within a savepoint of the app's transaction; return a reason code if that failed, else "".

        Never raises, and leaves the app's transaction as usable as it was.
        """
        ...

    def statement(self, ref: str, entry: OutboxEntry, style: str) -> tuple[str, object] | None:
        """Return the SQL statement that writes a draft, and its parameters, for a driver's style of placeholders.

        None as long as it is not known whether the outbox's tables exist: the statement would fail without them.

        Raises:
            EventError: ``style`` is unknown.
        """
        ...
