"""One interface for the search in a response body, whether it is plain or has a content coding."""

from __future__ import annotations

from typing import Protocol

from tiktok_middleware.core.page.codings import has_coding, layers_of
from tiktok_middleware.core.page.encoded_body import CodedInjector
from tiktok_middleware.core.page.head_end import Injector, Search, first_run
from tiktok_middleware.core.page.head_tags import HeadTags

__all__ = ["Body", "PlainBody", "open_body"]


_FOUND = Search.FOUND
_NO_TAGS = HeadTags()


class Body(Protocol):
    """A body that arrives in pieces: ``feed`` until FOUND or NEVER, then ``splice`` or ``surrender``, then ``more``."""

    @property
    def is_document(self) -> bool:
        """Whether the bytes begin like a document, as far as is known."""

    @property
    def reason(self) -> str:
        """Why the search ended without a place, in a snake_case word."""

    @property
    def tags(self) -> HeadTags:
        """What the head's tags say to us."""

    @property
    def held_bytes(self) -> int:
        """How much is kept of what was fed, while the search goes on."""

    @property
    def is_open(self) -> bool:
        """Whether ``end`` can still add a script."""

    @property
    def is_untouched(self) -> bool:
        """Whether what follows the search can leave as it comes, without ``more``."""

    def feed(self, piece: bytes, *, last: bool) -> Search:
        """One step of the search."""

    def release(self) -> bytes:
        """While the search goes on: what no longer matters to it."""

    def splice(self, script: bytes) -> bytes:
        """After FOUND: all that was fed and has not left, with the script in its place."""

    def forget(self) -> None:
        """What was spliced has left: from now on it can no longer be surrendered."""

    def growth_bytes(self, script: bytes, spliced: bytes, promised: str) -> int | None:
        """How much longer the body is than the ``Content-Length`` promised; None where nobody knows yet."""

    def surrender(self, piece: bytes = b"") -> bytes:
        """After NEVER, or when we fail, even after ``splice``: all that was fed and has not left, without a script.

        Args:
            piece: what was to be fed or passed on when we failed.
        """

    def more(self, piece: bytes, *, last: bool) -> bytes:
        """After the search: what leaves for the next piece."""

    def end(self, script: bytes) -> bytes:
        """After the last piece, given to ``more`` as one that is not the last: a script, and the end."""


def open_body(content_encoding: str, *, is_charset_named: bool, is_page: bool) -> Body:
    """Return the body of a response, all of whose codings are known.

    Args:
        content_encoding: the response's ``Content-Encoding``.
        is_charset_named: whether the response says how its bytes are to be read.
        is_page: whether the bytes are a page even if they do not begin like one.
    """
    if content_encoding and has_coding(content_encoding):
        return CodedInjector(layers_of(content_encoding), Injector(is_charset_named=is_charset_named, is_page=is_page))
    return PlainBody(is_charset_named=is_charset_named, is_page=is_page)


class PlainBody:
    """A body without a content coding.

    Args:
        is_charset_named: as of :func:`open_body`.
        is_page: as of :func:`open_body`.

    Attributes:
        is_document: whether the bytes begin like a document, as far as is known.
        is_untouched: plain bytes behind the place are never changed.
    """

    __slots__ = ("_after", "_before", "_injector", "_is_charset_named", "_is_page", "is_document")

    is_untouched = True

    def __init__(self, *, is_charset_named: bool = True, is_page: bool = False) -> None:
        self._is_charset_named = is_charset_named
        self._is_page = is_page
        self._injector: Injector | None = None
        self._before: list[bytes | memoryview] = []  # searched, and free to leave
        self._after: bytes | memoryview = b""  # behind the place
        self.is_document: bool = False

    @property
    def place(self) -> int:
        """After FOUND: how many of the bytes that have not left stand before the place."""
        return sum(map(len, self._before))

    @property
    def reason(self) -> str:
        """Why the search ended without a place, in a snake_case word."""
        return self._injector.reason if self._injector is not None else ""

    @property
    def tags(self) -> HeadTags:
        """What the head's tags say to us; nothing, where the head is written plainly."""
        return self._injector.tags if self._injector is not None else _NO_TAGS

    @property
    def held_bytes(self) -> int:
        """How much is kept of what was fed, while the search goes on."""
        unsearched = len(self._injector.held) if self._injector is not None else 0
        return sum(map(len, self._before)) + unsearched

    @property
    def is_open(self) -> bool:
        """A script can always be added to plain bytes."""
        return True

    def feed(self, piece: bytes, *, last: bool) -> Search:
        """One step of the search."""
        injector = self._injector
        if injector is None:
            cut, is_end = first_run(piece, is_charset_named=self._is_charset_named)
            if is_end:
                self.is_document = True
                return self._found(piece, cut)
            injector = self._injector = Injector(cut, is_charset_named=self._is_charset_named, is_page=self._is_page)
        place = injector.feed(piece, last=last)
        self.is_document = bool(injector.is_document)
        if place.search is _FOUND:
            return self._found(place.data, place.cut)
        self._before.append(place.data[: place.cut])
        return place.search

    def _found(self, data: bytes, cut: int) -> Search:
        view = memoryview(data)  # a page of 200 KB is copied once, when it is joined
        self._before.append(view[:cut])
        self._after = view[cut:]
        return _FOUND

    def release(self) -> bytes:
        """While the search goes on: what no longer matters to it."""
        before, self._before = self._before, []
        return b"".join(before)

    def splice(self, script: bytes) -> bytes:
        """After FOUND: all that was fed and has not left, with the script in its place."""
        return b"".join((*self._before, script, self._after))

    def forget(self) -> None:
        """What was spliced has left."""
        self._before, self._after = [], b""

    def growth_bytes(self, script: bytes, spliced: bytes, promised: str) -> int | None:  # noqa: ARG002  # see ``Body``
        """A plain body grows by its script, whatever follows."""
        return len(script)

    def surrender(self, piece: bytes = b"") -> bytes:
        """After NEVER, or when we fail: all that was fed and has not left, without a script."""
        unsearched = self._injector.held if self._injector is not None else b""
        held = b"".join((*self._before, self._after, unsearched, piece))
        self._before, self._after = [], b""
        return held

    def more(self, piece: bytes, *, last: bool) -> bytes:  # noqa: ARG002  # see ``Body``
        """After the search: the piece itself."""
        return piece

    def end(self, script: bytes) -> bytes:
        """After the last piece: the script."""
        return script
