"""A response body on its way through the search, plain or coded behind the same few calls; it knows no headers."""

from __future__ import annotations

from typing import Protocol

from tiktok_middleware.core.page.codings import has_coding, layers_of
from tiktok_middleware.core.page.encoded_body import CodedInjector
from tiktok_middleware.core.page.head_end import Injector, Search, first_run

__all__ = ["Body", "PlainBody", "open_body"]


_FOUND = Search.FOUND


class Body(Protocol):
    """A body that arrives in pieces: ``feed`` until FOUND or NEVER, then ``splice`` or ``surrender``, then ``more``."""

    @property
    def is_document(self) -> bool:
        """Whether the bytes begin like a document, as far as is known."""

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


def open_body(content_encoding: str) -> Body:
    """The body of a response with this ``Content-Encoding``, whose codings are all known."""
    if content_encoding and has_coding(content_encoding):
        return CodedInjector(layers_of(content_encoding))
    return PlainBody()


class PlainBody:
    """A body without a content coding.

    Attributes:
        is_document: whether the bytes begin like a document, as far as is known.
        is_untouched: plain bytes behind the place are never changed.
    """

    __slots__ = ("_after", "_before", "_injector", "is_document")

    is_untouched = True

    def __init__(self) -> None:
        self._injector: Injector | None = None
        self._before: list[bytes | memoryview] = []  # searched, and free to leave
        self._after: bytes | memoryview = b""  # behind the place
        self.is_document = False

    @property
    def place(self) -> int:
        """After FOUND: how many of the bytes that have not left stand before the place."""
        return sum(map(len, self._before))

    @property
    def is_open(self) -> bool:
        """A script can always be added to plain bytes."""
        return True

    def feed(self, piece: bytes, *, last: bool) -> Search:
        """One step of the search."""
        injector = self._injector
        if injector is None:
            cut, is_end = first_run(piece)
            if is_end:
                self.is_document = True
                return self._found(piece, cut)
            injector = self._injector = Injector(cut)
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
