"""Options for storing and sending events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from tiktok_middleware.config import TIKTOK_API_URL

if TYPE_CHECKING:
    from tiktok_middleware.delivery.sender.relay import Sink

__all__ = ["DeliveryOptions"]


class DeliveryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options for storing and sending events.

    Attributes:
        outbox: ``sqlite:///path`` (three slashes and a relative path, four and an absolute one), ``memory://`` or
            ``postgresql://...``.
        spool: file of this host where events wait while a shared outbox does not answer; empty for memory.
        sync: ``normal`` or ``full``, see `TIKTOK_SYNC`.
        flush: ``background``; or ``request``: `submit` also sends, on the caller's thread, and no thread is started; or
            ``relay``: events are only stored, and another process sends them.
        api_url: base URL of the Events API.
        tokens: access token of each pixel; empty if only browsers send, so that only claims are stored.
        test_event_code: if set, each event is sent alone and appears under Test Events.
        sink: ``direct``, or a callable that makes a team's own sink; the relay calls it on its own thread.
        limit_rows: largest number of waiting records; 0 for the outbox's own limit.
        limit_bytes: largest total size of their bodies, in bytes; 0 for the outbox's own limit.
        limit_uncommitted: largest number of `submit` calls that wait for the disk.
        environment: environment of the records and claims; empty to derive it from ``api_url`` and
            ``test_event_code``.
        pixels: pixels in the pages, which send browser copies; empty if all pixels count as one.
        sends: pixels and event sets whose records are sent; empty for those with a token, or for all if there is no
            token.
        delay_s: seconds that the server copy of a ``Purchase`` waits, so that it can still be cancelled.
        ledger_s: how long ledger entries are kept, in seconds; 0 for no ledger.
        dead_s: how long dead letters are kept, in seconds.
        once_undecided: ``send`` or ``hold`` the browser copies of ``once`` events while the outbox with the claims
            cannot be read.
    """

    outbox: str = "memory://"
    spool: str = ""
    sync: str = "normal"
    flush: str = "background"
    api_url: str = TIKTOK_API_URL
    tokens: Mapping[str, str] = {}
    test_event_code: str | None = None
    sink: str | Callable[[DeliveryOptions], Sink] = "direct"
    limit_rows: int = 0
    limit_bytes: int = 0
    limit_uncommitted: int = 100_000
    environment: str = ""
    pixels: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    delay_s: float = 0.0
    ledger_s: float = 400 * 86400.0
    dead_s: float = 90 * 86400.0
    once_undecided: str = "send"

    def __repr__(self) -> str:
        """Return the options with masked tokens."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["tokens"] = dict.fromkeys(self.tokens, "...")
        return f"DeliveryOptions({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    __str__ = __repr__
