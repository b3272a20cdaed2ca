"""Find the place for the script: the end of the head, in HTML that arrives in pieces.

Bytes are held back in two cases only: while the parser needs more, and while the place depends on later bytes (see
``charset_place``).
"""

from __future__ import annotations

from typing import NamedTuple

from tiktok_middleware.core.page.charset import PRESCAN_BYTES
from tiktok_middleware.core.page.charset_place import AT_RISK, UNDECIDED, is_declared_before, place_behind_charset
from tiktok_middleware.core.page.head_parser import HeadParser, Search
from tiktok_middleware.core.page.html_tokens import FIRST_RUN

__all__ = ["HEAD_LIMIT_BYTES", "OURS", "HeadEnd", "Injector", "Search", "first_run"]

#: Limit for the search for the end of the head. The longest of 656 heads of real pages had 1,076,000 bytes, the second
#: longest 938,000.
HEAD_LIMIT_BYTES = 1 << 20

#: First bytes of our script in every page, whichever client wrote it.
OURS = b"(function(w,d,c){var t=w.tiktok=w.tiktok||{}"


class HeadEnd(NamedTuple):
    """One step of the search.

    Attributes:
        search: FOUND and NEVER are final.
        data: the held bytes, followed by the new ones.
        cut: FOUND: the index of the script. MORE: bytes before it may be sent, the rest is held. NEVER: all bytes
            may be sent.
    """

    search: Search
    data: bytes
    cut: int


_MORE, _FOUND, _NEVER = Search.MORE, Search.FOUND, Search.NEVER


def first_run(data: bytes, *, is_charset_named: bool) -> tuple[int, bool]:
    """Return the length of the plain markup at the beginning, and whether the script goes there.

    For most pages this finds the place in one step.

    Args:
        data: the first bytes of the body.
        is_charset_named: whether the response's ``Content-Type`` names its charset.
    """
    match = FIRST_RUN.match(data, 0, HEAD_LIMIT_BYTES)
    if match is None:
        return 0, False
    if not match.lastindex:
        return match.end(), False
    cut = match.start(1)
    is_place = is_charset_named or is_declared_before(data[:PRESCAN_BYTES], cut)
    return cut, is_place and data.find(OURS, 0, cut) < 0


class Injector(HeadParser):
    """Searches one document for the end of its head.

    Args:
        begun_at: the length that :func:`first_run` returned for the first piece.
        is_charset_named: whether the response's ``Content-Type`` names its charset. If not, the script must not push
            the document's own declaration beyond the bytes in which browsers look for it.
        is_page: whether the bytes are a page even if they do not begin like one.

    Attributes:
        is_document: None until known, then whether the bytes begin like a document and not like a fragment.
        reason: why the search ended without a place: a reason code.
        held: bytes that were fed and not returned yet.
        tags: the head's tags that affect the script.
    """

    __slots__ = (
        "_before",
        "_beginning",
        "_begun_at",
        "_is_at_end",
        "_is_charset_named",
        "_is_ours",
        "_seen",
        "held",
    )

    def __init__(self, begun_at: int = 0, *, is_charset_named: bool = True, is_page: bool = False) -> None:
        self.held: bytes = b""
        super().__init__(is_begun=begun_at > 0, is_page=is_page)
        self._seen = 0  # bytes before `held`
        self._begun_at = begun_at
        self._is_at_end = False  # the head has ended, and its place depends on later bytes
        self._is_charset_named = is_charset_named
        self._beginning = b""  # first bytes of the document, if the charset is not named
        self._before = b""  # last bytes before `held`, where a script of ours may have begun
        self._is_ours = False  # the page already has a script of ours

    def feed(self, piece: bytes, *, last: bool) -> HeadEnd:
        """Search the next piece.

        Args:
            piece: the next bytes of the body; bytes must not be fed twice.
            last: True when no more follow.
        """
        data = self.held + piece if self.held else piece
        if not self._is_charset_named and len(self._beginning) < PRESCAN_BYTES:
            self._beginning += piece[: PRESCAN_BYTES - len(self._beginning)]
        search, position = (_FOUND, 0) if self._is_at_end else self._search(data, last=last)
        if search is _FOUND:
            search, position = self._settle(position, last=last)
        self._look_for_ours(data, position)
        if search is _MORE:
            self.held = data[position:]
            self._seen += position
            return HeadEnd(_MORE, data, position)
        self.held = b""
        if search is _FOUND and not self._is_ours:
            return HeadEnd(_FOUND, data, position)
        if self._is_ours:
            self.reason = "already_injected"
        if not self.is_document:
            self.is_document, self.reason = False, "not_a_document"
        return HeadEnd(_NEVER, data, len(data))

    def _search(self, data: bytes, *, last: bool) -> tuple[Search, int]:
        """Continue the search for the end of the head in these bytes; return its state and position."""
        end = len(data)
        if self._seen + end > HEAD_LIMIT_BYTES:
            end = HEAD_LIMIT_BYTES - self._seen
            last = False
        search: Search | None = None
        position, self._begun_at = self._begun_at, 0
        while search is None:
            search, position = self._state(self, data, position, end)
        if search is not _MORE:
            return search, position
        # A comment that is cut off stays in the head.
        if last and self.may_end() and not data.startswith(b"<!", position):
            return _FOUND, position
        if not last and end == len(data):
            return _MORE, position
        self.reason = "head_unfinished" if last else "head_too_long"
        return _NEVER, position

    def _settle(self, position: int, *, last: bool) -> tuple[Search, int]:
        """Return the place for a known end of the head."""
        if self._is_charset_named:
            return _FOUND, position
        is_all = last and len(self._beginning) < PRESCAN_BYTES
        place = place_behind_charset(self._beginning, self._seen + position, is_all=is_all)
        if place == UNDECIDED:
            self._is_at_end = True
            return _MORE, position
        if place == AT_RISK:
            self.reason = "charset_at_risk"
            return _NEVER, position
        return _FOUND, place - self._seen

    def _look_for_ours(self, data: bytes, position: int) -> None:
        """Check whether the page already contains our script, from a cache or from an inner middleware."""
        seam = self._before + data[: min(position, len(OURS) - 1)]
        if not self._is_ours:
            self._is_ours = OURS in seam or data.find(OURS, 0, position) >= 0
        self._before = (seam if position < len(OURS) else data[:position])[1 - len(OURS) :]
