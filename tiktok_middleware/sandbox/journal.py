"""Keep the newest raw requests, bounded by number and memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

__all__ = ["Entry", "Journal"]

ENTRIES_LIMIT = 1_000
JOURNAL_LIMIT_BYTES = 16 * 1024 * 1024


class Entry(msgspec.Struct, frozen=True):
    """One request and its answer.

    Attributes:
        at: when it arrived, Unix seconds.
        channel: ``server`` for the Events API, ``browser`` for the pixel's events, ``script`` for ``events.js``.
        method: HTTP method of the request.
        path: path and query of the request.
        headers: lower-case names; the access token is masked, cookies are left out.
        body: decoded JSON, or the text if it is not JSON.
        status: HTTP status of the answer; 0 if there was no answer.
        code: TikTok's ``code`` in the answer, or None.
        message: TikTok's ``message``, or a note on what the sandbox did.
        size: size of the body, in bytes.
    """

    at: float
    channel: str
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int
    code: int | None
    message: str
    size: int = 0


class Journal:
    """A bounded list of entries."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self.revision: int = 0

    def write(self, entry: Entry) -> None:
        """Add an entry, and remove the oldest ones beyond the limits."""
        self.revision += 1
        self._entries.append(entry)
        self._bytes += entry.size
        while len(self._entries) > ENTRIES_LIMIT or (self._bytes > JOURNAL_LIMIT_BYTES and len(self._entries) > 1):
            self._bytes -= self._entries.popleft().size

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()
        self._bytes = 0
        self.revision += 1

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
